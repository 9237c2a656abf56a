"""Rows that stand twice: in the training part, in both parts, or with labels that contradict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b

import numpy as np


def duplicate_notes(
    train: np.ndarray,
    held_out: np.ndarray,
    train_labels: Sequence[int] | np.ndarray | None = None,
    what: str = "row",
) -> tuple[str, ...]:
    """What is twice among inputs, each with a count; none where nothing is.

    `train` and `held_out` (rows) of uint64 are their prints, equal where they are the same;
    `train_labels` the classes of `train`, where there are any. A validation row that is trained on
    as well measures what was learned by heart.
    """
    known = np.sort(train)
    twice = int((known[1:] == known[:-1]).sum())
    places = np.searchsorted(known, held_out)
    notes = []
    if both := int(
        (known[np.minimum(places, len(known) - 1)] == held_out).sum() if len(known) else 0
    ):
        many = _many(len(held_out), f"validation {what}")
        notes.append(f"{both:,} of {many} {'are' if both > 1 else 'is'} trained on as well")
    if twice:
        notes.append(f"{_many(twice, f'duplicate {what}')} to train on")
    if train_labels is not None and twice:
        labels = np.asarray(train_labels)
        different, same = np.unique(train, return_inverse=True)
        least, most = (np.full(len(different), end) for end in (labels.max(), labels.min()))
        np.minimum.at(least, same, labels)
        np.maximum.at(most, same, labels)
        if several := int((least < most).sum()):
            notes.append(f"{_many(several, what)} to train on with labels that contradict")
    return tuple(notes)


def prints(inputs: Iterable[np.ndarray]) -> np.ndarray:
    """(inputs) of uint64: the same for two inputs (tokens or pixels) where these are."""
    return np.fromiter((_print(values) for values in inputs), dtype=np.uint64)


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _print(values: np.ndarray) -> int:
    digest = blake2b(np.ascontiguousarray(values).data, digest_size=8)
    digest.update(str(values.shape).encode())
    return int.from_bytes(digest.digest(), "little")
