"""The retention set: rows of an earlier task, measured beside the validation rows of the new one.

It shows what the adapter makes the base model forget. The rows are few and fixed for the run, so
that the figures of two steps can be compared.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Generic, TypeVar

import numpy as np

from lora_lab.data.batching import rows_by_length
from lora_lab.data.rows import HeldRows, Table

ROWS = 256
PASS_SECONDS = 2.0  # of one pass; the first one decides how many of the rows that is
TOGETHER = 32  # rows that are sorted by length among each other

Rows = TypeVar("Rows")


class RetentionSet(Generic[Rows]):
    """The rows themselves, and blocks of their numbers for one forward pass each."""

    def __init__(self, source: Rows, lengths: Sequence[int], room: int) -> None:
        """`lengths` of the rows; a block is of up to `room` tokens with padding."""
        self.source = source
        order = chosen(len(lengths))
        self._blocks = [
            part[rows]
            for part in np.split(order, range(TOGETHER, len(order), TOGETHER))
            for rows in rows_by_length([lengths[i] for i in part], room)
        ]
        self.count: int | None = None  # of the blocks that are measured, once that is decided

    def blocks(self) -> Iterator[np.ndarray]:
        """Row numbers, a block at a time; those the first pass has no time for stay left out."""
        began = time.monotonic()
        for done, rows in enumerate(self._blocks[: self.count], start=1):
            yield rows
            if self.count is None and time.monotonic() - began > PASS_SECONDS:
                self.count = done
                return
        if self.count is None:
            self.count = len(self._blocks)


def chosen(count: int) -> np.ndarray:
    """Up to ROWS of `count` row numbers, in an order of their own that is always the same."""
    return np.random.default_rng(0).permutation(count)[:ROWS]


def some_rows(table: Table) -> Table:
    """`table` with the chosen rows alone, so that a long file is not tokenized for nothing."""
    places = set(chosen(len(table.rows)).tolist())
    kept = [row for place, row in enumerate(table.rows) if place in places]
    return replace(table, rows=HeldRows([row for _, row in kept], [number for number, _ in kept]))
