"""How much ΔW amplifies directions that W hardly uses: LoRA's table 7, in three columns.

Float64 on the CPU throughout, as in `subspace`; of the SVD of ΔW only its (r × r) core is computed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from lora_lab.analysis.randomized import dense_spectrum
from lora_lab.analysis.subspace import Adapted, delta_directions, weight_of


@dataclass(frozen=True)
class Amplification:
    """‖UᵀWV‖_F with U and V of ΔW, of W and at random, all of p directions; norms; the factor.

    nan where ΔW = 0: then it has no directions.
    """

    rank: int  # p, the numerical rank of ΔW
    in_delta: float
    in_own: float
    in_random: float  # √E‖UᵀWV‖² = p·‖W‖/√(out·in)
    delta_norm: float
    weight_norm: float
    rounding: float  # of ‖UᵀWV‖

    @property
    def factor(self) -> float:
        """‖ΔW‖_F / ‖UᵀWV‖_F; never infinite: nan where the latter is rounding."""
        return self.delta_norm / self.in_delta if self.in_delta > self.rounding else math.nan

    @property
    def over_random(self) -> float:
        """How much more of W lies in ΔW's directions than in random ones."""
        return self.in_delta / self.in_random if self.in_random > 0 else math.nan


def amplified(W: torch.Tensor, layer: Adapted, own: np.ndarray | None = None) -> Amplification:
    """The columns of LoRA's table 7 (§7.3, app. H.4) for a layer's ΔW over its frozen W (out × in).

    U (out × p) and V (in × p) are the singular vectors of ΔW = s·B·A down to its numerical rank, so
    that all is gauge invariant. `own` are σ(W), falling, where they are known already. Costs
    p·out·in, and where `own` is not given the leading σ of W.

    Raises AdapterError where W or a factor is not finite, or their shapes do not fit.
    """
    W = weight_of(W, layer)
    weight_norm = float(torch.linalg.vector_norm(W))
    rounding = max(W.shape) * float(np.finfo(np.float64).eps) * weight_norm
    U, sigma, Vh = delta_directions(layer)
    p = sigma.numel()
    if p == 0:
        return Amplification(0, math.nan, math.nan, math.nan, 0.0, weight_norm, rounding)
    own = leading(W, p) if own is None else own
    return Amplification(
        rank=p,
        in_delta=float(torch.linalg.vector_norm(U.mT @ W @ Vh.mT)),  # of an (p × p)
        in_own=math.hypot(*own[:p].tolist()),
        in_random=p * weight_norm / math.sqrt(W.numel()),
        delta_norm=math.hypot(*sigma.tolist()),  # tiny values do not vanish when squared
        weight_norm=weight_norm,
        rounding=rounding,
    )


def leading(W: torch.Tensor, count: int) -> np.ndarray:
    """The first σ of W, float64: exact for what is small, else as a randomized SVD has them."""
    return dense_spectrum(W, count).sigma[:count]


def amplification(W: torch.Tensor, layer: Adapted) -> float:
    """The amplification factor alone; nan, never infinite, where ΔW = 0 or W has nothing there."""
    return amplified(W, layer, np.zeros(0)).factor
