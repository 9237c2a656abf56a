"""Studies: sets of runs that answer one question, planned with their price and read when ended."""
