"""Adam's moments under a change of factors B' = c·B·M, A' = N·A.

The gradients become g_B' = g_B·Nᵀ/c and g_A' = Mᵀ·g_A, and so do the first moments, exactly. The
second moments are no linear function of the old ones: squaring the maps would leave out their cross
terms, which nearly cancel in weak directions, and would inflate v at every cut until nothing moves.
They are estimated from what the gradients are made of instead. With G = ∂L/∂W,

    g_A[k, i] = s·Σ_o B[o, k]·G[o, i]     so     v_A[k, i] ≈ s²·‖B[:, k]‖²·w_i,
    g_B[o, k] = s·Σ_i G[o, i]·A[k, i]     so     v_B[o, k] ≈ s²·‖A[k, :]‖²·u_o,

where w and u, the mean squares of G per column and row, are fitted to the old v by least squares.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn

from lora_lab.adapters.row_major import row_major

FIRST = {"exp_avg", "momentum_buffer"}  # running sums of gradients, in Adam and in SGD
SECOND = "exp_avg_sq"


class MomentPair(NamedTuple):
    """The factors of a layer: A (r × in), B (out × r); an A that is frozen is no parameter."""

    A: torch.Tensor
    B: nn.Parameter


def carry_moments(
    optimizer: torch.optim.Optimizer,
    old: MomentPair,
    new: MomentPair,
    M: torch.Tensor,
    N: torch.Tensor,
    c: float,
) -> None:
    """Put `new` in the place of `old` in `optimizer`, with what it keeps of them mapped.

    M is (r × k), N is (k × r); the r' − k directions of `new` behind them are fresh. Where M is
    the identity (growing), the second moments of the old directions are kept as they are.
    """
    for group in optimizer.param_groups:
        group["params"] = [
            new.A if p is old.A else new.B if p is old.B else p for p in group["params"]
        ]
    state_A, state_B = (optimizer.state.pop(p, None) or {} for p in old)
    if not state_B or not (state_A or not isinstance(old.A, nn.Parameter)):
        return  # no step was made yet
    if getattr(optimizer, "by_factors", False):
        return  # its averages are of no gradient, and begin anew
    averages = getattr(optimizer, "averages", dict)  # of an optimizer that keeps them packed
    state_A, state_B = averages(state_A), averages(state_B)
    kept, fresh = M.shape[1], new.A.shape[0] - M.shape[1]
    new_A, new_B = dict(state_A), dict(state_B)
    for key in FIRST:  # each factor by itself: one optimizer may keep other averages of B than of A
        if (m_A := state_A.get(key)) is not None:  # None: SGD before its first step with momentum
            m_A = M.T @ m_A.to(M.dtype)
            m_A = torch.cat([m_A, m_A.new_zeros(fresh, m_A.shape[1])])
            new_A[key] = _like(m_A, new.A)
        if (m_B := state_B.get(key)) is not None:
            m_B = m_B.to(M.dtype) @ N.T / c
            m_B = torch.cat([m_B, m_B.new_zeros(m_B.shape[0], fresh)], 1)
            new_B[key] = _like(m_B, new.B)
    A, B, A_new, B_new = (p.detach().to(M.dtype) for p in (*old, *new))
    if (v_A := state_A.get(SECOND)) is not None:
        new_A[SECOND] = _like(_second_moment(v_A.to(M.dtype), B.T, B_new.T / c, kept), new.A)
    if (v_B := state_B.get(SECOND)) is not None:
        v_B = _second_moment(v_B.T.to(M.dtype), A, A_new, kept).T / c**2
        new_B[SECOND] = _like(v_B, new.B)
    kept_as = getattr(optimizer, "kept", dict)
    optimizer.state[new.B] = kept_as(new_B)
    if new_A:  # a frozen A has none
        optimizer.state[new.A] = kept_as(new_A)


def _second_moment(
    v: torch.Tensor, other: torch.Tensor, new: torch.Tensor, kept: int
) -> torch.Tensor:
    """v (r' × n) of a factor of which v (r × n) is known, as the module's text has it.

    `other` (r × m) is the other factor, `new` (r' × m) what comes of it.
    """
    same = kept if kept == len(other) else 0
    guess = torch.outer(new.square().sum(1), _per_entry(v, other.square().sum(1)))
    guess[:same] = v[:same]
    if kept and kept < len(new) and not new[kept:].any():
        # Where one factor's fresh directions are zero, the other's would begin with v = 0 and make
        # Adam's bias correction, which counts the tensor's steps and not the row's, a 3-fold step.
        guess[kept:] = guess[:kept].mean()
    return guess


def carry_block(
    optimizer: torch.optim.Optimizer, old: nn.Parameter, new: nn.Parameter, c: float
) -> None:
    """Put `new`, c·`old` where both have an entry, in its place; its gradient is that of old / c.

    Entries that are new have no history: their first moment is 0, and their second the mean of the
    others', since with 0 the first step would be threefold.
    """
    for group in optimizer.param_groups:
        group["params"] = [new if p is old else p for p in group["params"]]
    averages, kept_as = (getattr(optimizer, name, dict) for name in ("averages", "kept"))
    state = averages(optimizer.state.pop(old, None) or {})  # floats, where they are kept packed
    common = tuple(slice(0, min(a, b)) for a, b in zip(old.shape, new.shape, strict=True))
    for key in (FIRST | {SECOND}) & state.keys():
        if state[key] is not None:
            fill = float(state[key][common].mean()) if key == SECOND else 0.0
            moment = torch.full_like(new, fill, requires_grad=False)
            moment[common] = state[key][common]
            state[key] = moment.div_(c**2 if key == SECOND else c)
    if state:
        optimizer.state[new] = kept_as(state)


def scale_moments(optimizer: torch.optim.Optimizer, p: nn.Parameter, c: float) -> None:
    """p ← c·p divides its gradient by c, and so its moments."""
    state = optimizer.state.get(p) or {}
    for key in FIRST | {SECOND}:
        for part in (key, f"{key}_scales"):  # of what is packed in blocks, their scales
            if state.get(part) is not None:
                state[part].div_(c**2 if key == SECOND else c)


def _per_entry(v: torch.Tensor, norms: torch.Tensor) -> torch.Tensor:
    """The least-squares w (n) of v[k, i] = norms[k]·w[i], for v (r × n) and norms (r).

    Rows that are fresh have a norm near zero and a v that was filled in: they have no say.
    """
    return norms @ v / norms.square().sum().clamp_min(torch.finfo(v.dtype).tiny)


def _like(moment: torch.Tensor, p: nn.Parameter) -> torch.Tensor:
    return row_major(moment.to(p.dtype))
