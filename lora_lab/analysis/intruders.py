"""Intruder dimensions: strong directions of W + ΔW that resemble none of W's own."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from lora_lab.analysis.rank import numerical_rank
from lora_lab.analysis.subspace import Adapted, delta_directions, weight_of
from lora_lab.errors import AdapterError


@dataclass(frozen=True)
class Intruders:
    """The intruders among the first `checked` left singular vectors of W + ΔW, strongest first."""

    indices: tuple[int, ...]  # from 0: which singular vectors of W + ΔW they are
    similarity: tuple[float, ...]  # of each, the largest |cos| to any left singular vector of W
    sigma: tuple[float, ...]  # of each, its singular value in W + ΔW
    checked: int  # k, or less where W + ΔW has fewer directions


def intruder_dimensions(
    W: torch.Tensor, layer: Adapted, k: int = 10, epsilon: float = 0.5
) -> Intruders:
    """The j ≤ k with max_i |cos(U0[:, i], U_t[:, j])| < ε (Shuttleworth et al. 2024, algorithm 1).

    U0 are all left singular vectors of W (out × in), U_t those of W + ΔW; the absolute value is
    taken since the sign of a singular vector is arbitrary. All of U0 is needed: over a part of it
    the largest cosine is only a lower bound, and intruders would be over-reported. A direction
    outside the range of W has similarity 0: vectors of σ = 0 (to float64 rounding) are arbitrary
    and take no part, on either side. Where singular values of W coincide, its vectors are any
    basis of their space, and the similarity depends on the choice.

    For a click, never for a live plot: W + ΔW is formed and two dense float64 SVDs are made,
    seconds for 1024 × 1024 and eight times that for twice the size, and several matrices of W's
    size are held at once.

    Raises AdapterError where W or a factor is not finite, the shapes do not fit, k < 1, or ε is not
    in (0, 1].
    """
    W = weight_of(W, layer)
    if k < 1 or not 0 < epsilon <= 1:
        raise AdapterError(f"k must be at least 1 and ε in (0, 1], not {k} and {epsilon}.")
    U, sigma, Vh = delta_directions(layer)
    U_0, _ = _left(W, min(W.shape))
    U_t, sigma_t = _left(W + (U * sigma) @ Vh, k)
    if U_0.shape[1]:
        cosines = (U_0.mT @ U_t).abs().amax(0).clamp(max=1.0)  # (checked,)
    else:
        cosines = torch.zeros_like(sigma_t)
    intruders = torch.nonzero(cosines < epsilon)[:, 0]
    return Intruders(
        indices=tuple(intruders.tolist()),
        similarity=tuple(cosines[intruders].tolist()),
        sigma=tuple(sigma_t[intruders].tolist()),
        checked=sigma_t.numel(),
    )


def _left(M: torch.Tensor, most: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The first left singular vectors (out × p) and values (p,) of M; p ≤ most, none of σ = 0."""
    U, sigma, _ = torch.linalg.svd(M, full_matrices=False)
    p = min(most, numerical_rank(sigma.numpy(), (M.shape[0], M.shape[1]), "float64"))
    return U[:, :p], sigma[:p]
