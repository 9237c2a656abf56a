"""PaddedTask: rows of text that stand side by side, each read as if it were alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import nn

from lora_lab.data.batching import How, rows_by_length
from lora_lab.data.token_rows import Example
from lora_lab.tasks.padding import Padding, fitted, inputs_of
from lora_lab.tasks.text import Texts, TextTask

Part = TypeVar("Part")  # some rows of a batch, with what is predicted of them


class PaddedTask(TextTask, Generic[Part]):
    """A task whose batches are rows of `train`; subclasses collate them and weigh the parts."""

    padding: Padding  # once the model stands

    def fitted(self, model: nn.Module, decoder: Mapping[str, Any] | None = None) -> nn.Module:
        """`model`, after it was tried out how its rows are padded; notes where that costs time.

        `decoder` is what the decoder of one row is given besides, of models that have two sides.
        """
        sets = [texts.examples for texts in self.sets]
        self.padding, notes = fitted(model, self.base, self.tokenizer, sets, decoder or {})
        self.notes = (*self.notes, *notes)
        return model

    @property
    def how(self) -> How:
        return "shuffled" if self.config.batching == "shuffled" else "bucketed"

    def batches(self, batch_size: int, seed: int, skip: int = 0) -> Iterator[Any]:
        for batch in self.in_order(batch_size, seed, skip):
            yield [int(i) for i in batch]

    def tokens(self, batch: Any) -> int:
        return int(self.lengths[list(getattr(batch, "rows", batch))].sum())

    def parts(self, batch: Any, count: int) -> list[tuple[Part, float]]:
        return self.weighed([self.collated(self.train, r) for r in self.pieces(batch, count)])

    def pieces(self, rows: Sequence[int], count: int) -> Iterator[np.ndarray]:
        """Texts of like length in one part, as many as `part_tokens` has room for."""
        found = rows_by_length([int(self.lengths[i]) for i in rows], self.part_tokens(count))
        for piece in self.apart(self.train, ([rows[i] for i in places] for places in found)):
            yield np.asarray(piece)

    def heaviest(self, batch_size: int, count: int) -> Part:
        """The part of a step that takes the most memory: of the longest texts."""
        pieces = self.pieces(self.longest_first(batch_size), count)
        return max((self.collated(self.train, rows) for rows in pieces), key=self.size)

    def apart(self, texts: Texts, blocks: Iterable[Sequence[int]]) -> Iterator[Sequence[int]]:
        for rows in blocks:
            yield from self.padding.apart(texts.examples, rows)

    def side_by_side(self, examples: Sequence[Example]) -> dict[str, torch.Tensor]:
        """These rows as the model takes them, on its device."""
        return inputs_of(self.padding.rows(examples), self.device)

    def size(self, part: Any) -> int:
        """Tokens of a part, padding included."""
        return part.inputs["input_ids"].numel()

    def collated(self, texts: Texts, rows: np.ndarray) -> Part:
        """These rows of `texts` as one part."""
        raise NotImplementedError
