"""Several adapters over one frozen base, trained on the same batches and seen side by side."""
