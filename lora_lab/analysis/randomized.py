"""Singular values of a dense ΔW by a seeded randomized SVD that states its error.

A ΔW without factors (full fine-tuning; DoRA, whose real ΔW is of full rank) has only its entries to
decompose. Whatever a random projection finds of them is judged in float64, so that a poor search (a
flat spectrum, float32, TF32) makes the stated error larger and never the statement false.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

# The largest min(out, in) that is decomposed as a whole. Measured on two cores, in milliseconds
# whole and randomized: 512² 19, 21; 768² 44, 35; 1024² 120, 78; 2048² 840, 270.
EXACT = 768
ITERATIONS = 4
PROBES, ALPHA, POWER = 10, 10.0, 8  # of the bound on ‖E‖; see _norm_bound


@dataclass(frozen=True)
class Spectrum:
    """The leading singular values of a ΔW, descending: sigma_i ≤ σ_i(ΔW) ≤ sigma_i + error_i.

    To rounding. All is nan where ΔW is not finite.
    """

    sigma: np.ndarray  # float64 (k,); where exact, all of them but those that are 0 by construction
    error: np.ndarray  # float64 (k,), absolute; 0 where exact
    exact: bool
    norm: float  # ‖ΔW‖_F, of all values and not of these alone


@torch.no_grad()
def dense_spectrum(M: torch.Tensor, k: int = 64, seed: int = 0) -> Spectrum:
    """σ of a dense M (out × in): all of them up to EXACT, else the first k by a randomized SVD.

    Q (out × 2k) spans the range of M·Ω after power iterations with a QR each (Halko, Martinsson &
    Tropp 2011, algorithms 4.4 and 5.1), and sigma = σ(QᵀM). Since Q has orthonormal columns, these
    are underestimates; with E = M − QQᵀM, MᵀM = (QᵀM)ᵀ(QᵀM) + EᵀE, and Weyl's inequality gives

        σ_i² ≤ sigma_i² + ‖E‖²
        σ_i ≤ max(sigma_i, √(sigma_{j+1}² + ‖E‖²)) + ‖E·V_j‖     for every j,

    where V_j are the first j right singular vectors of QᵀM: in M − E·V_j·V_jᵀ they split off, with
    the values sigma_1 … sigma_j, from a rest of norm ≤ √(sigma_{j+1}² + ‖E‖²). The least of these
    bounds makes the error; ‖E‖ is itself bounded, but for a probability of 1e-10. On a flat
    spectrum ‖E‖ is nearly sigma_i, and the error says so.

    On the CPU, with a generator of its own that leaves the global random state alone. The search
    for Q runs in float32, the rest in float64 on a float64 copy of M. M of any real dtype; costs 10
    products of M with 2k columns in float32, and 2 of them and 17 with 10 columns in float64.
    """
    M = M.detach().cpu().to(torch.float64, copy=True)
    whole = min(M.shape) <= max(EXACT, 2 * k)
    count = min(M.shape) if whole else k
    scale = float(M.abs().amax())
    if not math.isfinite(scale):
        nan = np.full(count, np.nan)
        return Spectrum(nan, nan, False, math.nan)
    if whole or scale == 0:
        sigma = torch.linalg.svdvals(M).numpy() if scale else np.zeros(count)
        return Spectrum(sigma, np.zeros(count), True, math.hypot(*sigma))

    M /= scale  # so that float32 neither overflows nor vanishes
    norm = float(torch.linalg.vector_norm(M))
    generator = torch.Generator().manual_seed(seed)
    Q = torch.linalg.qr(_range(M.float(), 2 * k, generator).double()).Q  # (out, q)
    P, R = torch.linalg.qr(M.mT @ Q)  # (in, q), (q, q): QᵀM = RᵀPᵀ has a (q × q) core
    U, sigma, Vh = torch.linalg.svd(R.mT)
    E_V = M @ (P @ Vh.mT) - Q @ (U * sigma)  # (out, q)
    missed = E_V.square().sum(0).cumsum(0).sqrt()  # (q,): ‖E·V_j‖ ≤ ‖E·V_j‖_F
    upper = _upper(sigma, missed, _norm_bound(M, Q, generator))
    rounding = max(M.shape) * torch.finfo(M.dtype).eps * norm
    error = (upper - sigma + rounding)[:k]
    return Spectrum(scale * sigma[:k].numpy(), scale * error.numpy(), False, scale * norm)


def _range(M: torch.Tensor, q: int, generator: torch.Generator) -> torch.Tensor:
    """Q (out × q) in float32, orthonormal to its rounding, near M's first left vectors."""
    with torch.autocast("cpu", enabled=False):
        Q = torch.linalg.qr(M @ torch.randn(M.shape[1], q, generator=generator)).Q
        for _ in range(ITERATIONS):
            Q = torch.linalg.qr(M.mT @ Q).Q  # (in, q)
            Q = torch.linalg.qr(M @ Q).Q  # (out, q)
    return Q


def _norm_bound(M: torch.Tensor, Q: torch.Tensor, generator: torch.Generator) -> float:
    """A number ≥ ‖E‖ for E = (I − QQᵀ)M, but for a probability of ALPHA^−PROBES = 1e-10.

    ‖G‖ ≤ α√(2/π)·max_i ‖G·ω_i‖ for Gaussian ω_1 … ω_r, but for a probability of α⁻ʳ (Halko et al.
    2011, lemma 4.1). G = (E·Eᵀ)ᵖ·E has the norm ‖E‖^(2p+1), so that the (2p+1)th root of the factor
    is all that is lost.
    """
    Y = torch.randn(M.shape[1], PROBES, generator=generator, dtype=M.dtype)
    log = math.log(ALPHA * math.sqrt(2 / math.pi))
    for turn in range(2 * POWER + 1):
        if turn % 2:
            Y = M.mT @ (Y - Q @ (Q.mT @ Y))  # Eᵀ·Y; projected anew, as Y may be mere rounding
        else:
            Y = M @ Y
            Y = Y - Q @ (Q.mT @ Y)
        size = float(torch.linalg.vector_norm(Y, dim=0).amax())
        if size == 0:
            return 0.0
        Y, log = Y / size, log + math.log(size)
    return math.exp(log / (2 * POWER + 1))


def _upper(sigma: torch.Tensor, missed: torch.Tensor, rest: float) -> torch.Tensor:
    """The least bound (q,) on σ_i from sigma (q,), missed_j ≥ ‖E·V_j‖ (q,) and rest ≥ ‖E‖."""
    following = torch.cat([sigma[1:], sigma.new_zeros(1)])  # sigma_{j+1}; 0 behind the last
    others = torch.hypot(following, sigma.new_tensor(rest))
    split = torch.maximum(sigma[:, None], others) + missed  # (i, j)
    return torch.minimum(torch.hypot(sigma, others[-1]), split.amin(1))
