"""Frozen weights in blocks: packed as files and quantizers pack them, and undone where used."""
