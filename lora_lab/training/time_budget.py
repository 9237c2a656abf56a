"""TimeBudget: keeps a costly measurement to a share of the wall time, and not too often either."""

from __future__ import annotations

import time

URGENT_SHARE = 0.25


class TimeBudget:
    """Due at most every `interval` seconds, and so rarely that its cost stays below `share`.

    What a person has just changed is urgent: it may take up to `URGENT_SHARE`, so that dragging a
    slider shows its effect and still leaves most of the time to the training.
    """

    def __init__(self, share: float, interval: float) -> None:
        self.share, self.interval = share, interval
        self._next = self._urgent = 0.0
        self._started = 0.0

    def due(self, now: float, *, urgent: bool = False) -> bool:
        return now >= (self._urgent if urgent else self._next)

    def __enter__(self) -> TimeBudget:
        self._started = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        now = time.perf_counter()
        cost = now - self._started
        self._next = now + max(self.interval, cost / self.share)
        self._urgent = now + cost / URGENT_SHARE
