"""Sweeps on a cluster of Ray's: what is asked of it here, and what runs over there."""
