"""Several processes, one run: the first keeps it, the others compute their share of every step."""
