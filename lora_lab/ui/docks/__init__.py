"""The docks at the left: what is fixed for a run, and the knobs that move while it trains."""
