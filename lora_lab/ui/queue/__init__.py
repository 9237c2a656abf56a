"""The queue in the window: a grid is lined up, its runs follow each other, and are compared."""
