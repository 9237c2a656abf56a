"""The batches of a run, counted: the place in their course is all that a checkpoint needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class Course:
    """An iterator that knows how many batches it has given."""

    def __init__(self, batches: Iterator[Any]) -> None:
        self._batches = batches
        self.taken = 0

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        batch = next(self._batches)
        self.taken += 1
        return batch

    def skip(self, count: int) -> None:
        """Go on behind the first `count` batches: what comes depends on nothing else."""
        while self.taken < count:
            next(self)
