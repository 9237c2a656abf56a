"""Two adapters side by side: do their ΔWs point the same way, layer by layer?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from lora_lab.adapters.weights import AdapterWeights, LayerWeights
from lora_lab.analysis.subspace import delta_directions, principal_angles, similarity_of_delta
from lora_lab.errors import AdapterError
from lora_lab.models.base import Base
from lora_lab.workshop.combine import factor_inner, product_norm
from lora_lab.workshop.one_world import aligned
from lora_lab.workshop.places import Placed, real_delta


@dataclass(frozen=True)
class LayerComparison:
    """One layer of both; nan where a ΔW = 0."""

    name: str
    cosine: float  # ⟨ΔW₁, ΔW₂⟩/(‖ΔW₁‖·‖ΔW₂‖)
    ratio: float  # ‖ΔW₂‖/‖ΔW₁‖
    difference: float  # ‖ΔW₂ − ΔW₁‖/‖ΔW₁‖
    phi: np.ndarray  # (r1, r2) φ(i, j) of what they read, float64
    angles: np.ndarray  # principal angles of their right spaces in degrees, largest first

    @property
    def overlap(self) -> float:
        """φ of the whole spaces."""
        return float(self.phi[-1, -1]) if self.phi.size else float("nan")


@dataclass(frozen=True)
class Comparison:
    """All layers that both have, and the names that only one has."""

    layers: tuple[LayerComparison, ...]
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]


@torch.no_grad()
def compare(
    first: AdapterWeights, second: AdapterWeights, base: Path | str | None = None
) -> Comparison:
    """Compare layer by layer, from the factors alone; DoRA's ΔW needs the base's W as well.

    With a `base` layers are the same where they change the same weight of it, whatever each calls
    it. Raises AdapterError where they have no layer in common, or one of another shape.
    """
    first, second = aligned((first, second), base)
    ranks = [{layer.name: layer.rank for layer in weights.layers} for weights in (first, second)]
    if base:
        first, second = (_with_real_delta(weights, base) for weights in (first, second))
    ours = {layer.name: layer for layer in first.layers}
    theirs = {layer.name: layer for layer in second.layers}
    both = [name for name in ours if name in theirs]
    if not both:
        raise AdapterError("The two adapters have no layer in common, so they cannot be compared.")
    return Comparison(
        tuple(_layer(ours[n], theirs[n], (ranks[0][n], ranks[1][n])) for n in both),
        tuple(name for name in ours if name not in theirs),
        tuple(name for name in theirs if name not in ours),
    )


def _layer(one: LayerWeights, two: LayerWeights, ranks: tuple[int, int]) -> LayerComparison:
    """Both ΔWs as a whole, and of their directions as many as were trained."""
    if one.shape != two.shape:
        raise AdapterError(
            f"{one.name} is {one.shape} in one and {two.shape} in the other: the adapters are for "
            "different bases."
        )
    if one.magnitude is not None or two.magnitude is not None:
        raise AdapterError(f"{one.name}: the ΔW of DoRA needs the base model: name it (--base).")
    B1, A1 = one.scaling * one.lora_B.double(), one.lora_A.double()
    B2, A2 = two.scaling * two.lora_B.double(), two.lora_A.double()
    norm1, norm2 = product_norm(B1, A1), product_norm(B2, A2)
    inner = factor_inner((B1, A1), (B2, A2))
    difference = product_norm(torch.cat([B2, -B1], 1), torch.cat([A2, A1]))
    nan = float("nan")
    if norm1 == 0 or norm2 == 0:
        return LayerComparison(
            one.name, nan, norm2 / norm1 if norm1 else nan, difference / norm1 if norm1 else nan,
            np.zeros((0, 0)), np.zeros(0),
        )  # fmt: skip
    phi = similarity_of_delta(one, two)[: ranks[0], : ranks[1]]
    real = int(torch.isfinite(phi[:, 0]).sum()), int(torch.isfinite(phi[0]).sum())
    V1, V2 = (delta_directions(x)[2].mT[:, :r] for x, r in zip((one, two), ranks, strict=True))
    angles = torch.rad2deg(principal_angles(V1, V2)).numpy()
    return LayerComparison(
        one.name, inner / (norm1 * norm2), norm2 / norm1, difference / norm1,
        phi[: real[0], : real[1]].numpy(), angles,
    )  # fmt: skip


def _with_real_delta(weights: AdapterWeights, base: Path | str) -> AdapterWeights:
    """DoRA's layers as the factors of their real ΔW, of full rank."""
    if all(layer.magnitude is None for layer in weights.layers):
        return weights
    placed = Placed(weights, Base(Path(base)))
    real = {}
    for place in placed.places:
        layer = place.layer
        if layer.magnitude is not None:
            delta = real_delta(layer, placed.matrix(place))
            U, sigma, Vh = torch.linalg.svd(delta, full_matrices=False)
            real[layer.name] = replace(
                layer, lora_A=Vh, lora_B=U * sigma, alpha=float(len(sigma)), scaling=1.0,
                magnitude=None,
            )  # fmt: skip
    return replace(weights, layers=tuple(real.get(x.name, x) for x in weights.layers))
