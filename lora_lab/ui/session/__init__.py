"""The door between the window and the engine."""
