"""Which rows of a run still hold once it has gone back: the one rule, for all who read them."""

from __future__ import annotations

from array import array
from collections.abc import MutableSequence
from itertools import compress
from typing import Generic, TypeVar

import numpy as np

Row = TypeVar("Row")


class Holding(Generic[Row]):
    """Rows in order, with the step of each (-1: of none) and whether it changed settings.

    The three sequences stay the same objects, so that a reader of a million lines may append to
    them directly, and mark what is no edit with another number than 1.
    """

    def __init__(self, rows: MutableSequence[Row]) -> None:
        """`rows` is empty: a list, or an array of 64-bit numbers for a million of them."""
        self.rows, self.steps, self.edits = rows, array("q"), bytearray()

    def add(self, row: Row, step: int, edit: bool = False) -> None:
        self.rows.append(row)
        self.steps.append(step)
        self.edits.append(edit)

    def go_back(self, step: int, edits: int = -1) -> None:
        """Drop what no longer holds once the run is at `step` again with so many edits made.

        The first `edits` of the run hold; -1: all of them up to that step.
        """
        at, marks = np.array(self.steps, np.int64), np.array(self.edits, np.uint8) == 1
        holds = at <= step
        if edits >= 0:
            holds &= ~marks | (np.cumsum(marks & holds) <= edits)
        self.keep(holds)

    def keep(self, chosen: np.ndarray) -> None:
        """Drop the rows for which `chosen` (rows) of bool is false."""
        for values in (self.rows, self.steps):
            if isinstance(values, array):
                values[:] = array("q", np.array(values, np.int64)[chosen].tobytes())
            else:
                values[:] = compress(values, chosen.tobytes())
        self.edits[:] = np.array(self.edits, np.uint8)[chosen].tobytes()
