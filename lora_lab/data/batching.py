"""The order of the batches: every row once an epoch, shuffled, those of like length together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Literal

import numpy as np

WINDOW = 50  # batches within which rows are sorted by length

How = Literal["bucketed", "packed", "shuffled"]


def batch_order(
    lengths: np.ndarray, batch_size: int, seed: int, how: How, max_length: int, skip: int = 0
) -> Iterator[Sequence]:
    """Batches of row numbers without end; the last of an epoch may be smaller.

    "bucketed" and "shuffled" give arrays (rows) of numbers. "packed" gives lists of arrays: the
    rows of one array stand end to end, `max_length` tokens at most. What comes is a function of
    these arguments and of how many batches have come; the first `skip` are left out.
    """
    generator = np.random.default_rng(seed)
    count = -(-len(lengths) // batch_size)  # of the batches of an epoch, however they are made
    while True:
        order = generator.permutation(len(lengths))
        if skip >= count:
            skip -= count
            if how == "bucketed":  # what it would have drawn as well
                generator.permutation(count)
            continue
        if how == "bucketed":
            yield from islice(_bucketed(order, lengths, batch_size, generator), skip, None)
        else:
            for start in range(skip * batch_size, len(order), batch_size):
                rows = order[start : start + batch_size]
                yield packed(rows, lengths, max_length) if how == "packed" else rows
        skip = 0


def _bucketed(
    order: np.ndarray, lengths: np.ndarray, batch_size: int, generator: np.random.Generator
) -> Iterator[np.ndarray]:
    """The batches of one epoch; `order` is sorted in place, window by window."""
    starts = []
    for start in range(0, len(order), WINDOW * batch_size):
        window = order[start : start + WINDOW * batch_size]
        window[:] = window[np.argsort(lengths[window], kind="stable")]
        starts += range(start, start + len(window), batch_size)
    for i in generator.permutation(len(starts)):
        yield order[starts[i] : starts[i] + batch_size]


def packed(rows: np.ndarray, lengths: np.ndarray, max_length: int) -> list[np.ndarray]:
    """The rows laid end to end in as few pieces as first-fit of the longest first finds."""
    pieces: list[list[int]] = []
    room: list[int] = []
    for row in sorted(rows, key=lambda row: -lengths[row]):
        place = next((i for i, free in enumerate(room) if free >= lengths[row]), None)
        if place is None:
            pieces.append([])
            room.append(max_length)
            place = len(pieces) - 1
        pieces[place].append(row)
        room[place] -= int(lengths[row])
    return [np.array(piece) for piece in pieces]


def rows_by_length(lengths: Sequence[int] | np.ndarray, tokens: int) -> Iterator[list[int]]:
    """All row numbers, those of like length together, up to `tokens` with padding in one piece."""
    order = np.argsort(np.asarray(lengths), kind="stable")
    begin = 0
    for end in range(1, len(order)):
        if (end + 1 - begin) * int(lengths[order[end]]) > tokens:
            yield order[begin:end].tolist()
            begin = end
    if len(order):
        yield order[begin:].tolist()
