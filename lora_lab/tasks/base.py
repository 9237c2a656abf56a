"""What the loop asks of a task: a base model, batches, a loss, and a pass over held-out data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn


@dataclass(frozen=True)
class Evaluation:
    """A pass over the held-out data: mean loss and, for classifiers, counts per class."""

    loss: float
    accuracy: float | None = None
    correct: tuple[int, ...] = ()
    total: tuple[int, ...] = ()


class Task:
    """A thing to learn. Subclasses are made by `open(config)` and listed in TASKS.

    Batches and models come out on the CPU in float32; `to(device, dtype)` moves the data once.
    """

    name: str = ""
    title: str = ""
    classes: tuple[str, ...] = ()
    trained_classes: tuple[str, ...] = ()
    loss_floor: tuple[float, ...] = ()
    true_sigma: np.ndarray | None = None
    base: str = ""  # where the base weights come from, for people

    def base_model(self) -> nn.Module:
        """A fresh base model with its weights, in float32 on the CPU."""
        raise NotImplementedError

    def to(self, device: torch.device, dtype: torch.dtype) -> None:
        """Move the data to where the model is."""
        raise NotImplementedError

    def batches(self, batch_size: int, seed: int) -> Iterator[Any]:
        """Batches without end, shuffled anew each epoch by a generator seeded with `seed`."""
        raise NotImplementedError

    def loss(self, model: nn.Module, batch: Any) -> torch.Tensor:
        """The scalar to minimise on one batch; differentiable."""
        raise NotImplementedError

    def evaluate(self, model: nn.Module) -> Evaluation:
        """Measure `model` on the held-out data; the caller has set eval mode and no_grad."""
        raise NotImplementedError
