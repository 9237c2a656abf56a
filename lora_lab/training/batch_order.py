"""The batches of a run, counted: the place in their order is all that a checkpoint needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from lora_lab.errors import Cancelled, LabError
from lora_lab.time_limit import limited

SECONDS = 30.0  # of processor time, for counting up to a place; millions of epochs


class TooFar(LabError):
    """A place so far in the order that counting up to it does not end."""

    def __init__(self) -> None:
        super().__init__(
            "The checkpoint stands so far in the order of the data that counting up to there takes "
            f"over {SECONDS:g} s. It is damaged or was made by hand: go back to an earlier save, "
            "or begin the run again."
        )


class BatchOrder:
    """An iterator that knows how many batches it has given."""

    def __init__(self, begin: Callable[[int], Iterator[Any]]) -> None:
        """`begin` gives the batches behind the first so many: what comes depends on no more."""
        self._begin = begin
        self._batches = begin(0)
        self.taken = 0
        self._last: Any = None  # batch that was given
        self._counts = False  # up to a place, before the next batch comes

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return self.take(lambda: False)

    def take(self, unwanted: Callable[[], bool]) -> Any:
        """The next batch; raises Cancelled where it is `unwanted` while it is counted up to."""
        if self._counts:
            try:
                with limited(SECONDS, TooFar, unwanted):
                    batch = next(self._batches)
            except TooFar as error:
                self.stand_behind(self.taken)
                if unwanted():
                    raise Cancelled("What is counted is not wanted any more.") from error
                raise
            self._counts = False
        else:
            batch = next(self._batches)
        self.taken += 1
        self._last = batch
        return batch

    def give_back(self, batch: Any) -> None:
        """Go on before `batch`, if it is the last that was taken from here."""
        if batch is not None and batch is self._last:
            self.stand_behind(self.taken - 1)

    def stand_behind(self, count: int) -> None:
        """Go on behind the first `count` batches, from wherever it stands."""
        self._last = None
        if count != self.taken or self._counts:
            self._batches, self.taken, self._counts = self._begin(count), count, True
