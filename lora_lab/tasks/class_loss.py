"""What a classifier minimises: cross-entropy, its labels smoothed and its classes weighted."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from lora_lab.config import RunConfig


class ClassLoss:
    """torch's cross_entropy with `label_smoothing` and a weight per class, Σw·loss / Σw.

    A batch in parts has the same loss as in one piece where each part counts `weight(labels)`.
    """

    def __init__(self, config: RunConfig, labels: np.ndarray | torch.Tensor, classes: int) -> None:
        """`labels` (n) of int64 are those of the training rows."""
        self._smoothing = config.label_smoothing
        self._weights: torch.Tensor | None = None  # (classes) of float64, on the CPU
        self._there: torch.Tensor | None = None  # the same beside the logits, in their dtype
        if config.class_weights == "balanced":
            self._weights = balanced(torch.as_tensor(labels), classes)

    def __call__(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The scalar loss of `logits` (n, classes) for `labels` (n) of int64."""
        return self._cross_entropy(logits, labels, "mean")

    def each(self, logits: torch.Tensor, labels: torch.Tensor, count: int) -> torch.Tensor:
        """The losses (count) for the same labels (n): `logits` (count·n, classes), one by one."""
        of_rows = self._cross_entropy(logits, labels.repeat(count), "none")
        return of_rows.view(count, -1).sum(1) / self.weight(labels)

    def _cross_entropy(
        self, logits: torch.Tensor, labels: torch.Tensor, reduction: str
    ) -> torch.Tensor:
        weights = self._there
        if self._weights is not None and (
            weights is None or (weights.device, weights.dtype) != (logits.device, logits.dtype)
        ):  # cast before it is moved: mps has no float64
            weights = self._there = self._weights.to(logits.dtype).to(logits.device)
        return F.cross_entropy(
            logits, labels, weights, reduction=reduction, label_smoothing=self._smoothing
        )

    def weight(self, labels: np.ndarray | torch.Tensor) -> float:
        """What rows of these classes count in the mean over a batch."""
        if self._weights is None:
            return len(labels)
        return self._weights[torch.as_tensor(labels).cpu()].sum().item()


def balanced(labels: torch.Tensor, classes: int) -> torch.Tensor:
    """(classes) of float64: n/(k·n_c) for each of the k classes that are there, as in sklearn.

    A class without a row has 1: it is no label, and of smoothed ones it has its share.
    """
    counts = torch.bincount(labels.cpu(), minlength=classes).double()
    there = counts > 0
    weights = counts.sum() / (there.sum() * counts.clamp_min(1))
    return torch.where(there, weights, 1.0)
