"""Rows that stand twice: in the training part, in both parts, or with labels that contradict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b

import numpy as np


def duplicate_notes(
    train: Iterable[np.ndarray],
    held_out: Iterable[np.ndarray],
    train_labels: Sequence[int] | np.ndarray | None = None,
    what: str = "row",
) -> tuple[str, ...]:
    """What is twice among inputs (tokens or pixels), each with a count; none where nothing is.

    `train_labels` are the classes of `train`, where there are any. A validation row that is trained
    on as well measures what was learned by heart.
    """
    first = [_print(values) for values in train]
    second = [_print(values) for values in held_out]
    known = set(first)
    notes = []
    both = sum(one in known for one in second)
    if both:
        many = _many(len(second), f"validation {what}")
        notes.append(f"{both:,} of {many} {'are' if both > 1 else 'is'} trained on as well")
    if len(known) < len(first):
        notes.append(f"{_many(len(first) - len(known), f'duplicate {what}')} to train on")
    if train_labels is not None:
        labels: dict[bytes, set[int]] = {}
        for one, label in zip(first, train_labels, strict=True):
            labels.setdefault(one, set()).add(int(label))
        several = sum(len(found) > 1 for found in labels.values())
        if several:
            notes.append(f"{_many(several, what)} to train on with labels that contradict")
    return tuple(notes)


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _print(values: np.ndarray) -> bytes:
    digest = blake2b(np.ascontiguousarray(values).data, digest_size=16)
    digest.update(str(values.shape).encode())
    return digest.digest()
