"""The SVD bench: one matrix taken apart before one's eyes, without a model and without a run."""
