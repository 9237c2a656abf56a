"""Token classification: an encoder with a head of its own that tags every word of a text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from lora_lab.data.tags import are_entities, encode_tags, entities
from lora_lab.tasks.base import Evaluation
from lora_lab.tasks.class_loss import ClassLoss
from lora_lab.tasks.confusion import Tally
from lora_lab.tasks.padding import onto
from lora_lab.tasks.text import Encoded, Texts
from lora_lab.tasks.text_classification import TextClassificationTask


class TaggedPart(NamedTuple):
    """Some texts of a batch, side by side, and where in them the loss looks."""

    inputs: dict[str, torch.Tensor]  # as in `padding.inputs_of`
    positions: torch.Tensor  # (n) of int64, into rows · tokens: the first token of each word
    labels: torch.Tensor  # (n) of int64: the tags of these words


class TokenClassificationTask(TextClassificationTask):
    """Mean cross-entropy over the words of a batch, each read at its first token."""

    name = "token_classification"

    @classmethod
    def encode(
        cls, *table: Any, classes: Sequence[str] | None, stops: frozenset[str], **settings: Any
    ) -> Encoded:
        rows, names, notes = encode_tags(*table, classes=classes, **settings)
        if not are_entities(names):
            notes = (*notes, "the tags are not O, B-… and I-…, so no entities are counted")
        return Encoded(Texts(rows), names, notes)

    def base_model(self) -> nn.Module:
        """The encoder of `config.model` with a head for these tags, in the config's dtype."""
        return self.fitted(self.open_pretrained("token_classification"))

    def weight(self, part: TaggedPart) -> float:
        return self._class_loss.weight(part.labels)

    @cached_property
    def _class_loss(self) -> ClassLoss:
        tags = self.train.examples.asked_tags()
        return ClassLoss(self.config, tags, len(self.classes))

    def logits(self, model: nn.Module, part: TaggedPart) -> torch.Tensor:
        """(n, tags)."""
        logits = super().logits(model, part)
        return logits.flatten(0, 1).index_select(0, part.positions)

    def evaluate_blocks(
        self,
        model: nn.Module,
        texts: Texts,
        blocks: Iterable[Sequence[int]],
        should_stop: Callable[[], bool],
    ) -> Evaluation | None:
        """Loss, accuracy and confusion per word; F1 over all entities where the tags have any."""
        tally, counts = Tally(len(self.classes)), np.zeros(3, dtype=np.int64)
        for rows in blocks:
            if should_stop():
                return None
            part = self.collated(texts, np.asarray(rows))
            logits = self.logits(model, part)
            tally.add(logits, part.labels)
            counts += self._entity_counts(part, logits.argmax(1))
        found = tally.evaluation()
        if not are_entities(self.classes):
            return found
        hits, either = int(counts[0]), int(counts[1] + counts[2])
        f1 = 2 * hits / either if either else float("nan")
        return replace(found, figures=(("entity F1", f1),))

    def _entity_counts(self, part: TaggedPart, said: torch.Tensor) -> tuple[int, int, int]:
        """Entities that are right, that are said, and that there are, row by row."""
        hits = predicted = there = 0
        row_of = (part.positions // part.inputs["input_ids"].shape[1]).tolist()
        both = zip(row_of, said.tolist(), part.labels.tolist(), strict=True)
        rows: dict[int, tuple[list[str], list[str]]] = {}
        for row, one, other in both:
            mine, true = rows.setdefault(row, ([], []))
            mine.append(self.classes[one])
            true.append(self.classes[other])
        for mine, true in rows.values():
            first, second = entities(mine), entities(true)
            hits += len(first & second)
            predicted += len(first)
            there += len(second)
        return hits, predicted, there

    def collated(self, texts: Texts, rows: np.ndarray) -> TaggedPart:
        examples = [texts.examples[i] for i in rows]
        tags = self.padding.grid([np.where(e.supervised, e.tags, -1) for e in examples], -1)
        positions = np.flatnonzero(tags >= 0)
        tensors = (positions, tags.reshape(-1)[positions])
        places, labels = (onto(self.device, t) for t in tensors)
        return TaggedPart(self.side_by_side(examples), places, labels)
