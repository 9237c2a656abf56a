"""Cross-entropy of a language model at chosen positions, without the matrix of all logits.

A vocabulary of 49,152 words makes 200 kB of logits per position, and training keeps them several
times. Here logits exist for a few positions at a time: the gradient is made together with the loss,
chunk by chunk, and nothing of the vocabulary's size is kept for the backward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

CHUNK = 2**22  # logits at a time: 16 MB in float32

Logits = Callable[[torch.Tensor], torch.Tensor]  # (n, width) -> (n, vocabulary)

_slope: ContextVar[float] = ContextVar("slope", default=1.0)


@contextmanager
def backward_from(slope: float) -> Iterator[None]:
    """Within, losses are made for a backward pass that begins at `slope` and not at 1.

    In float16 a gradient that is multiplied only once it stands has lost what was too small.
    """
    token = _slope.set(slope)
    try:
        yield
    finally:
        _slope.reset(token)


def chunked_cross_entropy(
    hidden: torch.Tensor,
    targets: torch.Tensor,
    logits: Logits,
    vocabulary: int,
    trained: Sequence[nn.Parameter] = (),
    smoothing: float = 0.0,
) -> torch.Tensor:
    """Mean cross-entropy of `logits(hidden)` against `targets`, a float32 scalar.

    `smoothing` is the share of each target that is spread over the vocabulary.

    `hidden` (n, width) are the positions that are looked at, `targets` (n) of int64 the words that
    follow. `trained` are the parameters inside `logits` that want a gradient: it is returned for
    them and for `hidden`, once.
    """
    rows = max(1, CHUNK // vocabulary)
    if torch.is_grad_enabled() and (hidden.requires_grad or trained):
        return _Chunked.apply(hidden, targets, logits, rows, smoothing, *trained)
    total = hidden.new_zeros((), dtype=torch.float32)
    for h, t in zip(hidden.split(rows), targets.split(rows), strict=True):
        total += F.cross_entropy(logits(h).float(), t, reduction="sum", label_smoothing=smoothing)
    return total / len(targets)


class _Chunked(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,
        targets: torch.Tensor,
        logits: Logits,
        rows: int,
        smoothing: float,
        *trained: nn.Parameter,
    ) -> torch.Tensor:
        total = hidden.new_zeros((), dtype=torch.float32)
        slopes = torch.empty_like(hidden)
        sums = [torch.zeros_like(p) for p in trained]
        count, slope = len(targets), _slope.get()
        for start in range(0, count, rows):
            with torch.enable_grad():
                h = hidden[start : start + rows].detach().requires_grad_()
                target = targets[start : start + rows]
                loss = F.cross_entropy(
                    logits(h).float(), target, reduction="sum", label_smoothing=smoothing
                ) / count  # fmt: skip
                scaled = loss if slope == 1 else slope * loss
                gradients = torch.autograd.grad(scaled, (h, *trained), allow_unused=True)
            total += loss.detach()
            slopes[start : start + rows] = gradients[0]
            for summed, part in zip(sums, gradients[1:], strict=True):
                if part is not None:
                    summed += part
        ctx.save_for_backward(slopes, *sums)
        ctx.slope = slope
        return total

    @staticmethod
    def backward(ctx: Any, slope: torch.Tensor) -> tuple[Any, ...]:
        slopes, *sums = ctx.saved_tensors
        slope = slope if ctx.slope == 1 else slope / ctx.slope
        scaled = [s * slope.to(s.dtype) for s in sums]
        return slopes * slope.to(slopes.dtype), None, None, None, None, *scaled
