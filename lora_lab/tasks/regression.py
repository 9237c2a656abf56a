"""Regression: an encoder with a head of its own says a number of each text, or of two texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from lora_lab.data.encode import encode_predicted
from lora_lab.data.targets import as_number
from lora_lab.tasks.base import Evaluation
from lora_lab.tasks.text import Encoded, Texts
from lora_lab.tasks.text_classification import LabelledPart, TextClassificationTask


class RegressionTask(TextClassificationTask):
    """Mean squared error over the texts of a batch, as transformers' problem type regression."""

    name = "regression"

    @classmethod
    def encode(
        cls, *table: Any, classes: Sequence[str] | None, stops: frozenset[str], **settings: Any
    ) -> Encoded:
        examples, numbers, notes = encode_predicted(*table, "score", as_number, **settings)
        return Encoded(Texts(examples, np.array(numbers, dtype=np.float32)), (), notes)

    @property
    def outputs(self) -> tuple[str, ...]:
        """One, whatever the numbers are."""
        return ("score",)

    def base_model(self) -> nn.Module:
        """The encoder of `config.model` with a head of one output, in the config's dtype."""
        model = super().base_model()
        model.config.problem_type = "regression"
        return model

    def weight(self, part: LabelledPart) -> float:
        return len(part.labels)

    def loss(self, model: nn.Module, batch: LabelledPart) -> torch.Tensor:
        return F.mse_loss(self.logits(model, batch).float().squeeze(1), batch.labels)

    def evaluate_blocks(
        self,
        model: nn.Module,
        texts: Texts,
        blocks: Iterable[Sequence[int]],
        should_stop: Callable[[], bool],
    ) -> Evaluation | None:
        """Mean squared error, and both correlations, nan where one side does not vary."""
        said, wanted = [], []
        for rows in blocks:
            if should_stop():
                return None
            part = self.collated(texts, np.asarray(rows))
            said.append(self.logits(model, part).float().squeeze(1).cpu().double().numpy())
            wanted.append(part.labels.cpu().double().numpy())
        if not said:
            return Evaluation(loss=float("nan"))
        x, y = np.concatenate(said), np.concatenate(wanted)
        figures = (("Pearson r", pearson(x, y)), ("Spearman ρ", pearson(ranks(x), ranks(y))))
        return Evaluation(loss=float(np.square(x - y).mean()), figures=figures)


def pearson(x: np.ndarray, y: np.ndarray) -> float:
    """The correlation of two rows of numbers; nan where one of them does not vary."""
    x, y = x - x.mean(), y - y.mean()
    scale = np.sqrt((x @ x) * (y @ y))
    return float(x @ y / scale) if scale > 0 else float("nan")


def ranks(x: np.ndarray) -> np.ndarray:
    """(n): the place of each number in their order, equal ones sharing the mean of theirs."""
    _, inverse, counts = np.unique(x, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]
