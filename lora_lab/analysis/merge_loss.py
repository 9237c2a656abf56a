"""What a merge loses: how little of ΔW survives where W + ΔW is rounded to a narrow dtype."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from lora_lab.blocks.forms import dense, packed
from lora_lab.errors import AdapterError

BLOCK = 2**17  # entries that are widened at a time, 1 MiB in float64: they stay in the cache


@dataclass(frozen=True)
class MergeLoss:
    """What one layer's merge would make of its ΔW; loss, changed and relative_size are nan where
    W or ΔW is not finite."""

    loss: float  # ‖effect − ΔW‖_F/‖ΔW‖_F: 0 where ΔW is kept, 1 as if it were gone; nan at ΔW = 0
    changed: float  # share of W's entries that the merge moves at all
    relative_size: float  # ‖ΔW‖_F/‖W‖_F; nan where W = 0
    overflow: int  # finite entries of W or W + ΔW beyond the dtype's range; any makes loss infinite


@torch.no_grad()
def merge_loss(W: torch.Tensor, delta: torch.Tensor, dtype: torch.dtype) -> MergeLoss:
    """The loss of merging ΔW (out × in) into W (out × in) in `dtype`, found by merging.

    W counts as stored in `dtype`: what its own rounding loses is no loss of the merge. Then the
    effect of a merge is round(W + ΔW) − W, the sum being rounded once. bfloat16 has 8 bits, so that
    an entry of ΔW below 2⁻⁹ of W's rarely moves it, and a small adapter all but vanishes. ΔW = 0
    has nothing to lose: its loss is nan ("—"), as no number would be true.

    Summed in float64 in blocks of rows, so that no copy of W is made. On the CPU; 1024² takes 5 ms
    and 4096² 80 ms on two cores, so it is cheap to show before every merge.

    Raises AdapterError where the shapes differ or `dtype` is not a floating-point type.
    """
    if W.ndim != 2 or W.shape != delta.shape:
        raise AdapterError(f"W is {tuple(W.shape)}, but ΔW is {tuple(delta.shape)}.")
    if not dtype.is_floating_point:
        raise AdapterError(f"W + ΔW cannot be merged into {dtype}: name a floating-point type.")
    rows = max(1, BLOCK // W.shape[1])
    lost = size = weight = 0.0  # sums of squares
    changed = overflow = 0
    for W_block, delta_block in zip(W.split(rows), delta.split(rows), strict=True):
        given, change = (block.detach().cpu().double() for block in (W_block, delta_block))
        base = given.to(dtype).double()
        exact = base + change
        merged = exact.to(dtype).double()
        lost += float((merged - base - change).square().sum())
        size += float(change.square().sum())
        weight += float(given.square().sum())
        changed += int(torch.count_nonzero(merged != base))
        overflow += _overflows(given, base) + _overflows(exact, merged)
    if not math.isfinite(size + weight):
        return MergeLoss(math.nan, math.nan, math.nan, overflow)
    return MergeLoss(
        loss=math.inf if overflow else math.sqrt(lost / size) if size else math.nan,
        changed=changed / W.numel(),
        relative_size=math.sqrt(size / weight) if weight else math.nan,
        overflow=overflow,
    )


@torch.no_grad()
def repacked_loss(W: torch.Tensor, delta: torch.Tensor, form: str) -> float:
    """‖effect − ΔW‖/‖ΔW‖ where W + ΔW (out × in) is packed into blocks of `form` again.

    W is what such blocks undo to. Most of a usual ΔW is below their rounding, and is gone then;
    1 and more: nothing of it arrives. nan at ΔW = 0.
    """
    wide = W.float()
    target = wide + delta.float()
    lost = dense(packed(target, form), form, *target.shape, torch.float32).sub_(target)
    size = float(torch.linalg.vector_norm(delta.float()))
    return float(torch.linalg.vector_norm(lost)) / size if size else math.nan


def _overflows(exact: torch.Tensor, rounded: torch.Tensor) -> int:
    return int(torch.count_nonzero(torch.isfinite(exact) & ~torch.isfinite(rounded)))
