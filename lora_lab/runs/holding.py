"""Which rows of a run still hold once it has gone back: the one rule, for all who read them."""

from __future__ import annotations

from array import array
from collections.abc import MutableSequence
from heapq import heappop, heappush
from itertools import compress
from typing import Generic, TypeVar

import numpy as np

Row = TypeVar("Row")

EDIT = 1  # the mark of a row that changed settings
GONE = 2**63 - 1  # the step of a row that no longer holds: beyond any


class Holding(Generic[Row]):
    """Rows in order, with the step of each (-1: of none) and whether it changed settings.

    The three sequences stay the same objects, so that a reader of a million lines may append to
    them directly, and mark what is no edit with another number than 1. What a run lost is taken out
    of them by `settle`, for all times that it went back at once: a file may have a hundred thousand
    of them, each of which would else go through all rows.
    """

    def __init__(self, rows: MutableSequence[Row]) -> None:
        """`rows` is empty: a list, or an array of 64-bit numbers for a million of them."""
        self.rows, self.steps, self.edits = rows, array("q"), bytearray()
        # Before which row it went back, and to which step; those that a later one covers left out.
        self._before, self._to = array("q"), array("q")
        self._look_again()

    @property
    def unsettled(self) -> bool:
        """Whether there may be rows that no longer hold."""
        return bool(self._to)

    def add(self, row: Row, step: int, edit: bool = False) -> None:
        self.rows.append(row)
        self.steps.append(step)
        self.edits.append(edit)

    def drop(self, place: int) -> None:
        """Take out one row, that is no edit."""
        if self.unsettled:  # the places of rows are counted on
            self.steps[place], self.edits[place] = GONE, 0
        else:
            del self.rows[place], self.steps[place], self.edits[place]
            self._look_again()

    def go_back(self, step: int, edits: int = -1) -> None:
        """What no longer holds once the run is at `step` again with so many edits made.

        The first `edits` of the run hold; -1: all of them up to that step.
        """
        while (place := self.edits.find(EDIT, self._looked)) >= 0:
            self._held[place] = None
            heappush(self._latest, (-self.steps[place], place))
            self._looked = place + 1
        self._looked = len(self.edits)
        while self._latest and -self._latest[0][0] > step:
            self._held.pop(heappop(self._latest)[1], None)
        while len(self._held) > edits >= 0:
            self.steps[self._held.popitem()[0]] = GONE
        while self._to and self._to[-1] >= step:
            self._before.pop(), self._to.pop()
        self._before.append(len(self.rows))
        self._to.append(step)

    def settle(self) -> None:
        """Take out all rows that no longer hold."""
        if self.unsettled:
            at, most = np.array(self.steps, np.int64), np.append(self._to, np.int64(GONE - 1))
            bounds = most[np.searchsorted(self._before, np.arange(len(at)), "right")]
            del self._before[:], self._to[:]
            self.keep(at <= bounds)

    def keep(self, chosen: np.ndarray) -> None:
        """Drop the rows, which are settled, for which `chosen` (rows) of bool is false."""
        for values in (self.rows, self.steps):
            if isinstance(values, array):
                values[:] = array("q", np.array(values, np.int64)[chosen].tobytes())
            else:
                values[:] = compress(values, chosen.tobytes())
        self.edits[:] = np.array(self.edits, np.uint8)[chosen].tobytes()
        self._look_again()

    def _look_again(self) -> None:
        """The places of edits are to be found anew."""
        self._looked = 0  # rows up to which they are known
        self._held: dict[int, None] = {}  # in order
        self._latest: list[tuple[int, int]] = []  # a heap of them: -step and place
