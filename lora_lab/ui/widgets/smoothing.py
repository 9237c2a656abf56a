"""The smoothed loss: a running mean in logarithms, for curves that fall by decades."""

from __future__ import annotations

import math

FLOOR = 1e-16  # on the log axis; a loss of exactly 0 is drawn below everything


class Smoothing:
    """A running mean of log loss whose memory grows with the run and shortens after an edit.

    In logarithms, because a loss that falls by decades would leave an ordinary mean far behind;
    one step moves it by a bounded amount, so that a spike or an exact zero does not.
    """

    def __init__(self) -> None:
        self.age = 0
        self.log = math.nan

    def add(self, loss: float) -> float:
        if math.isfinite(loss):
            log = math.log(max(loss, FLOOR))
            self.age += 1
            weight = 1 / min(self.age, max(8, min(0.03 * self.age, 1000)))
            if self.log != self.log:
                self.log = log
            else:
                self.log += weight * max(-4.0, min(4.0, log - self.log))
        return math.exp(self.log) if self.log == self.log else math.nan

    def edited(self) -> None:
        self.age = min(self.age, 7)
