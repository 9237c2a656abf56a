"""Smoothed curves: a running mean of any, and one in logarithms for a loss that falls far."""

from __future__ import annotations

import math

import numpy as np

FLOOR = 1e-16  # on the log axis; a loss of exactly 0 is drawn below everything


def averaged(values: np.ndarray, share: float) -> np.ndarray:
    """A running mean of `values` (n), `share` of it from before at each, without a slow start.

    As TensorBoard smooths: s ← share·s + (1 − share)·v, divided by 1 − shareⁿ. A nan is passed over
    and stays a gap.
    """
    result = np.full(len(values), np.nan)
    sum_so_far = weight = 0.0
    for place, value in enumerate(values.tolist()):
        if value == value:
            sum_so_far = share * sum_so_far + (1 - share) * value
            weight = share * weight + (1 - share)
            result[place] = sum_so_far / weight
    return result


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
