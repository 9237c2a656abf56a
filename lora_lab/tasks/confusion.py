"""What a classifier got right: loss, accuracy and the counts of true against predicted class."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from lora_lab.opening_records import MOST_PAIRED
from lora_lab.tasks.base import Evaluation


class Tally:
    """Sums over the batches of one evaluation; of many classes without their pairs."""

    def __init__(self, classes: int) -> None:
        self.classes = classes
        self._loss = 0.0
        paired = classes if classes <= MOST_PAIRED else 0
        self._pairs = torch.zeros(paired, classes, dtype=torch.int64)
        self._total, self._correct = torch.zeros(2, classes, dtype=torch.int64)

    def add(self, logits: torch.Tensor, labels: torch.Tensor) -> None:
        """`logits` (n, classes) and `labels` (n) of int64."""
        logits, labels = logits.float().cpu(), labels.cpu()
        self._loss += F.cross_entropy(logits, labels, reduction="sum").item()
        found = logits.argmax(1)
        self._total += torch.bincount(labels, minlength=self.classes)
        self._correct += torch.bincount(labels[labels == found], minlength=self.classes)
        if len(self._pairs):
            pairs = torch.bincount(labels * self.classes + found, minlength=self.classes**2)
            self._pairs += pairs.view_as(self._pairs)

    def evaluation(self) -> Evaluation:
        """Means over all rows; nan where there are none."""
        rows = int(self._total.sum())
        return Evaluation(
            loss=self._loss / rows if rows else float("nan"),
            accuracy=int(self._correct.sum()) / rows if rows else None,
            correct=tuple(self._correct.tolist()),
            total=tuple(self._total.tolist()),
            confusion=tuple(tuple(row) for row in self._pairs.tolist()),
        )
