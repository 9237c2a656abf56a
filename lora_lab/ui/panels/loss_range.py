"""How far the axes of the loss reach: in steps so wide that they stand still most of the time."""

from __future__ import annotations

import math

import numpy as np

from lora_lab.ui.widgets.smoothing import FLOOR

FIRST = 50  # steps that are seen at least
GROWTH = 1.25  # of the axis of steps, whenever it has to grow


def step_end(last: int, goal: int) -> float:
    """Where the axis of steps ends while `last` is the newest; at the goal once it is near."""
    grown = math.log(max(last, FIRST) / FIRST, GROWTH)
    end = FIRST * GROWTH ** math.ceil(grown - 1e-9)
    return max(min(end, goal) if last <= goal else end, 1)


def loss_range(values: np.ndarray, log: bool, words: float = 0.0) -> tuple[float, float]:
    """(low, high) around losses (n), in decades where `log`; what is not finite is left out.

    Above the data stays a strip for the labels of the edits, which take the share `words` of the
    height, and of the base model.
    """
    values = values[np.isfinite(values)]
    if log:
        values = values[values > FLOOR]
    if not len(values):
        values = np.ones(1)
    low, high = float(values.min()), float(values.max())
    if log:
        low, high = math.log10(low), math.log10(high)
        span, unit, below = max(high - low, 0.5), 0.1, 0.05
    else:
        span = max(high - low, abs(high) * 0.05, 1e-9)
        unit, below = 10 ** math.floor(math.log10(span)) / 4, 0.03
    words = min(words, 0.6)
    above = max(0.17, words / (1 - words) * (1 + below))
    return (
        math.floor((low - below * span) / unit) * unit,
        math.ceil((high + above * span) / unit) * unit,
    )
