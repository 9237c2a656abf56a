"""The order of the batches: every row once an epoch, shuffled, those of like length together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

WINDOW = 50  # batches within which rows are sorted by length
BLOCK = 2**16  # lengths that are looked at one by one together

How = Literal["bucketed", "packed", "shuffled"]


def batch_order(
    lengths: np.ndarray,
    batch_size: int,
    seed: int,
    how: How,
    max_length: int,
    skip: int = 0,
    budget: int = 0,
) -> Iterator[Sequence]:
    """Batches of row numbers without end; the last of an epoch may be smaller.

    "bucketed" and "shuffled" give arrays (rows) of numbers. "packed" gives lists of arrays: the
    rows of one array stand end to end, `max_length` tokens at most. With a `budget` a batch has as
    many rows as fit into so many tokens, with the padding that it has; a longer row is one by
    itself. What comes is a function of these arguments and of how many batches have come; the
    first `skip` are left out.
    """
    generator = np.random.default_rng(seed)
    count = -(-len(lengths) // batch_size)  # of the batches of an epoch without a budget
    while True:
        order = generator.permutation(len(lengths))
        if not budget and skip >= count:
            skip -= count
            if how == "bucketed":  # what it would have drawn as well
                generator.permutation(count)
            continue
        ends = _ends(order, lengths, batch_size, how, budget)
        places = generator.permutation(len(ends)) if how == "bucketed" else np.arange(len(ends))
        for i in places[skip:]:
            rows = order[ends[i - 1] if i else 0 : ends[i]]
            yield packed(rows, lengths, max_length) if how == "packed" else rows
        skip = max(0, skip - len(ends))


def epoch_steps(lengths: np.ndarray, seed: int, how: How, budget: int) -> int:
    """Batches of the first epoch within a budget; another one has as many, up to some."""
    order = np.random.default_rng(seed).permutation(len(lengths))
    return len(_ends(order, lengths, 1, how, budget))


def _ends(
    order: np.ndarray, lengths: np.ndarray, batch_size: int, how: How, budget: int
) -> list[int]:
    """Where each batch of an epoch ends in `order`; of buckets that is sorted in place, window by
    window, and no batch reaches into another one."""
    if budget:
        batch_size = max(1, int(budget / lengths.mean()))  # about
    window = WINDOW * batch_size if how == "bucketed" else max(1, len(order))
    ends = []
    for start in range(0, len(order), window):
        rows = order[start : start + window]
        if how == "bucketed":
            rows[:] = rows[np.argsort(lengths[rows], kind="stable")]
        stop = start + len(rows)
        if budget:
            ends += [start + end for end in _within(lengths[rows], budget, how != "packed")]
        else:
            ends += [*range(start + batch_size, stop, batch_size), stop]
    return ends


def _within(lengths: np.ndarray, budget: int, padded: bool) -> Iterator[int]:
    """Where batches of rows of these lengths end, as they stand, the fewest in `budget` tokens."""
    begin = widest = total = end = 0
    for start in range(0, len(lengths), BLOCK):
        for end, length in enumerate(lengths[start : start + BLOCK].tolist(), start):
            widest, total = max(widest, length), total + length
            if end > begin and ((end + 1 - begin) * widest if padded else total) > budget:
                yield end
                begin, widest, total = end, length, length
    yield end + 1


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
