"""Writing what was made: the adapter as a file, a plot as a picture."""
