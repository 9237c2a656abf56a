"""LoRA Lab: train low-rank adapters, watch what they learn, and turn the knobs while they do."""

__version__ = "0.1.0"
