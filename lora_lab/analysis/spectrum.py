"""Singular values of ΔW: from its factors, without ever forming ΔW, wherever it has them.

B = Q_B R_B and Aᵀ = Q_A R_A give B·A = Q_B (R_B R_Aᵀ) Q_Aᵀ, so σ(ΔW) = s·σ(R_B R_Aᵀ), an (r × r)
problem: 2r²(out + in) operations where a dense SVD needs about 4·out·in·min(out, in). Unlike the
eigenvalues of a Gram matrix this loses nothing below √eps·σ_1. lora_lab.analysis.randomized takes
what has no factors.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable

import numpy as np
import torch

from lora_lab.adapters import AdapterLayer
from lora_lab.adapters.weights import LayerWeights
from lora_lab.analysis.randomized import Spectrum, dense_spectrum

CANCELLED = 8.0  # in units of eps·Σ‖a_k‖‖b_k‖; fresh PiSSA and OLoRA layers reached 2.2


@torch.no_grad()
def factor_sigma(A: torch.Tensor, B: torch.Tensor, scaling: torch.Tensor | float) -> torch.Tensor:
    """σ(s·B·A), descending, for A (…, r, in), B (…, out, r), s () or (…).

    Returns float64 (…, min(r, out, in)) on the CPU, nan where a factor is not finite. Factors in
    half precision are widened first, since QR has no kernel for them; the small core is multiplied
    and decomposed in float64, so that neither autocast nor TF32 touches it. All are 0 where the
    product is nothing but rounding.
    """
    A, B = _wide(A.detach()), _wide(B.detach())
    if A.device.type == "mps":  # whose QR takes hundreds of times as long, or is none
        A, B = A.cpu(), B.cpu()
    R_A = torch.linalg.qr(A.mT, mode="r").R.cpu().double()  # (…, r, r)
    R_B = torch.linalg.qr(B, mode="r").R.cpu().double()
    core = R_B @ R_A.mT
    bad = ~torch.isfinite(core).all(-1).all(-1)  # svdvals would refuse the whole batch
    sigma = torch.linalg.svdvals(core.masked_fill(bad[..., None, None], 0.0))
    # Where the terms b_k·a_kᵀ cancel to rounding, as PiSSA's do before any training, ΔW is 0.
    terms = (R_A.norm(dim=-2) * R_B.norm(dim=-2)).sum(-1)  # Σ_k ‖a_k‖·‖b_k‖
    eps = max(torch.finfo(A.dtype).eps, torch.finfo(B.dtype).eps)
    sigma.masked_fill_((sigma[..., 0] <= CANCELLED * eps * terms)[..., None], 0.0)
    sigma.masked_fill_(bad[..., None], float("nan"))
    return sigma * torch.as_tensor(scaling, dtype=torch.float64).abs().unsqueeze(-1)


def _wide(M: torch.Tensor) -> torch.Tensor:
    return M if M.dtype in (torch.float32, torch.float64) else M.float()


@torch.no_grad()
def stated_spectra(layers: Iterable[AdapterLayer | LayerWeights]) -> list[Spectrum]:
    """σ(ΔW) of each layer in order, with its error and ‖ΔW‖_F.

    With factors: all r values, exact; layers of equal shape and rank go in one batch. Without them
    (full fine-tuning, DoRA): `dense_spectrum` of ΔW, which in a large layer is of the first values
    only and has an error. Of LayerWeights it is s·B·A, also where there is a DoRA magnitude.
    """
    layers = list(layers)
    result: dict[int, Spectrum] = {}
    alike: dict[tuple, list[tuple]] = defaultdict(list)
    for index, layer in enumerate(layers):
        factors = _factors(layer)
        if factors is None:
            with torch.autocast(layer.device.type, enabled=False):
                result[index] = dense_spectrum(layer.delta_weight())
        else:
            A, B, _ = factors
            alike[A.shape, B.shape, A.dtype, B.dtype, A.device].append((index, *factors))
    for members in alike.values():
        indices, A, B, scaling = zip(*members, strict=True)
        s = torch.tensor(scaling, dtype=torch.float64)
        sigma = factor_sigma(torch.stack(A), torch.stack(B), s)
        norms = torch.linalg.vector_norm(sigma, dim=-1).tolist()
        for index, values, norm in zip(indices, sigma.numpy(), norms, strict=True):
            result[index] = Spectrum(values, 0 * values, not math.isnan(norm), norm)
    return [result[index] for index in range(len(layers))]


def spectra(layers: Iterable[AdapterLayer | LayerWeights]) -> list[np.ndarray]:
    """σ(ΔW) of each layer in order, descending, float64: the values of `stated_spectra` alone."""
    return [spectrum.sigma for spectrum in stated_spectra(layers)]


def _factors(
    layer: AdapterLayer | LayerWeights,
) -> tuple[torch.Tensor, torch.Tensor, float] | None:
    """A (r × in), B (out × r) and s of a layer's ΔW = s·B·A; None where it has no factors."""
    if isinstance(layer, LayerWeights):
        return layer.lora_A, layer.lora_B, layer.scaling
    return layer.factors()
