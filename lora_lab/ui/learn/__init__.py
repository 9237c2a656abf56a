"""Pages that measure what the papers say, on the model and data at hand."""
