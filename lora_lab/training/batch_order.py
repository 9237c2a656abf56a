"""The batches of a run, counted: the place in their order is all that a checkpoint needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any


class BatchOrder:
    """An iterator that knows how many batches it has given."""

    def __init__(self, begin: Callable[[int], Iterator[Any]]) -> None:
        """`begin` gives the batches behind the first so many: what comes depends on no more."""
        self._begin = begin
        self._batches = begin(0)
        self.taken = 0

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        batch = next(self._batches)
        self.taken += 1
        return batch

    def stand_behind(self, count: int) -> None:
        """Go on behind the first `count` batches, from wherever it stands."""
        if count != self.taken:
            self._batches, self.taken = self._begin(count), count
