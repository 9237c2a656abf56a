"""The adapter workshop: a window of its own for adapters that lie in files."""
