"""Text classification: an encoder with a head of its own that says which class a text is of.

A head that the checkpoint does not have is drawn anew and fully trained, beside the adapters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from lora_lab.data.encode import encode_texts
from lora_lab.tasks.base import Evaluation
from lora_lab.tasks.class_loss import ClassLoss
from lora_lab.tasks.confusion import Tally
from lora_lab.tasks.padded import PaddedTask
from lora_lab.tasks.padding import onto
from lora_lab.tasks.text import Encoded, Texts


class LabelledPart(NamedTuple):
    """Some texts of a batch, side by side."""

    inputs: dict[str, torch.Tensor]  # as in `padding.inputs_of`
    labels: torch.Tensor  # (rows) of int64; of other tasks as in `Texts`


class TextClassificationTask(PaddedTask[LabelledPart]):
    """Mean cross-entropy over the texts of a batch; accuracy and confusion in validation."""

    name = "text_classification"
    evaluation_tokens = 8192

    @classmethod
    def encode(
        cls, *table: Any, classes: Sequence[str] | None, stops: frozenset[str], **settings: Any
    ) -> Encoded:
        examples, labels, names, notes = encode_texts(*table, classes=classes, **settings)
        return Encoded(Texts(examples, labels), names, notes)

    def base_model(self) -> nn.Module:
        """The encoder of `config.model` with a head for these classes, in the config's dtype."""
        return self.fitted(self.open_pretrained("sequence_classification"))

    def weight(self, part: LabelledPart) -> float:
        return self._class_loss.weight(part.labels)

    def loss(self, model: nn.Module, batch: LabelledPart) -> torch.Tensor:
        return self._class_loss(self.logits(model, batch).float(), batch.labels)

    def evaluate_blocks(
        self,
        model: nn.Module,
        texts: Texts,
        blocks: Iterable[Sequence[int]],
        should_stop: Callable[[], bool],
    ) -> Evaluation | None:
        tally = Tally(len(self.classes))
        for rows in blocks:
            if should_stop():
                return None
            part = self.collated(texts, np.asarray(rows))
            tally.add(self.logits(model, part), part.labels)
        return tally.evaluation()

    def logits(self, model: nn.Module, part: LabelledPart) -> torch.Tensor:
        """(rows, classes)."""
        return model(**part.inputs, return_dict=True).logits

    @cached_property
    def _class_loss(self) -> ClassLoss:
        assert self.train.labels is not None, "texts to classify have labels"
        return ClassLoss(self.config, self.train.labels, len(self.classes))

    def collated(self, texts: Texts, rows: np.ndarray) -> LabelledPart:
        """These rows of `texts` as one part."""
        assert texts.labels is not None, "texts to classify have labels"
        labels = onto(self.device, texts.labels[rows])
        return LabelledPart(self.side_by_side([texts.examples[i] for i in rows]), labels)
