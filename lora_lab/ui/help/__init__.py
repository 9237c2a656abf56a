"""The handbook, the page on the program, and the sentences that describe a plot."""
