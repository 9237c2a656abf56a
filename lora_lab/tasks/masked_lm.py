"""Masked language models: an encoder says what stands in the gaps of a text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from lora_lab.data.masking import Gaps, encode_maskable
from lora_lab.models.row_probe import known_tokens
from lora_lab.tasks.base import Evaluation
from lora_lab.tasks.padded import PaddedTask
from lora_lab.tasks.padding import onto
from lora_lab.tasks.text import Encoded, Texts


class GappedPart(NamedTuple):
    """Some texts of a batch with gaps, side by side, and what stood there."""

    inputs: dict[str, torch.Tensor]  # as in `padding.inputs_of`
    positions: torch.Tensor  # (n) of int64, into rows · tokens
    targets: torch.Tensor  # (n) of int64: the token that stood there


class Draw(NamedTuple):
    """A batch: its rows, and what their gaps are drawn from besides."""

    rows: list[int]
    seed: tuple[int, int]  # of the run, and the batch's number


class MaskedLmTask(PaddedTask[GappedPart]):
    """Mean cross-entropy over the masked tokens of a batch.

    Gaps are a function of the seed, the number of the batch and the row, so that a resumed run
    draws the same; those of validation rows are the same in every evaluation.
    """

    name = "masked_lm"
    evaluation_tokens = 4096

    @classmethod
    def encode(
        cls, *table: Any, classes: Sequence[str] | None, stops: frozenset[str], **settings: Any
    ) -> Encoded:
        examples, notes = encode_maskable(*table, **settings)
        return Encoded(Texts(examples), (), notes)

    def base_model(self) -> nn.Module:
        """The model of `config.model` with its own head, in the config's dtype."""
        model = self.fitted(self.open_pretrained("masked_lm"))
        self._gaps = Gaps.of(self.tokenizer, known_tokens(model))
        return model

    def batches(self, batch_size: int, seed: int, skip: int = 0) -> Iterator[Draw]:
        for number, rows in enumerate(super().batches(batch_size, seed, skip), start=skip):
            yield Draw(rows, (seed, number))

    def parts(self, batch: Draw, count: int) -> list[tuple[GappedPart, float]]:
        pieces = self.pieces(batch.rows, count)
        return self.weighed([self._gapped(self.train, rows, batch.seed) for rows in pieces])

    def dealt(self, batch: Draw, number: int, processes: int) -> Draw | None:
        rows = batch.rows[number::processes]
        return Draw(rows, batch.seed) if rows else None

    def weight(self, part: GappedPart) -> float:
        return len(part.targets)

    def loss(self, model: nn.Module, batch: GappedPart) -> torch.Tensor:
        smoothing = self.config.label_smoothing
        return F.cross_entropy(self.logits(model, batch), batch.targets, label_smoothing=smoothing)

    def logits(self, model: nn.Module, part: GappedPart) -> torch.Tensor:
        """(n, vocabulary) of float32: what the model says of each gap."""
        logits = model(**part.inputs, return_dict=True).logits
        return logits.flatten(0, 1).index_select(0, part.positions).float()

    def evaluate_blocks(
        self,
        model: nn.Module,
        texts: Texts,
        blocks: Iterable[Sequence[int]],
        should_stop: Callable[[], bool],
    ) -> Evaluation | None:
        """Mean loss over the masked tokens, and the share of them that are predicted right."""
        total, right, count = 0.0, 0, 0
        for rows in blocks:
            if should_stop():
                return None
            part = self.collated(texts, np.asarray(rows))
            logits = self.logits(model, part)
            total += F.cross_entropy(logits, part.targets, reduction="sum").item()
            right += int((logits.argmax(1) == part.targets).sum())
            count += len(part.targets)
        if not count:
            return Evaluation(loss=float("nan"))
        return Evaluation(total / count, figures=(("masked accuracy", right / count),))

    def collated(self, texts: Texts, rows: np.ndarray) -> GappedPart:
        """These rows with gaps that depend on the seed of the data alone."""
        return self._gapped(texts, rows, (self.config.split_seed,))

    def _gapped(self, texts: Texts, rows: np.ndarray, seed: Sequence[int]) -> GappedPart:
        examples = [texts.examples[i] for i in rows]
        gaps = [self._gaps.masked(e, (*seed, e.number)) for e in examples]
        targets = []
        for example, (_, places) in zip(examples, gaps, strict=True):
            row = np.full(len(example.ids), -1, dtype=np.int64)
            row[places] = example.ids[places]
            targets.append(row)
        wanted = self.padding.grid(targets, -1).reshape(-1)
        positions = np.flatnonzero(wanted >= 0)
        inputs = self.side_by_side(
            [replace(e, ids=ids) for e, (ids, _) in zip(examples, gaps, strict=True)]
        )
        tensors = (positions, wanted[positions])
        return GappedPart(inputs, *(onto(self.device, t) for t in tensors))
