"""Change rank or α of a live LoRA layer: ΔW kept, the optimizer's moments mapped.

With new factors B' = B·M and A' = N·A the gradients become g_B' = g_B·Nᵀ and g_A' = Mᵀ·g_A, so
Adam's first moments are mapped by the same matrices exactly, its second moments by their squares
(cross terms ignored). Directions that carry no ΔW start afresh: a random row of A beside a zero
column of B, because a zero row beside a zero column has no gradient for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from lora_lab.adapters.init import INITS
from lora_lab.adapters.lora import LoRALayer
from lora_lab.errors import AdapterError

NEGLIGIBLE = 1e-6  # σ/σ_1 below which a direction is noise and is started afresh


@dataclass(frozen=True)
class Resized:
    """What a change of rank did to one layer."""

    layer: LoRALayer
    old_rank: int
    new_rank: int
    discarded: float  # Σ_{i>r'} σ²/Σσ²: energy of ΔW that was cut away
    fresh: int  # directions r'-fresh … r'-1 start afresh


def resize(
    layer: LoRALayer,
    rank: int,
    alpha: float,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
) -> Resized:
    """Give `layer` another rank at the same α; ΔW stays (growing) or is cut as Eckart–Young has it.

    s = α/r moves to s' = α/rank, so B is rescaled by s/s'. `rank` is capped at min(out, in).
    `optimizer` may hold the layer's factors; its moments follow. Raises AdapterError for rank < 1.
    """
    if rank < 1:
        raise AdapterError(f"Layer {layer.name}: rank must be at least 1, not {rank}.")
    old, new = layer.rank, min(rank, *layer.shape)
    c = layer.scaling / (alpha / rank)
    with torch.no_grad():
        if new > old:
            M, N, discarded, fresh = *_identity(layer), 0.0, new - old
        elif new < old:
            M, N, discarded = _principal(layer, new)
            fresh = new - M.shape[1]
        else:
            M, N, discarded, fresh = *_identity(layer), 0.0, 0
        _transform(layer, M, N, c, fresh, optimizer, generator)
    layer.scaling = alpha / rank
    return Resized(layer, old, new, discarded, fresh)


def rescale(
    layer: LoRALayer,
    scaling: float,
    keep_function: bool,
    optimizer: torch.optim.Optimizer,
) -> None:
    """Set s. "Scale the effect": ΔW follows. "Keep the function": B ← B·s/s', so ΔW stays and from
    here on B moves s'/s times as far per step: α becomes a learning rate of B."""
    if keep_function:
        c = layer.scaling / scaling
        with torch.no_grad():
            layer.lora_B.mul_(c)
            _scale_moments(optimizer, layer.lora_B, c)
    layer.scaling = scaling


def _identity(layer: LoRALayer) -> tuple[torch.Tensor, torch.Tensor]:
    eye = torch.eye(layer.rank, dtype=torch.float64)
    return eye, eye


def _principal(layer: LoRALayer, rank: int) -> tuple[torch.Tensor, torch.Tensor, float]:
    """M (r × k), N (k × r) of the balanced truncated SVD, and the share of energy it discards.

    B = Q_B R_B, Aᵀ = Q_A R_A, R_B R_Aᵀ = U S Vᵀ. Balanced factors are B' = Q_B U √S and
    A' = √S Vᵀ Q_Aᵀ; since R_B⁻¹ U S = R_Aᵀ V, that is M = R_Aᵀ V/√S and N = Uᵀ R_B/√S, with no
    triangular inverse. Only directions above NEGLIGIBLE are kept, so k ≤ rank.
    """
    A = layer.lora_A.detach().to("cpu", torch.float64)  # (r, in)
    B = layer.lora_B.detach().to("cpu", torch.float64)  # (out, r)
    R_B = torch.linalg.qr(B, mode="r").R
    R_A = torch.linalg.qr(A.T, mode="r").R
    U, S, Vh = torch.linalg.svd(R_B @ R_A.T)
    energy = S.square()
    total = float(energy.sum())
    discarded = float(energy[rank:].sum()) / total if total > 0 else 0.0
    kept = min(rank, int((NEGLIGIBLE * S[0] < S).sum())) if total > 0 else 0
    root = S[:kept].sqrt()
    M = R_A.T @ Vh[:kept].T / root
    N = (R_B.T @ U[:, :kept] / root).T
    return M, N, discarded


def _transform(
    layer: LoRALayer,
    M: torch.Tensor,
    N: torch.Tensor,
    c: float,
    fresh: int,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
) -> None:
    """B ← [c·B·M, 0], A ← [N·A; fresh rows], with the moments mapped alike."""
    A, B = layer.lora_A, layer.lora_B
    rank = M.shape[1] + fresh
    rows = INITS[layer.init](fresh, A.shape[1], rank, generator).to(A.device, torch.float64)
    M, N = M.to(A.device, _wide(A)), N.to(A.device, _wide(A))
    A_new = torch.cat([N @ A.to(N.dtype), rows.to(N.dtype)])
    B_new = torch.cat([c * (B.to(M.dtype) @ M), B.new_zeros(B.shape[0], fresh, dtype=M.dtype)], 1)
    layer.lora_A = nn.Parameter(A_new.to(A.dtype))
    layer.lora_B = nn.Parameter(B_new.to(B.dtype))
    _replace(optimizer, A, layer.lora_A, lambda m, P: P.T @ m, M, 0, fresh, 1.0)
    _replace(optimizer, B, layer.lora_B, lambda m, P: m @ P.T, N, 1, fresh, 1 / c)


def _wide(A: torch.Tensor) -> torch.dtype:
    """float64 where the device has it."""
    return torch.float32 if A.device.type == "mps" else torch.float64


def _replace(
    optimizer: torch.optim.Optimizer,
    old: nn.Parameter,
    new: nn.Parameter,
    mapping: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    P: torch.Tensor,
    dim: int,
    fresh: int,
    factor: float,
) -> None:
    """Put `new` in the place of `old` in `optimizer`, with its state mapped."""
    for group in optimizer.param_groups:
        group["params"] = [new if p is old else p for p in group["params"]]
    state = optimizer.state.pop(old, None)
    if not state:
        return
    moved = dict(state)
    for key, power in (("exp_avg", 1), ("exp_avg_sq", 2), ("momentum_buffer", 1)):
        if torch.is_tensor(state.get(key)):
            mapped = mapping(state[key].to(P.dtype), P**power) * factor**power
            # A fresh direction takes the mean second moment: with zero, Adam's bias correction
            # (its step count is the tensor's, not the column's) would make a 3-fold first step.
            fill = float(mapped.mean()) if power == 2 and mapped.numel() else 0.0
            shape = list(mapped.shape)
            shape[dim] = fresh
            padding = mapped.new_full(shape, fill)
            moved[key] = torch.cat([mapped, padding], dim).to(new.dtype).contiguous()
    optimizer.state[new] = moved


def _scale_moments(optimizer: torch.optim.Optimizer, p: nn.Parameter, c: float) -> None:
    """p ← c·p divides its gradient by c."""
    state = optimizer.state.get(p, {})
    for key, factor in (("exp_avg", 1 / c), ("exp_avg_sq", 1 / c**2), ("momentum_buffer", 1 / c)):
        if torch.is_tensor(state.get(key)):
            state[key].mul_(factor)
