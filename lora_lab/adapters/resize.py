"""Change rank or α of a live LoRA layer: ΔW kept, the optimizer's moments mapped.

The new factors are B' = B·M and A' = N·A; lora_lab.adapters.moments says what that means for the
optimizer. Directions that carry no ΔW start afresh: a random row of A beside a zero column of B,
because a zero row beside a zero column has no gradient for ever. In DoRA it is the change of
direction s·B·A that is kept or cut, and ΔW follows.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from lora_lab.adapters.lora import LoRALayer
from lora_lab.adapters.moments import MomentPair, carry_moments, scale_moments
from lora_lab.errors import AdapterError

NEGLIGIBLE = 1e-6  # σ/σ_1 below which a direction is noise and is started afresh


@dataclass(frozen=True)
class Resized:
    """What a change of rank did to one layer."""

    layer: LoRALayer
    old_rank: int
    new_rank: int
    discarded: float  # Σ_{i>r'} σ²/Σσ²: energy of ΔW that was cut away
    added: int  # directions r'-added … r'-1 start afresh


def resize(
    layer: LoRALayer,
    rank: int,
    scaling: float,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
) -> Resized:
    """Give `layer` another rank and scaling.

    s·B·A stays (growing) or is cut as Eckart and Young have it, and B is rescaled by s/s'. `rank`
    is capped at the layer's largest; one whose rank is locked takes the new scaling alone.
    `optimizer` may hold the layer's factors; its moments follow. Raises AdapterError for a rank
    below 1 and for factors that are not finite, which have no singular values.
    """
    if rank < 1:
        raise AdapterError(f"Layer {layer.name}: rank must be at least 1, not {rank}.")
    if not all(torch.isfinite(p).all() for p in layer.adapter_parameters()):
        raise AdapterError(f"Layer {layer.name}: its factors are not finite, so its rank stays.")
    old, new = layer.rank, min(rank, layer.max_rank)
    if "rank" in dict(layer.locked) or new == old:
        rescale(layer, scaling, True, optimizer)
        return Resized(layer, old, old, 0.0, 0)
    own = layer.to_rank(new, layer.scaling / scaling, optimizer, generator)
    if own is not None:
        layer.scaling = scaling
        return Resized(layer, old, new, own, 0)
    with torch.no_grad():
        if new > old:
            M, N, discarded, fresh = *_identity(layer), 0.0, new - old
        else:
            M, N, discarded = principal_maps(layer, new)
            fresh = new - M.shape[1]
        _transform(layer, M, N, layer.scaling / scaling, fresh, optimizer, generator)
    layer.scaling = scaling
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
            layer.carrier.mul_(c)
            if layer.starts_in_W:
                layer.start_B.mul_(c)
            scale_moments(optimizer, layer.carrier, c)
    layer.scaling = scaling


def _identity(layer: LoRALayer) -> tuple[torch.Tensor, torch.Tensor]:
    eye = torch.eye(layer.rank, dtype=torch.float64)
    return eye, eye


def principal_maps(layer: LoRALayer, rank: int) -> tuple[torch.Tensor, torch.Tensor, float]:
    """M (r × k), N (k × r) of the balanced truncated SVD, and the share of energy it discards.

    B = Q_B R_B, Aᵀ = Q_A R_A, R_B R_Aᵀ = U S Vᵀ. Balanced factors are B' = Q_B U √S and
    A' = √S Vᵀ Q_Aᵀ; since R_B⁻¹ U S = R_Aᵀ V, that is M = R_Aᵀ V/√S and N = Uᵀ R_B/√S, with no
    triangular inverse. Only directions above NEGLIGIBLE are kept, so k ≤ rank.
    """
    A = layer.lora_A.detach().cpu().double()  # (r, in)
    B = layer.lora_B.detach().cpu().double()  # (out, r)
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


def clip_maps(
    layer: LoRALayer, keep: int, ceiling: float
) -> tuple[torch.Tensor, torch.Tensor, int]:
    """M (r × k), N (k × r) that hold the first `keep` σ(ΔW) to `ceiling` and drop the others; k.

    B' = B·M and A' = N·A are balanced factors of U min(S, ceiling) Vᵀ, the nearest matrix whose σ
    obey the bound (in every unitarily invariant norm). Raises AdapterError where ΔW is zero and
    where no σ would be left.
    """
    if keep < 1 or not ceiling > 0:
        raise AdapterError(f"Layer {layer.name}: a clip must leave a direction and a σ above 0.")
    M, N, _ = principal_maps(layer, min(keep, layer.rank))
    if not M.shape[1]:
        raise AdapterError(f"Layer {layer.name}: ΔW is zero, so there is no σ to clip.")
    B = layer.lora_B.detach().cpu().double()
    sigma = abs(layer.scaling) * (B @ M).norm(dim=0).square()  # columns of B·M have the norm √S
    root = (sigma.clamp_max(ceiling) / sigma).sqrt()
    return M * root, N * root[:, None], M.shape[1]


def clip(
    layer: LoRALayer,
    keep: int,
    ceiling: float,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
) -> None:
    """Clip σ of a layer's ΔW; its rank stays, what was dropped starts afresh, moments follow."""
    if layer.locked:
        raise AdapterError(f"Layer {layer.name} cannot be clipped: {layer.locked[0][1]}.")
    with torch.no_grad():
        M, N, kept = clip_maps(layer, keep, ceiling)
        _transform(layer, M, N, 1.0, layer.rank - kept, optimizer, generator)


def _transform(
    layer: LoRALayer,
    M: torch.Tensor,
    N: torch.Tensor,
    c: float,
    fresh: int,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
) -> None:
    """B ← [c·B·M, 0], A ← [N·A; fresh rows], and the optimizer follows."""
    A, B = layer.lora_A, layer.lora_B
    wide = torch.float32 if A.device.type == "mps" else torch.float64
    M, N = M.to(A.device, wide), N.to(A.device, wide)
    rows, columns = layer.new_factors(fresh, generator)
    A_new = torch.cat([N @ A.to(wide), rows.to(wide)])
    B_new = torch.cat([c * (B.to(wide) @ M), columns.to(wide)], 1)
    layer.hold(A_new.to(A.dtype), B_new.to(B.dtype), B.requires_grad)
    carry_moments(optimizer, MomentPair(A, B), MomentPair(layer.lora_A, layer.lora_B), M, N, c)
