"""Singular values of ΔW from its factors, without ever forming ΔW.

B = Q_B R_B and Aᵀ = Q_A R_A give B·A = Q_B (R_B R_Aᵀ) Q_Aᵀ, so σ(ΔW) = s·σ(R_B R_Aᵀ), an (r × r)
problem: 2r²(out + in) operations where a dense SVD needs about 4·out·in·min(out, in). Unlike the
eigenvalues of a Gram matrix this loses nothing below √eps·σ_1.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np
import torch

from lora_lab.adapters import AdapterLayer, LoRALayer
from lora_lab.adapters.weights import LayerWeights


@torch.no_grad()
def factor_sigma(A: torch.Tensor, B: torch.Tensor, scaling: torch.Tensor | float) -> torch.Tensor:
    """σ(s·B·A), descending, for A (…, r, in), B (…, out, r), s () or (…); r ≤ min(out, in).

    Returns float64 (…, r) on the CPU, nan where a factor is not finite. Half-precision factors
    are widened first, since QR has no kernel for them; the small core is multiplied and
    decomposed in float64, so that neither autocast nor TF32 touches it.
    """
    A, B = A.detach(), B.detach()
    if A.dtype not in (torch.float32, torch.float64):
        A, B = A.float(), B.float()
    with torch.autocast(A.device.type, enabled=False):
        R_A = torch.linalg.qr(A.mT, mode="r").R.to("cpu", torch.float64)  # (…, r, r)
        R_B = torch.linalg.qr(B, mode="r").R.to("cpu", torch.float64)
        core = R_B @ R_A.mT
        bad = ~torch.isfinite(core).all(-1).all(-1)  # svdvals would refuse the whole batch
        sigma = torch.linalg.svdvals(core.masked_fill(bad[..., None, None], 0.0))
        sigma.masked_fill_(bad[..., None], float("nan"))
    return sigma * torch.as_tensor(scaling, dtype=torch.float64).abs().unsqueeze(-1)


@torch.no_grad()
def spectra(layers: Iterable[AdapterLayer | LayerWeights]) -> list[np.ndarray]:
    """σ(ΔW) of each layer in order, descending; layers of equal shape and rank go in one batch.

    Layers without factors (full fine-tuning) take a dense SVD of their ΔW.
    """
    layers = list(layers)
    result: list[np.ndarray | None] = [None] * len(layers)
    alike: dict[tuple, list[int]] = defaultdict(list)
    for index, layer in enumerate(layers):
        if isinstance(layer, LoRALayer | LayerWeights):
            A = layer.lora_A
            alike[(*layer.shape, layer.rank, A.device, A.dtype)].append(index)
        else:
            result[index] = (
                torch.linalg.svdvals(layer.delta_weight().float()).double().cpu().numpy()
            )
    for members in alike.values():
        A = torch.stack([layers[i].lora_A.detach() for i in members])
        B = torch.stack([layers[i].lora_B.detach() for i in members])
        scaling = torch.tensor([layers[i].scaling for i in members], dtype=torch.float64)
        for index, sigma in zip(members, factor_sigma(A, B, scaling).numpy(), strict=True):
            result[index] = sigma
    return [sigma for sigma in result if sigma is not None]
