"""How many numbers a task takes: random subspaces of growing size, trained and compared."""
