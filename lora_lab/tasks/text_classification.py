"""Text classification: an encoder with a head of its own that says which class a text is of.

A head that the checkpoint does not have is drawn anew and trained whole, beside the adapters.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from lora_lab.config import RunConfig
from lora_lab.data.batching import batch_order
from lora_lab.data.encode import Example, encode_texts
from lora_lab.data.mapping import map_columns
from lora_lab.data.preview import text_record
from lora_lab.data.rows import read_table
from lora_lab.data.split import split
from lora_lab.errors import DataError
from lora_lab.models.hf_folder import open_model, open_tokenizer
from lora_lab.progress import Report, silent
from lora_lab.tasks.base import Evaluation, Task, never
from lora_lab.tasks.causal_lm import enable_checkpointing
from lora_lab.tasks.confusion import Tally
from lora_lab.tasks.retention import RetentionSet, some_rows
from lora_lab.tasks.text import longest, needs, rows_by_length

EVAL_TOKENS = 8192


class Part(NamedTuple):
    """Some texts of a batch, padded at the right."""

    ids: torch.Tensor  # (rows, tokens) of int64
    seen: torch.Tensor  # (rows, tokens) of int64: 1 where there is a token, 0 in the padding
    labels: torch.Tensor  # (rows) of int64


class Labelled(NamedTuple):
    """Texts as tokens, each with the number of its class."""

    examples: list[Example]
    labels: np.ndarray


class TextClassificationTask(Task):
    """Mean cross-entropy over the texts of a batch; accuracy and confusion on the held-out ones."""

    name = "text_classification"

    @classmethod
    def open(cls, config: RunConfig, report: Report = silent) -> TextClassificationTask:
        """Read `config.data` as `config.model` will see it.

        Raises CheckpointError for the model's folder or tokenizer, DataError for the data, and
        ConfigError where one of them is not named.
        """
        model, data = needs(config)
        tokenizer = open_tokenizer(model)
        limit = longest(config, model, tokenizer)
        skip = config.skip_bad_rows

        def read(path: str, classes: Sequence[str] | None, few: bool = False) -> Any:
            table = read_table(path, skip_bad=skip, report=report)
            table = some_rows(table) if few else table
            mapping = map_columns(table, "text_classification", config.columns)
            examples, labels, names, notes = encode_texts(
                table, mapping, tokenizer, limit, classes=classes, skip_bad=skip, report=report
            )
            return Labelled(examples, labels), names, table, mapping, (*table.notes, *notes)

        found, classes, table, mapping, notes = read(data, None)
        if len(classes) < 2:
            raise DataError(f"{table.path.name}: all rows are of one class, so nothing is learned.")
        if config.validation_data:
            train, (held_out, _, _, _, more) = found, read(config.validation_data, classes)
            notes += more
        else:
            first, second = split(len(found.labels), config.validation, config.seed, found.labels)
            train, held_out = _chosen(found, first), _chosen(found, second)
        task = cls(config, tokenizer, train, held_out, classes, report)
        if config.keep_data:
            old, _, _, _, more = read(config.keep_data, classes, few=True)
            task.set_retention(old)
            notes += more
        task.data = text_record(
            table, mapping, "text_classification", tokenizer, train.examples, held_out.examples,
            limit, notes, classes=classes, labels=train.labels, validation_labels=held_out.labels,
        )  # fmt: skip
        return task

    def __init__(
        self,
        config: RunConfig,
        tokenizer: Any,
        train: Labelled,
        held_out: Labelled,
        classes: Sequence[str],
        report: Report = silent,
    ) -> None:
        self.config = config
        self.train, self.held_out = train, held_out
        self.classes = self.trained_classes = tuple(classes)
        self.rows = len(train.labels)
        self.base = str(config.model)
        self.device = torch.device("cpu")
        self._report = report
        self._lengths = np.array([len(example.ids) for example in train.examples])
        self._pad = tokenizer.pad_token_id or 0

    def set_retention(self, old: Labelled) -> None:
        """Texts of the old task, to be measured beside the held-out ones."""
        self.retention = RetentionSet(
            old, [len(example.ids) for example in old.examples], EVAL_TOKENS
        )

    def base_model(self) -> nn.Module:
        """The encoder of `config.model` with a head for these classes, in the config's dtype."""
        config = self.config
        opened = open_model(
            config.model,
            "sequence_classification",
            classes=self.classes,
            dtype=getattr(torch, config.dtype),
            seed=config.seed,
            report=self._report,
        )
        model = opened.module
        self.base, self.new_layers, self.notes = opened.name, opened.new_layers, opened.notes
        model.config.pad_token_id = self._pad  # a decoder looks for the last token before it
        if config.checkpointing:
            enable_checkpointing(model)
        return model

    def to(self, device: torch.device, dtype: torch.dtype) -> None:
        self.device = device

    def batches(self, batch_size: int, seed: int, skip: int = 0) -> Iterator[list[int]]:
        how = "shuffled" if self.config.batching == "shuffled" else "bucketed"
        for batch in batch_order(
            self._lengths, batch_size, seed, how, self.config.max_length, skip
        ):
            yield [int(i) for i in batch]

    def parts(self, batch: list[int], count: int) -> list[tuple[Part, float]]:
        """Texts of like length in one part, which is as large as a `count`-th of the largest batch.

        So the longest texts bound the memory, and short ones still go through in one piece.
        """
        budget = math.ceil(self.config.batch_size * int(self._lengths.max()) / count)
        pieces = rows_by_length([int(self._lengths[i]) for i in batch], budget)
        rows = [np.array([batch[i] for i in piece]) for piece in pieces]
        return [(self._collated(self.train, r), len(r) / len(batch)) for r in rows]

    def heaviest(self, batch_size: int, count: int) -> Part:
        """The part of a step that takes the most memory: of the longest texts."""
        longest_first = np.argsort(-self._lengths, kind="stable")[:batch_size]
        parts = self.parts([int(i) for i in longest_first], count)
        return max((part for part, _ in parts), key=lambda part: part.ids.numel())

    def loss(self, model: nn.Module, batch: Part) -> torch.Tensor:
        return F.cross_entropy(self._logits(model, batch).float(), batch.labels)

    def evaluate(
        self, model: nn.Module, should_stop: Callable[[], bool] = never
    ) -> Evaluation | None:
        blocks = rows_by_length([len(e.ids) for e in self.held_out.examples], EVAL_TOKENS)
        return self._evaluation(model, self.held_out, blocks, should_stop)

    def evaluate_retention(
        self, model: nn.Module, should_stop: Callable[[], bool] = never
    ) -> Evaluation | None:
        return self._evaluation(model, self.retention.source, self.retention.blocks(), should_stop)

    def _evaluation(
        self,
        model: nn.Module,
        source: Labelled,
        blocks: Iterable[Sequence[int]],
        should_stop: Callable[[], bool],
    ) -> Evaluation | None:
        tally = Tally(len(self.classes))
        for rows in blocks:
            if should_stop():
                return None
            part = self._collated(source, np.asarray(rows))
            tally.add(self._logits(model, part), part.labels)
        return tally.evaluation()

    def _logits(self, model: nn.Module, part: Part) -> torch.Tensor:
        """(rows, classes)."""
        return model(input_ids=part.ids, attention_mask=part.seen, return_dict=True).logits

    def _collated(self, source: Labelled, rows: np.ndarray) -> Part:
        tokens = [source.examples[i].ids for i in rows]
        width = max(map(len, tokens))
        ids = np.full((len(rows), width), self._pad, dtype=np.int64)
        seen = np.zeros_like(ids)
        for row, found in enumerate(tokens):
            ids[row, : len(found)] = found
            seen[row, : len(found)] = 1
        tensors = (ids, seen, source.labels[rows].astype(np.int64))
        return Part(*(torch.from_numpy(t).to(self.device) for t in tensors))


def _chosen(found: Labelled, rows: np.ndarray) -> Labelled:
    return Labelled([found.examples[i] for i in rows], found.labels[rows])
