"""Text classification: an encoder with a head of its own that says which class a text is of.

A head that the checkpoint does not have is drawn anew and fully trained, beside the adapters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from lora_lab.data.batching import batch_order, rows_by_length
from lora_lab.data.encode import encode_texts
from lora_lab.tasks.base import Evaluation
from lora_lab.tasks.class_loss import ClassLoss
from lora_lab.tasks.confusion import Tally
from lora_lab.tasks.text import Encoded, Texts, TextTask


class LabelledPart(NamedTuple):
    """Some texts of a batch, padded at the right."""

    ids: torch.Tensor  # (rows, tokens) of int64
    seen: torch.Tensor  # (rows, tokens) of int64: 1 where there is a token, 0 in the padding
    labels: torch.Tensor  # (rows) of int64; of other tasks as in `Texts`


class TextClassificationTask(TextTask):
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
        model = self.open_pretrained("sequence_classification")
        model.config.pad_token_id = self._pad  # a decoder looks for the last token before it
        return model

    def batches(self, batch_size: int, seed: int, skip: int = 0) -> Iterator[list[int]]:
        how = "shuffled" if self.config.batching == "shuffled" else "bucketed"
        for batch in batch_order(self.lengths, batch_size, seed, how, self.config.max_length, skip):
            yield [int(i) for i in batch]

    def parts(self, batch: list[int], count: int) -> list[tuple[LabelledPart, float]]:
        """Texts of like length in one part, as many as `part_tokens` has room for."""
        lengths = [int(self.lengths[i]) for i in batch]
        pieces = rows_by_length(lengths, self.part_tokens(count))
        rows = [np.array([batch[i] for i in piece]) for piece in pieces]
        parts = [self.collated(self.train, r) for r in rows]
        weights = [self.weight(part) for part in parts]
        return [(part, w / sum(weights)) for part, w in zip(parts, weights, strict=True)]

    def weight(self, part: LabelledPart) -> float:
        return self._class_loss.weight(part.labels)

    def heaviest(self, batch_size: int, count: int) -> LabelledPart:
        """The part of a step that takes the most memory: of the longest texts."""
        parts = self.parts(self.longest_first(batch_size), count)
        return max((part for part, _ in parts), key=lambda part: part.ids.numel())

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
        return model(input_ids=part.ids, attention_mask=part.seen, return_dict=True).logits

    @cached_property
    def _class_loss(self) -> ClassLoss:
        assert self.train.labels is not None, "texts to classify have labels"
        return ClassLoss(self.config, self.train.labels, len(self.classes))

    @cached_property
    def _pad(self) -> int:
        """The padding token, or one that no text has: a decoder reads the last token before it."""
        if self.tokenizer.pad_token_id is not None:
            return int(self.tokenizer.pad_token_id)
        sets = (self.train, self.held_out, *((self.retention.source,) if self.retention else ()))
        used = {int(i) for texts in sets for e in texts.examples for i in np.unique(e.ids)}
        return next(i for i in range(len(used) + 1) if i not in used)

    def padded(self, texts: Texts, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(rows, tokens) of int64, twice: ids padded at the right, and 1 where there is a token."""
        tokens = [texts.examples[i].ids for i in rows]
        width = max(map(len, tokens))
        ids = np.full((len(rows), width), self._pad, dtype=np.int64)
        seen = np.zeros_like(ids)
        for row, text in enumerate(tokens):
            ids[row, : len(text)] = text
            seen[row, : len(text)] = 1
        return ids, seen

    def collated(self, texts: Texts, rows: np.ndarray) -> LabelledPart:
        """These rows of `texts` as one part."""
        ids, seen = self.padded(texts, rows)
        assert texts.labels is not None, "texts to classify have labels"
        tensors = (ids, seen, texts.labels[rows])
        return LabelledPart(*(torch.from_numpy(t).to(self.device) for t in tensors))
