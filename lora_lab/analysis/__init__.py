"""Analysis: spectra, rank measures and parameter counts of adapters."""
