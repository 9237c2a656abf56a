"""How much ΔW amplifies directions that W hardly uses: the factor of LoRA's table 7.

Float64 on the CPU throughout, as in `subspace`; of the SVD of ΔW only its (r × r) core is computed.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from lora_lab.analysis.subspace import Adapted, delta_directions, weight_of


def amplification(W: torch.Tensor, layer: Adapted) -> float:
    """The amplification factor of a layer's ΔW over its frozen W (out × in): LoRA §7.3, app. H.4.

    factor = ‖ΔW‖_F / ‖UᵀWV‖_F with the singular vectors U (out × r), V (in × r) of ΔW = s·B·A; not
    how much larger the output becomes, but how far ΔW exceeds what W had in its directions. r is
    the numerical rank of ΔW, so that the factor is gauge invariant. nan, never infinite, where
    ΔW = 0 (before the first step) and where ‖UᵀWV‖_F is rounding (≤ max(out, in)·eps·‖W‖_F).

    Costs r·out·in, and a float64 copy of W unless it is one on the CPU. Raises AdapterError where W
    or a factor is not finite, or their shapes do not fit.
    """
    W = weight_of(W, layer)
    U, sigma, Vh = delta_directions(layer)
    if sigma.numel() == 0:
        return math.nan
    delta_norm = math.hypot(*sigma.tolist())  # tiny values do not vanish when squared
    inside = float(torch.linalg.vector_norm(U.mT @ W @ Vh.mT))  # of an (r × r)
    rounding = max(W.shape) * float(np.finfo(np.float64).eps) * float(torch.linalg.vector_norm(W))
    return delta_norm / inside if inside > rounding else math.nan
