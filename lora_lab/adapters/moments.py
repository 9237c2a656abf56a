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

FIRST = {"exp_avg", "momentum_buffer"}  # running sums of gradients, in Adam and in SGD
SECOND = "exp_avg_sq"


class MomentPair(NamedTuple):
    """The two trained tensors of a layer: A (r × in), B (out × r)."""

    A: nn.Parameter
    B: nn.Parameter


def carry_moments(
    optimizer: torch.optim.Optimizer,
    old: MomentPair,
    new: MomentPair,
    M: torch.Tensor,
    N: torch.Tensor,
    c: float,
) -> None:
    """Put `new` in the place of `old` in `optimizer`, with Adam's or SGD's state mapped.

    M is (r × k), N is (k × r); the r' − k directions of `new` behind them are fresh. Where M is
    the identity (growing), the second moments of the old directions are kept as they are.
    """
    for group in optimizer.param_groups:
        group["params"] = [
            new.A if p is old.A else new.B if p is old.B else p for p in group["params"]
        ]
    state_A, state_B = optimizer.state.pop(old.A, None), optimizer.state.pop(old.B, None)
    if not state_A or not state_B:
        return  # no step was made yet
    kept, fresh = M.shape[1], new.A.shape[0] - M.shape[1]
    new_A, new_B = dict(state_A), dict(state_B)
    for key in FIRST & state_A.keys() & state_B.keys():
        if state_A[key] is None or state_B[key] is None:
            continue  # SGD before its first step with momentum
        m_A, m_B = state_A[key].to(M.dtype), state_B[key].to(M.dtype)
        m_A = torch.cat([M.T @ m_A, m_A.new_zeros(fresh, m_A.shape[1])])
        m_B = torch.cat([m_B @ N.T / c, m_B.new_zeros(m_B.shape[0], fresh)], 1)
        new_A[key], new_B[key] = _like(m_A, new.A), _like(m_B, new.B)
    if SECOND in state_A and SECOND in state_B:
        v_A, v_B = _second_moments(state_A[SECOND], state_B[SECOND], old, new, kept, c, M.dtype)
        new_A[SECOND], new_B[SECOND] = _like(v_A, new.A), _like(v_B, new.B)
    optimizer.state[new.A], optimizer.state[new.B] = new_A, new_B


def _second_moments(
    v_A: torch.Tensor,
    v_B: torch.Tensor,
    old: MomentPair,
    new: MomentPair,
    kept: int,
    c: float,
    wide: torch.dtype,
) -> tuple[torch.Tensor, torch.Tensor]:
    """v of the new factors, as the module's text has it."""
    A, B, A_new, B_new, v_A, v_B = (p.detach().to(wide) for p in (*old, *new, v_A, v_B))
    same = kept if kept == len(A) else 0
    w = _per_entry(v_A, B.square().sum(0))  # (in,)
    u = _per_entry(v_B.T, A.square().sum(1))  # (out,)
    v_B = _guess(u, A_new, v_B, same).T / c**2
    v_A = _guess(w, B_new.T / c, v_A.T, same)
    if kept and kept < len(A_new):
        # Where one factor's fresh directions are zero, the other's would begin with v = 0 and make
        # Adam's bias correction, which counts the tensor's steps and not the row's, a 3-fold step.
        if not B_new[:, kept:].any():
            v_A[kept:] = v_A[:kept].mean()
        if not A_new[kept:].any():
            v_B[:, kept:] = v_B[:, :kept].mean()
    return v_A, v_B


def scale_moments(optimizer: torch.optim.Optimizer, p: nn.Parameter, c: float) -> None:
    """p ← c·p divides its gradient by c, and so its moments."""
    state = optimizer.state.get(p) or {}
    for key in FIRST | {SECOND}:
        if state.get(key) is not None:
            state[key].div_(c**2 if key == SECOND else c)


def _per_entry(v: torch.Tensor, norms: torch.Tensor) -> torch.Tensor:
    """The least-squares w (n) of v[k, i] = norms[k]·w[i], for v (r × n) and norms (r).

    Rows that are fresh have a norm near zero and a v that was filled in: they have no say.
    """
    return norms @ v / norms.square().sum().clamp_min(torch.finfo(v.dtype).tiny)


def _guess(
    per_entry: torch.Tensor, other: torch.Tensor, v: torch.Tensor, same: int
) -> torch.Tensor:
    """v (r' × n) from the other factor's rows (r' × …); the first `same` rows are kept from v."""
    guess = torch.outer(other.square().sum(1), per_entry)
    if same:
        guess[:same] = v.T[:same]
    return guess


def _like(moment: torch.Tensor, p: nn.Parameter) -> torch.Tensor:
    return moment.to(p.dtype).contiguous()
