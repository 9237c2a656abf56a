"""How a model, data, an adapter or a run comes into the window."""
