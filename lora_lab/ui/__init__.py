"""The window: the only package that imports Qt; it knows the engine by its records alone."""
