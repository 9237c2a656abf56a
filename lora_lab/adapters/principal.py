"""Starts from a part of W: PiSSA's largest singular directions and OLoRA's first QR columns.

Both train A and B from A₀, B₀ with s·B₀·A₀ taken out of the frozen weight, so that the function is
kept: (W − s·B₀·A₀) + s·B₀·A₀ = W.
"""

from __future__ import annotations

import torch

from lora_lab.adapters.row_major import row_major
from lora_lab.adapters.widened import widened


def pissa(W: torch.Tensor, rank: int, scaling: float) -> tuple[torch.Tensor, torch.Tensor]:
    """A₀ = √(S/s)·Vᵀ (r × in), B₀ = U·√(S/s) (out × r) of the top r of W = U S Vᵀ.

    Meng et al. 2024, arXiv 2404.02948, eq. 2-4. What stays frozen has W's singular values from
    r + 1 on.
    """
    U, S, Vh = torch.linalg.svd(widened(W), full_matrices=False)
    root = (S[:rank] / scaling).sqrt()
    A, B = root[:, None] * Vh[:rank], U[:, :rank] * root
    return row_major(A.to(W)), row_major(B.to(W))


def olora(W: torch.Tensor, rank: int, scaling: float) -> tuple[torch.Tensor, torch.Tensor]:
    """A₀ = the first r rows of R (r × in), B₀ = the first r columns of Q (out × r), W = Q R.

    Büyükakyüz 2024, arXiv 2406.01775, §3; s is in neither factor, as in PEFT.
    """
    Q, R = torch.linalg.qr(widened(W))
    return row_major(R[:rank].to(W)), row_major(Q[:, :rank].to(W))
