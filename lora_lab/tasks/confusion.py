"""What a classifier got right: loss, accuracy and the counts of true against predicted class."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from lora_lab.tasks.base import Evaluation


class Tally:
    """Sums over the batches of one evaluation."""

    def __init__(self, classes: int) -> None:
        self.classes = classes
        self._loss = 0.0
        self._counts = torch.zeros(classes, classes, dtype=torch.int64)

    def add(self, logits: torch.Tensor, labels: torch.Tensor) -> None:
        """`logits` (n, classes) and `labels` (n) of int64."""
        logits, labels = logits.float().cpu(), labels.cpu()
        self._loss += F.cross_entropy(logits, labels, reduction="sum").item()
        pairs = labels * self.classes + logits.argmax(1)
        self._counts += torch.bincount(pairs, minlength=self.classes**2).view_as(self._counts)

    def evaluation(self) -> Evaluation:
        """Means over all rows; nan where there are none."""
        rows = int(self._counts.sum())
        correct = self._counts.diagonal()
        return Evaluation(
            loss=self._loss / rows if rows else float("nan"),
            accuracy=int(correct.sum()) / rows if rows else None,
            correct=tuple(correct.tolist()),
            total=tuple(self._counts.sum(1).tolist()),
            confusion=tuple(tuple(row) for row in self._counts.tolist()),
        )
