"""Ration: keep a costly measurement to a share of the wall time, and not too often either."""

from __future__ import annotations

import time


class Ration:
    """Due at most every `interval` seconds, and so rarely that its cost stays below `share`."""

    def __init__(self, share: float, interval: float) -> None:
        self.share, self.interval = share, interval
        self._next = 0.0
        self._started = 0.0

    def due(self, now: float) -> bool:
        return now >= self._next

    def __enter__(self) -> Ration:
        self._started = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        now = time.perf_counter()
        self._next = now + max(self.interval, (now - self._started) / self.share)
