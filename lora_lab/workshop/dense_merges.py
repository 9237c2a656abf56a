"""Merges that look at every entry of each ΔW, or at its angle: TIES, DARE, magnitude, SLERP.

Programs differ in what they trim. PEFT's `ties`, `dare_ties`, `dare_linear` and `magnitude_prune`
trim A and B apart, and (trimmed B)·(trimmed A) is no trimmed ΔW. Here it is ΔW = s·B·A that is
trimmed, which PEFT calls `ties_svd`, `dare_ties_svd`, `dare_linear_svd` and `magnitude_prune_svd`.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence

import torch

from lora_lab.errors import AdapterError
from lora_lab.workshop.requests import Trim

Term = tuple[torch.Tensor, float]  # ΔW (out × in) of float32, and its weight
PARALLEL = 1e-6  # radians between two ΔWs within which sin θ is no divisor


def largest(delta: torch.Tensor, density: float) -> torch.Tensor:
    """ΔW with its ⌊density·n⌋ largest entries in magnitude; the others are 0."""
    kept = int(density * delta.numel())
    trimmed = torch.zeros_like(delta).flatten()
    at = torch.topk(delta.abs().flatten(), kept).indices
    trimmed[at] = delta.flatten()[at]
    return trimmed.view_as(delta)


def drawn(delta: torch.Tensor, density: float, generator: torch.Generator) -> torch.Tensor:
    """ΔW with each entry kept with this probability and divided by it (DARE, arXiv 2311.03099)."""
    if density == 1:
        return delta
    mask = torch.bernoulli(torch.full_like(delta, density), generator=generator)
    return delta * mask / density


def layer_seed(seed: int, name: str) -> int:
    """Of the draw of one layer: the same in whatever order a file has its layers."""
    return int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:4], "big")


def elected(trimmed: Sequence[torch.Tensor], weights: Sequence[float]) -> torch.Tensor:
    """The weighted mean at each entry over those ΔWs that have the elected sign there.

    The sign of an entry is that of the sum of the ΔWs, + where it is 0; the mean divides by how
    many have it (TIES, arXiv 2306.01708, with a weight for each as PEFT has it).
    """
    sign = torch.where(sum(trimmed) >= 0, 1.0, -1.0)
    agree = [delta.sign() == sign for delta in trimmed]
    total = sum(w * delta * on for delta, w, on in zip(trimmed, weights, agree, strict=True))
    return total / sum(agree).clamp(min=1)


def _ties(terms: Sequence[Term], trim: Trim, _: torch.Generator) -> torch.Tensor:
    return elected([largest(delta, trim.density) for delta, _ in terms], [w for _, w in terms])


def _dare_ties(terms: Sequence[Term], trim: Trim, generator: torch.Generator) -> torch.Tensor:
    trimmed = [drawn(delta, trim.density, generator) for delta, _ in terms]
    return elected(trimmed, [w for _, w in terms])


def _dare_linear(terms: Sequence[Term], trim: Trim, generator: torch.Generator) -> torch.Tensor:
    return sum(w * drawn(delta, trim.density, generator) for delta, w in terms)


def _magnitude(terms: Sequence[Term], trim: Trim, _: torch.Generator) -> torch.Tensor:
    return sum(w * largest(delta, trim.density) for delta, w in terms)


Merge = Callable[[Sequence[Term], Trim, torch.Generator], torch.Tensor]
DENSE: dict[str, Merge] = {
    "ties": _ties, "dare-ties": _dare_ties, "dare-linear": _dare_linear,
    "magnitude": _magnitude,
}  # fmt: skip


def slerp_weights(norms: tuple[float, float], cosine: float, w: tuple[float, float]) -> Term:
    """What each of two ΔWs is multiplied by, so that the sum lies on the arc between them.

    With t = w₂/(w₁ + w₂) and the angle θ between them: (w₁ + w₂)·sin((1 − t)θ)/sin θ and
    (w₁ + w₂)·sin(tθ)/sin θ (Shoemake 1985). As θ → 0 these are w₁ and w₂, and so they are where
    a ΔW is 0 and there is no angle. Raises AdapterError for weights that name no point of the arc,
    and for opposite ΔWs, between which there are many arcs.
    """
    if min(w) < 0 or sum(w) == 0:
        raise AdapterError("SLERP goes from one ΔW to the other: no weight may be negative.")
    theta = math.acos(max(-1.0, min(1.0, cosine)))
    if 0 in norms or theta < PARALLEL:
        return w
    if math.pi - theta < PARALLEL:
        raise AdapterError("two ΔWs are opposite, and no arc leads from one to the other.")
    t = w[1] / sum(w)
    return tuple(sum(w) * math.sin(part * theta) / math.sin(theta) for part in (1 - t, t))
