"""INITS: the laws by which rows of lora_A are drawn; lora_B starts at zero, so that ΔW = 0.

Each fills a new tensor of shape (rows × in) on the CPU from a generator of its own, so that a run
starts alike on every device, and is used again for the new rows when a rank grows.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

Init = Callable[[int, int, int, torch.Generator], torch.Tensor]


def kaiming(rows: int, in_features: int, rank: int, generator: torch.Generator) -> torch.Tensor:
    """U(−1/√in, 1/√in), independent of r: what loralib and PEFT do by default.

    It is Kaiming's uniform law with a = √5 (microsoft/LoRA, loralib/layers.py).
    """
    bound = 1 / math.sqrt(in_features)
    return torch.empty(rows, in_features).uniform_(-bound, bound, generator=generator)


def gaussian(rows: int, in_features: int, rank: int, generator: torch.Generator) -> torch.Tensor:
    """N(0, (1/r)²): "random Gaussian" of LoRA §4.1 with the width that PEFT gives it."""
    return torch.randn(rows, in_features, generator=generator) / rank


def normal(rows: int, in_features: int, rank: int, generator: torch.Generator) -> torch.Tensor:
    """N(0, 1): the parametrization tutorial's choice, √(3·in) times the width of `kaiming`."""
    return torch.randn(rows, in_features, generator=generator)


INITS: dict[str, Init] = {"kaiming": kaiming, "gaussian": gaussian, "normal": normal}
