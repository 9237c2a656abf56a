"""The batches of a race: each is made once, and lanes at the same place in their order share it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from lora_lab.training.batch_order import BatchOrder


class CommonBatches:
    """The order of batches that all lanes have, with the newest batch at hand."""

    def __init__(self, begin: Callable[[int], Iterator[Any]]) -> None:
        """`begin` gives the batches behind the first so many."""
        self.begin = begin
        self._order = BatchOrder(begin)
        self._newest: Any = None

    def at(self, place: int) -> tuple[Any] | None:
        """The batch behind the first `place`; None where the race has passed it, or is not there.

        It is in a tuple, since a batch may be anything.
        """
        if place == self._order.taken:
            self._newest = next(self._order)
        return (self._newest,) if place == self._order.taken - 1 else None


class LaneBatches(BatchOrder):
    """One lane's place in that order; a lane that is behind the others makes its own batches."""

    def __init__(self, common: CommonBatches) -> None:
        self._common = common
        self._own: BatchOrder | None = None
        self._last: Any = None
        self.taken = 0

    def take(self, unwanted: Callable[[], bool]) -> Any:
        found = self._common.at(self.taken)
        if found is None:
            self._own = self._own or BatchOrder(self._common.begin)
            self._own.stand_behind(self.taken)
            found = (self._own.take(unwanted),)
        else:
            self._own = None
        self.taken += 1
        self._last = found[0]
        return self._last

    def stand_behind(self, count: int) -> None:
        self._last = None
        self.taken = count
