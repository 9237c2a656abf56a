"""How much ΔW amplifies directions that W hardly uses, beside the two controls of LoRA's table 7.

Float64 on the CPU throughout, as in `subspace`; of the SVD of ΔW only its (r × r) core is computed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from lora_lab.analysis.subspace import Adapted, as_matrix, delta_directions, weight_of
from lora_lab.errors import AdapterError


@dataclass(frozen=True)
class Amplification:
    """One layer's row of LoRA's table 7; all but the two norms are nan where ΔW = 0."""

    factor: float  # ‖ΔW‖_F / ‖UᵀWV‖_F, U and V from the SVD of ΔW; nan where W has nothing there
    delta_norm: float  # ‖ΔW‖_F
    weight_norm: float  # ‖W‖_F
    projection: float  # ‖UᵀWV‖_F: what W itself does in the directions of ΔW
    top_of_W: float  # the same with W's own top directions: the most that it can be
    random: float  # the same with random directions, root mean square: √E‖UᵀWV‖_F²
    rank: int  # how many directions U and V have: the numerical rank of ΔW


def random_projection(rank: int, shape: tuple[int, int], weight_norm: float) -> float:
    """√E‖UᵀWV‖_F² = r/√(out·in)·‖W‖_F for random orthonormal U (out × r) and V (in × r).

    The "random" column of LoRA's table 7 in closed form, by rotation invariance of both sides.
    """
    return rank / math.sqrt(shape[0] * shape[1]) * weight_norm


def amplification(
    W: torch.Tensor, layer: Adapted, sigma_W: np.ndarray | torch.Tensor | None = None
) -> Amplification:
    """The amplification factor of a layer's ΔW over its frozen W (out × in): LoRA §7.3, app. H.4.

    factor = ‖ΔW‖_F / ‖UᵀWV‖_F with the singular vectors U (out × r), V (in × r) of ΔW = s·B·A; not
    how much larger the output becomes, but how far ΔW exceeds what W had in its directions. The
    control top_of_W is √Σ_{i≤r} σ_i(W)²; near it, ΔW would only repeat W's strongest directions;
    near `random` it has no relation to W. r is the numerical rank of ΔW, so that all is gauge
    invariant. nan, never infinite, where ΔW = 0 (before the first step) and where ‖UᵀWV‖_F is
    rounding (≤ max(out, in)·eps·‖W‖_F).

    Costs r·out·in, a float64 copy of W unless it is one on the CPU, and for top_of_W the
    singular values of W: seconds at 2048 × 2048. W never changes, so compute them once and pass
    them as sigma_W (min(out, in),), in any order.

    Raises AdapterError where W, a factor or sigma_W is not finite, or their shapes do not fit.
    """
    W = weight_of(W, layer)
    shape = (W.shape[0], W.shape[1])
    U, sigma, Vh = delta_directions(layer)
    rank = sigma.numel()
    weight_norm = float(torch.linalg.vector_norm(W))
    if rank == 0:
        nan = float("nan")
        return Amplification(nan, 0.0, weight_norm, nan, nan, nan, 0)

    delta_norm = math.hypot(*sigma.tolist())  # tiny values do not vanish when squared
    projection = float(torch.linalg.vector_norm(U.mT @ W @ Vh.mT))  # (r × r)
    rounding = max(shape) * float(np.finfo(np.float64).eps) * weight_norm
    return Amplification(
        factor=delta_norm / projection if projection > rounding else float("nan"),
        delta_norm=delta_norm,
        weight_norm=weight_norm,
        projection=projection,
        top_of_W=_top(W, sigma_W, rank, layer.name),
        random=random_projection(rank, shape, weight_norm),
        rank=rank,
    )


def _top(W: torch.Tensor, sigma_W: np.ndarray | torch.Tensor | None, rank: int, name: str) -> float:
    """√Σ_{i≤rank} σ_i(W)²."""
    if sigma_W is None:
        return math.hypot(*torch.linalg.svdvals(W)[:rank].tolist())
    sigma = as_matrix(torch.as_tensor(sigma_W).reshape(1, -1), f"Layer {name}: sigma_W")[0]
    if sigma.numel() != min(W.shape):
        raise AdapterError(
            f"Layer {name}: sigma_W has {sigma.numel()} values, but W has {min(W.shape)}."
        )
    return math.hypot(*sigma.topk(rank).values.tolist())
