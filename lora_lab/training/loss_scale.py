"""Loss scaling: what keeps the small gradients of a float16 base from becoming 0.

float16 has nothing between 0 and 6e-8, where most of the gradients of activations lie. The loss is
multiplied before the backward pass, and the gradients of what is trained, which are of float32, are
divided by the same power of two afterwards: nothing is rounded by either.
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import torch

from lora_lab.tasks.chunked_loss import backward_from

# The rule of torch.amp.GradScaler, with its published defaults.
FIRST, GROWTH, BACKOFF, INTERVAL = 2.0**16, 2.0, 0.5, 2000
LEAST, MOST = 1.0, 2.0**126  # the inverse of the largest is still a normal float32


class Standing(NamedTuple):
    """A scale, a power of two, and how many steps in a row it has been right for."""

    scale: float
    good: int


class LossScale:
    """The scale of one run; `active` for float16 alone, and 1 in every other dtype."""

    def __init__(self, active: bool) -> None:
        self.active = active
        self.restore(None)

    @property
    def standing(self) -> Standing | None:
        """What a checkpoint keeps of it; None where it is not active."""
        return Standing(self.scale, self.good) if self.active else None

    def restore(self, standing: Standing | None) -> None:
        """Go on from there; None is the start."""
        self.scale, self.good = 1.0, 0
        if self.active:
            self.scale, self.good = standing or Standing(FIRST, 0)

    def begin_step(self) -> None:
        self._before = self.standing

    def ahead(self, slope: float) -> AbstractContextManager[None]:
        """Around a loss whose backward pass will begin at `slope`: some gradients are made then."""
        return backward_from(slope) if self.active else nullcontext()

    def room(self) -> int:
        """Steps that the scale is certain to stay for, unless a gradient overflows."""
        return INTERVAL - 1 - self.good

    def divide(self, gradients: list[torch.Tensor]) -> None:
        """By the scale, in place; whether they are finite is left to whoever takes their norm."""
        if self.active and gradients:
            torch._foreach_mul_(gradients, 1 / self.scale)

    @torch.no_grad()
    def fits(self, loss: float, gradients: list[torch.Tensor]) -> bool:
        """Divide a step's gradients by the scale, in place; whether that is how they are to be.

        Where one overflows the scale is halved, and the same step is to be made again: GradScaler
        would leave its batch out. What is not finite at a scale of 1 either says nothing of the
        scale, which then stands as before the step; nor does a `loss` that is not finite.
        """
        if not math.isfinite(loss):
            self.restore(self._before)
            return True
        self.divide(gradients)
        # GradScaler's own kernel for this is not there on every device.
        norms = torch._foreach_norm(gradients) if gradients else [torch.zeros(())]
        if torch.stack(norms).isfinite().all():
            self.good += 1
            if self.good == INTERVAL:
                self.scale, self.good = min(MOST, self.scale * GROWTH), 0
            return True
        if self.scale == LEAST:
            self.restore(self._before)
            return True
        self.scale, self.good = max(LEAST, self.scale * BACKOFF), 0
        return False


def is_standing(scale: float, good: int) -> bool:
    """Whether a run can have come to this."""
    power = LEAST <= scale <= MOST and math.frexp(scale)[0] == 0.5
    return power and 0 <= good < INTERVAL
