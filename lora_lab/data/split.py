"""Held-out rows: a share of them, drawn by a seed, of each class alike."""

from __future__ import annotations

import numpy as np


def split(
    count: int, share: float, seed: int, labels: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """(training, held-out) row numbers, each sorted, together all of 0 … `count`−1.

    With `labels` (count) the share holds within each class as far as it divides. At least one row
    is held out where `share` > 0 and there are two, and at least one is trained on.
    """
    generator = np.random.default_rng(seed)
    order = generator.permutation(count)
    wanted = min(max(round(share * count), int(share > 0 and count > 1)), max(0, count - 1))
    if labels is None:
        chosen = order[:wanted]
    else:
        # Each row's place within its class, as a share: the smallest shares are held out.
        place = np.empty(count)
        for label in np.unique(labels):
            rows = order[labels[order] == label]
            place[rows] = (np.arange(len(rows)) + generator.random()) / len(rows)
        chosen = np.argsort(place, kind="stable")[:wanted]
    held = np.zeros(count, dtype=bool)
    held[chosen] = True
    return np.flatnonzero(~held), np.flatnonzero(held)
