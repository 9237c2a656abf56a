"""What is kept of a run while it trains, and how it comes back."""
