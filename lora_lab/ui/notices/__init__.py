"""What the window says of its own accord: one bar, one list, one place."""
