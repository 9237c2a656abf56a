"""The dock of runs: what was trained before, and what can be done with it."""
