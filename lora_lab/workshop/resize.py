"""Another rank for a finished adapter: the best approximation of each ΔW (Eckart–Young)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from lora_lab.adapters.weights import AdapterWeights, LayerWeights
from lora_lab.analysis.subspace import singular_factors
from lora_lab.errors import AdapterError
from lora_lab.figures import counted
from lora_lab.progress import Report, silent
from lora_lab.variants import PLAIN, VARIANTS


@dataclass(frozen=True)
class LayerCut:
    """What became of one layer."""

    name: str
    old_rank: int
    rank: int
    error: float  # ‖ΔW' − ΔW‖_F/‖ΔW‖_F: √ of the energy that was cut


def resized(
    weights: AdapterWeights, ranks: Sequence[int], report: Report = silent
) -> tuple[AdapterWeights, tuple[LayerCut, ...]]:
    """The adapter with `ranks`, one for each layer; s stays, so α follows the rank.

    B' = U·√(σ/s) and A' = √(σ/s)·Vᵀ of the truncated SVD of s·B·A. A rank at or above a layer's
    own leaves it as it is. Of DoRA it is the change of direction that is cut; the magnitudes stay.
    Raises AdapterError for factors that are not finite and where the numbers do not match.
    """
    if len(ranks) != len(weights.layers):
        raise AdapterError(
            f"{counted(len(ranks), 'rank')} given for {counted(len(weights.layers), 'layer')}."
        )
    layers, cuts = [], []
    for number, (layer, rank) in enumerate(zip(weights.layers, ranks, strict=True)):
        report("Truncating layers", number / len(weights.layers))
        layers_cut, error = cut_layer(layer, rank, weights.variant)
        layers.append(layers_cut)
        cuts.append(LayerCut(layer.name, layer.rank, layers_cut.rank, error))
    return replace(weights, layers=tuple(layers)), tuple(cuts)


@torch.no_grad()
def cut_layer(layer: LayerWeights, rank: int, variant: str = PLAIN) -> tuple[LayerWeights, float]:
    """The layer cut to `rank`, and ‖ΔW' − ΔW‖_F/‖ΔW‖_F."""
    if rank >= layer.rank or layer.groups > 1:
        return layer, 0.0
    U, sigma, Vh = singular_factors(
        layer.lora_A, layer.lora_B, layer.scaling, f"Layer {layer.name}: "
    )
    total = float(sigma.square().sum())
    error = (float(sigma[rank:].square().sum()) / total) ** 0.5 if total else 0.0
    s = abs(layer.scaling)
    sign = 1.0 if layer.scaling > 0 else -1.0
    root = (sigma[:rank] / s).sqrt() if s else sigma[:rank]
    kind = layer.lora_A.dtype
    alpha = VARIANTS[variant].alpha(layer.scaling, rank)
    return (
        replace(
            layer,
            lora_A=(root[:, None] * Vh[:rank]).to(kind).contiguous(),
            lora_B=(sign * U[:, :rank] * root).to(kind).contiguous(),
            alpha=alpha,
        ),
        error,
    )
