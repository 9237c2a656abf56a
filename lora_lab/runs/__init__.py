"""One folder per run: its settings, every record as a line of JSON, and its adapter."""
