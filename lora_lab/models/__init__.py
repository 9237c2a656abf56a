"""Base models: a checkpoint read safely, the plain net that it fits, and the net's fingerprint."""
