"""Which validation images a classifier gets wrong: the surest mistakes of each class first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch

from lora_lab.data.preview import frozen_image


@dataclass(frozen=True)
class Wrong:
    """One validation image and what is said of it."""

    row: int  # from 0
    label: int
    predicted: int
    probability: float  # that it is given
    image: np.ndarray  # (height, width) or (height, width, 3) of uint8, read-only


@dataclass(frozen=True)
class WrongAnswers:
    """How many of each class are wrong, and some of them."""

    counts: tuple[int, ...]  # per class
    total: tuple[int, ...]
    shown: tuple[Wrong, ...]  # by class, the surest first


Block = tuple[torch.Tensor, torch.Tensor]  # logits (n, classes), labels (n) of int64


@torch.no_grad()
def wrong_answers(
    blocks: Iterable[Block],
    images: np.ndarray,
    classes: int,
    most: int,
    should_stop: Callable[[], bool],
) -> WrongAnswers | None:
    """At most `most` of each class, of `images` (N, …) in the order of the blocks.

    None where `should_stop` ended it.
    """
    found: list[tuple[int, float, int, int]] = []  # label, −probability, row, predicted
    total: Counter[int] = Counter()
    row = 0
    for logits, labels in blocks:
        if should_stop():
            return None
        sure, predicted = logits.float().softmax(-1).max(-1)
        total.update(labels.tolist())
        for at in (predicted != labels).nonzero().flatten().tolist():
            found.append((int(labels[at]), -float(sure[at]), row + at, int(predicted[at])))
        row += len(labels)
    found.sort()
    counts = Counter(label for label, *_ in found)
    shown, taken = [], Counter()
    for label, sure, place, predicted in found:
        taken[label] += 1
        if taken[label] <= most:
            shown.append(Wrong(place, label, predicted, -sure, frozen_image(images[place])))
    return WrongAnswers(
        tuple(counts[k] for k in range(classes)), tuple(total[k] for k in range(classes)),
        tuple(shown),
    )  # fmt: skip
