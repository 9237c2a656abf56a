"""Change the dimension d of a random subspace in mid-run: ΔW kept, the optimizer's moments mapped.

Where d′ is a multiple of d the new subspace holds the old one, and ΔW stays exactly; else it
becomes the nearest that the new one holds, P′·P′ᵀ·ΔW. The gradient of θ is Pᵀ·G, so what is known
of G by its first moment m is P·m, and the new one P′ᵀ·P·m; second moments are dealt out by the
weights that old and new numbers have in common, so that doubling and halving again brings the old
ones back.
"""

from __future__ import annotations

import torch
from torch import nn

from lora_lab.adapters.moments import FIRST, SECOND
from lora_lab.adapters.space import Subspace
from lora_lab.adapters.widened import widened
from lora_lab.errors import AdapterError


@torch.no_grad()
def resize_subspace(space: Subspace, dimension: int, optimizer: torch.optim.Optimizer) -> float:
    """Give `space` the dimension d′; returns the share of ‖ΔW‖² that is lost.

    `optimizer` may hold θ; its moments follow. Raises AdapterError, with nothing changed, for a θ
    that is not finite and for a d′ that the layers have no room for.
    """
    for _, reason in space.locked:
        raise AdapterError(f"The dimension of the subspace stays: {reason}.")
    old = space.theta
    if not torch.isfinite(old).all():
        raise AdapterError("θ is not finite, so the dimension of the subspace stays.")
    if not 1 <= dimension <= space.total:
        raise AdapterError(f"d must be from 1 to {space.total:,}, not {dimension:,}.")
    averages, kept_as = (getattr(optimizer, name, dict) for name in ("averages", "kept"))
    state = averages(optimizer.state.get(old) or {})  # floats, where they are kept packed
    first = [key for key in FIRST if state.get(key) is not None]
    second = [key for key in (SECOND,) if key in state]
    vectors, squares = [old, *(state[k] for k in first)], [state[k] for k in second]
    (theta, *means), dealt = space.carried(dimension, vectors, squares)
    before, after = (float(widened(t).square().sum()) for t in (old, theta))
    new = nn.Parameter(theta.to(old.device, old.dtype), old.requires_grad)
    for key, value in zip([*first, *second], [*means, *dealt], strict=True):
        state[key] = value.to(old.device, old.dtype)
    space.project(dimension)
    space.owner.theta = new
    for group in optimizer.param_groups:
        group["params"] = [new if p is old else p for p in group["params"]]
    optimizer.state.pop(old, None)
    if state:
        optimizer.state[new] = kept_as(state)
    if not before or dimension % len(old) == 0:  # nothing but rounding
        return 0.0
    return max(0.0, 1 - after / before)
