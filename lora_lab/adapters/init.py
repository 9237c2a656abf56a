"""INITS: how the factors start, so that ΔW = 0.

A law fills new rows of lora_A (rows × in), on the CPU and from a generator of its own, so that a
run starts alike on every device; lora_B starts at zero. The law is used again for the new rows
when a rank grows. Two inits start from a part of W instead, and one looks at the data first.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from lora_lab.adapters.principal import olora, pissa

Law = Callable[[int, int, int, torch.Generator], torch.Tensor]
Principal = Callable[[torch.Tensor, int, float], tuple[torch.Tensor, torch.Tensor]]


@dataclass(frozen=True)
class Init:
    """How lora_A and lora_B start."""

    rows: Law  # rows of lora_A
    principal: Principal | None = None  # (W, rank, s) → A₀, B₀, which count as part of W
    looks_at_data: bool = False  # lora_A is set by lora_lab.adapters.eva once there are inputs


def kaiming(rows: int, in_features: int, rank: int, generator: torch.Generator) -> torch.Tensor:
    """U(−1/√in, 1/√in), independent of r: what loralib and PEFT do by default.

    It is Kaiming's uniform law with a = √5 (microsoft/LoRA, loralib/layers.py).
    """
    bound = 1 / math.sqrt(in_features)
    return torch.empty(rows, in_features).uniform_(-bound, bound, generator=generator)


def gaussian(rows: int, in_features: int, rank: int, generator: torch.Generator) -> torch.Tensor:
    """N(0, (1/r)²): "random Gaussian" of LoRA §4.1 with the width that PEFT gives it."""
    return torch.randn(rows, in_features, generator=generator) / max(1, rank)


def normal(rows: int, in_features: int, rank: int, generator: torch.Generator) -> torch.Tensor:
    """N(0, 1): the parametrization tutorial's choice, √(3·in) times the width of `kaiming`."""
    return torch.randn(rows, in_features, generator=generator)


def orthogonal(rows: int, in_features: int, rank: int, generator: torch.Generator) -> torch.Tensor:
    """Orthonormal rows in a random direction (Saxe et al. 2014, arXiv 1312.6120): A·Aᵀ = I.

    Entries have √3 times the width of `kaiming`. PEFT gives the same name to another start, in
    which B is not zero either but B·A is.
    """
    square = torch.randn(in_features, rows, generator=generator, dtype=torch.float64)
    Q, R = torch.linalg.qr(square)
    signs = torch.where(R.diagonal() < 0, -1.0, 1.0)  # without them QR prefers some directions
    return (Q * signs).t().float().contiguous()


INITS: dict[str, Init] = {
    "kaiming": Init(kaiming),
    "gaussian": Init(gaussian),
    "normal": Init(normal),
    "orthogonal": Init(orthogonal),
    "pissa": Init(kaiming, principal=pissa),
    "olora": Init(kaiming, principal=olora),
    "eva": Init(kaiming, looks_at_data=True),
}
