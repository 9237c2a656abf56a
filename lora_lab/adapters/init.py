"""INITS: how the factors start, so that ΔW = 0; the functions behind the rows of `lora_lab.inits`.

A law fills new rows of lora_A (rows × in), on the CPU and from a generator of its own, so that a
run starts alike on every device; lora_B starts at zero. The law is used again for the new rows
when a rank grows. Some inits start from a part of W instead (`principal`), and one looks at the
data first (`eva`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import torch

from lora_lab import inits
from lora_lab.adapters.row_major import row_major

Law = Callable[[int, int, int, torch.Generator], torch.Tensor]
Principal = Callable[[torch.Tensor, int, float], tuple[torch.Tensor, torch.Tensor]]


def resolved(where: str) -> Any:
    """The object at "file:name" in this folder, as a row of a registry names it."""
    file, name = where.split(":")
    return getattr(import_module(f"lora_lab.adapters.{file}"), name)


@dataclass(frozen=True)
class Start:
    """How lora_A and lora_B start."""

    rows: Law  # rows of lora_A
    principal: Principal | None = None  # (W, rank, s) → A₀, B₀, which count as part of W
    of_rounding: Principal | None = None  # (what packing took from W, rank, s) → A, B


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
    return row_major((Q * signs).t().float())


INITS: dict[str, Start] = {
    name: Start(
        resolved(row.rows),
        resolved(row.principal) if row.principal else None,
        resolved(row.of_rounding) if row.of_rounding else None,
    )
    for name, row in inits.INITS.items()
}


def first_factors(
    layer: Any, rows: int, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """What a LoRALayer starts from: new directions, or those of what packing took from its W.

    W stays as it is packed; ΔW then begins as the best correction of that rank (LoftQ's first
    round). A layer that is not packed lost nothing, and starts with no effect.
    """
    made, base = INITS[layer.init].of_rounding, layer.base_layer
    original = getattr(base, "original", None)
    if made is None or original is None:
        return layer.new_factors(rows, generator)
    dtype = layer.factor_dtype
    lost = original().to(layer.device, dtype) - base.dense(dtype)
    return made(lost, rows, layer.scaling)
