"""TextTask: rows of text as tokens, in sets for training, validation and retention."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, TypeVar

import numpy as np
import torch
from torch import nn

from lora_lab.config import RunConfig
from lora_lab.data.batching import How, batch_order, epoch_steps, rows_by_length
from lora_lab.data.duplicates import duplicate_notes
from lora_lab.data.mapping import map_columns, unused
from lora_lab.data.preview import text_record
from lora_lab.data.rows import read_table
from lora_lab.data.split import split
from lora_lab.data.token_rows import TokenRows
from lora_lab.data.token_text import token_texts
from lora_lab.data.token_writer import gathered
from lora_lab.errors import CheckpointError, DataError
from lora_lab.models.hf_config import read_config
from lora_lab.models.row_probe import known_tokens
from lora_lab.models.stop_tokens import stop_tokens
from lora_lab.models.tokenizer_file import open_tokenizer
from lora_lab.progress import Report, silent
from lora_lab.tasks.base import Evaluation, LookedAt, never
from lora_lab.tasks.class_order import ordered
from lora_lab.tasks.pretrained import PretrainedTask, needs
from lora_lab.tasks.reading import Reading, kept_or
from lora_lab.tasks.retention import RetentionSet, some_rows

if TYPE_CHECKING:
    from typing import Self

SHOWN = 64  # tokens of a row that the model is shown by itself
WITHOUT_LIMIT = 10**9  # what tokenizers give as their limit that know of none


class Texts(NamedTuple):
    """Rows as tokens; where something is predicted of each, with that.

    `labels` are numbers of classes, (n) of int64; numbers, (n) of float32; or 1 for each class
    that a row has, (n, classes) of float32.
    """

    examples: TokenRows[Any]
    labels: np.ndarray | None = None

    def lengths(self) -> np.ndarray:
        """(rows) of int64: tokens that each takes of a batch."""
        return self.examples.rooms

    def duplicates(self, held_out: Texts) -> tuple[str, ...]:
        """Notes on rows that stand twice, in these and in the `held_out` ones."""
        return duplicate_notes(self.examples.prints, held_out.examples.prints, self.single)

    @property
    def single(self) -> np.ndarray | None:
        """The number of the class of each row, where it has exactly one."""
        labels = self.labels
        return labels if labels is not None and labels.dtype == np.int64 else None

    def renamed(self, before: Sequence[str], order: Sequence[str]) -> Texts:
        """With the numbers of classes in another `order`."""
        places = np.array([order.index(name) for name in before])
        if self.labels is None:  # each word of a row has one
            return self._replace(examples=self.examples.with_tags(places))
        if self.single is None:
            return self._replace(labels=self.labels[:, [before.index(name) for name in order]])
        return self._replace(labels=places[self.labels])

    def subset(self, rows: np.ndarray) -> Texts:
        labels = None if self.labels is None else self.labels[rows]
        return Texts(self.examples.subset(rows), labels)


def texts_of(reading: Reading) -> Texts:
    return Texts(reading.examples, reading.labels)


class Encoded(NamedTuple):
    """What a task makes of a table."""

    texts: Texts
    classes: tuple[str, ...]
    notes: tuple[str, ...]


class TextTask(PretrainedTask):
    """A task on rows of text; subclasses encode them, collate parts and compute the loss."""

    name: str
    evaluation_tokens: ClassVar[int]  # of one forward pass of an evaluation, padding included

    @classmethod
    def open(cls, config: RunConfig, report: Report = silent) -> Self:
        """Read `config.data` as `config.model` will see it.

        Raises CheckpointError for the model's folder or tokenizer, DataError for the data, and
        ConfigError where one of them is not named.
        """
        model, data = needs(config)
        tokenizer = open_tokenizer(model)
        limit = longest(config, model, tokenizer)
        stops, own = stop_tokens(model, tokenizer), cls.encoding(config)

        def read(path: str, classes: Sequence[str] | None = None, few: bool = False) -> Reading:
            def anew() -> Reading:
                table = read_table(path, skip_bad=config.skip_bad_rows, report=report)
                table = some_rows(table) if few else table
                mapping = map_columns(table, cls.name, config.columns)
                texts, names, notes = cls.encode(
                    table, mapping, tokenizer, limit,
                    classes=classes, stops=stops, skip_bad=config.skip_bad_rows, report=report,
                    **own,
                )  # fmt: skip
                notes = (*table.notes, *unused(table, mapping), *notes)
                rows = gathered(texts.examples)
                return Reading(table.path, table.columns, mapping, rows, texts.labels, names, notes)

            settings = {"task": cls.name, "columns": config.columns, "limit": limit, "few": few,
                        "classes": classes, "stops": sorted(stops),
                        "skip_bad": config.skip_bad_rows, **own}  # fmt: skip
            return kept_or(anew, path, tokenizer, settings, report)

        opened = read(data)
        texts, classes, notes = texts_of(opened), opened.classes, opened.notes
        if classes and (order := ordered(classes, config)) != classes:
            texts, classes = texts.renamed(classes, order), order
        if len(classes) == 1 and texts.single is not None:
            raise DataError(
                f"{opened.path.name}: all rows are of one class, so nothing is learned."
            )
        if config.validation_data:
            other = read(config.validation_data, classes)
            train, held_out = texts, texts_of(other)
            notes = (*notes, *(f"validation data: {note}" for note in other.notes))
        else:
            train, held_out = divided(texts, config.validation, config.split_seed)
        form = opened.mapping.form
        task = cls(config, tokenizer, train, held_out, classes, limit, form, report)
        if config.keep_data:
            old = read(config.keep_data, classes, few=True)
            source = texts_of(old)
            task.retention = RetentionSet(source, source.lengths(), cls.evaluation_tokens)
            notes = (*notes, *(f"retention set: {note}" for note in old.notes))
        notes = (*notes, *train.duplicates(held_out), *task.beyond_budget())
        task.data = text_record(
            opened, opened.mapping, tokenizer, train.examples, held_out.examples, limit, notes,
            classes=classes, labels=train.labels, validation_labels=held_out.labels,
            epoch_steps=task.epoch_steps,
        )  # fmt: skip
        return task

    @classmethod
    def encode(
        cls, *table: Any, classes: Sequence[str] | None, stops: frozenset[str], **settings: Any
    ) -> Encoded:
        """Rows as tokens; arguments as in `encode_texts`, `classes` None: those of the table.

        `stops` are the texts of the tokens that end an answer.
        """
        raise NotImplementedError

    @classmethod
    def encoding(cls, config: RunConfig) -> dict[str, Any]:
        """Settings of a task's own for `encode`."""
        del config
        return {}

    def __init__(
        self,
        config: RunConfig,
        tokenizer: Any,
        train: Texts,
        held_out: Texts,
        classes: Sequence[str],
        limit: int,
        form: str,
        report: Report = silent,
    ) -> None:
        super().__init__(config, report)
        self.tokenizer, self.limit, self.form = tokenizer, limit, form
        self.train, self.held_out = train, held_out
        self.classes = self.trained_classes = tuple(classes)
        self.rows = len(train.examples)
        self.device = torch.device("cpu")
        self.lengths = train.lengths()  # (rows): tokens of each
        if budget := config.batch_tokens:
            self.epoch_steps = epoch_steps(self.lengths, config.seed, self.how, budget)

    def open_pretrained(self, purpose: Any) -> nn.Module:
        """As in `PretrainedTask`; raises CheckpointError for tokens the model has no row for."""
        model = super().open_pretrained(purpose)
        known = known_tokens(model)
        for texts in self.sets:
            if found := texts.examples.beyond(known):
                token = self.tokenizer.convert_ids_to_tokens(found[0])
                raise CheckpointError(
                    f"{Path(self.base).name}: its tokenizer has {len(self.tokenizer):,} tokens and "
                    f"the model {known:,} embeddings, so token {token!r} ({found[0]:,}) of row "
                    f"{found[1]:,} cannot be read. Take the tokenizer that belongs to it."
                )
        return model

    @property
    def sets(self) -> tuple[Texts, ...]:
        """All rows that the model is to read."""
        return (self.train, self.held_out, *((self.retention.source,) if self.retention else ()))

    def to(self, device: torch.device, dtype: torch.dtype) -> None:
        self.device = device

    def apart(self, texts: Texts, blocks: Iterable[Sequence[int]]) -> Iterable[Sequence[int]]:
        """Blocks of row numbers, those divided whose rows may not stand in one batch."""
        del texts
        return blocks

    @property
    def how(self) -> How:
        """How rows come to batches."""
        return self.config.batching

    def in_order(self, batch_size: int, seed: int, skip: int) -> Iterator[Sequence]:
        """Batches of row numbers without end, as `batch_order` has them."""
        budget = self.config.batch_tokens
        return batch_order(self.lengths, batch_size, seed, self.how, self.limit, skip, budget)

    def part_tokens(self, count: int) -> int:
        """Tokens of one of `count` parts, padding included: a `count`-th of the largest batch.

        So the longest texts bound the memory, and short ones still go through in one piece.
        """
        longest, budget = int(self.lengths.max()), self.config.batch_tokens
        most = max(longest, budget) if budget else self.config.batch_size * longest
        return math.ceil(most / count)

    def beyond_budget(self) -> Iterator[str]:
        """What is to be said of rows that are longer than a batch may be."""
        budget = self.config.batch_tokens
        if budget and (longer := int((self.lengths > budget).sum())):
            yield (
                f"{longer:,} of {self.rows:,} rows are longer than the {budget:,} tokens of a "
                f"batch, up to {int(self.lengths.max()):,}: each is a batch by itself"
            )

    def longest_first(self, rows: int) -> list[int]:
        """The numbers of the rows of which a step takes the most memory.

        They are the longest; with a budget of tokens, unless it is to be one row, those next to
        each other that fill it best.
        """
        order = np.argsort(-self.lengths, kind="stable")
        begin = 0
        if (budget := self.config.batch_tokens) and rows > 1:
            lengths = self.lengths[order]
            fit = np.minimum(np.maximum(1, budget // lengths), np.arange(len(order), 0, -1))
            begin = int(np.argmax(fit * lengths))
            rows = int(fit[begin])
        return order[begin : begin + rows].tolist()

    def looked_at(self, count: int) -> Iterator[LookedAt]:
        texts = self.held_out if len(self.held_out.examples) else self.train
        for example in texts.examples[:count]:
            row = example.texts()[0]
            ids = row.ids[:SHOWN].tolist()
            inputs = {"input_ids": torch.tensor([ids], device=self.device)}
            if row.types is not None:
                types = torch.tensor(row.types[:SHOWN].tolist(), dtype=torch.int64)
                inputs["token_type_ids"] = types[None].to(self.device)
            yield LookedAt(
                row.number, partial(self.show, **inputs), token_texts(self.tokenizer, ids)
            )

    def show(self, model: Any, **inputs: torch.Tensor) -> Any:
        """Let the model read one row."""
        return model(**inputs)

    def evaluate(
        self, model: nn.Module, should_stop: Callable[[], bool] = never
    ) -> Evaluation | None:
        return self.evaluate_blocks(model, self.held_out, self._blocks(), should_stop)

    def _blocks(self) -> Iterable[Sequence[int]]:
        blocks = rows_by_length(self.held_out.lengths(), self.evaluation_tokens)
        return self.apart(self.held_out, blocks)

    @property
    def evaluation_parts(self) -> int:
        return sum(1 for _ in self._blocks())

    def evaluate_retention(
        self, model: nn.Module, should_stop: Callable[[], bool] = never
    ) -> Evaluation | None:
        assert self.retention is not None, "asked only where there are rows"
        blocks = self.apart(self.retention.source, self.retention.blocks())
        return self.evaluate_blocks(model, self.retention.source, blocks, should_stop)

    def evaluate_blocks(
        self,
        model: nn.Module,
        texts: Texts,
        blocks: Iterable[Sequence[int]],
        should_stop: Callable[[], bool],
    ) -> Evaluation | None:
        """Measure `model` on the rows of each block in turn; None where it is to stop."""
        raise NotImplementedError


# What configs call the number of positions that a model has learned.
POSITIONS = (
    "max_position_embeddings", "n_positions", "n_ctx", "max_sequence_length", "max_seq_len",
    "max_seq_length", "seq_length",
)  # fmt: skip
OFFSET = ("roberta", "xlm-roberta", "camembert", "xlm-roberta-xl", "roberta-prelayernorm", "mpnet",
          "longformer", "data2vec-text", "xmod", "ernie_m", "luke", "layoutlmv3")  # fmt: skip


def longest(config: RunConfig, model: str, tokenizer: Any) -> int:
    """Tokens that a row may have: what is configured, within model's and tokenizer's limits."""
    limits = [config.max_length]
    if not str(model).endswith(".gguf"):
        values = read_config(model)
        inner = values.get("text_config")  # of a model that reads images besides
        values = {**(inner if isinstance(inner, dict) else {}), **values}
        padding = values.get("pad_token_id")
        if padding is not None and type(padding) is not int:
            raise CheckpointError(
                f"{Path(model).name}: pad_token_id is {padding!a:.60}, which is no token. Correct "
                "it in config.json."
            )
        for value in (values.get(name) for name in POSITIONS):
            if isinstance(value, int) and value > 0:
                # These count positions from behind the padding token's.
                taken = (padding or 0) + 1
                offset = taken if values.get("model_type") in OFFSET else 0
                limits.append(max(1, value - offset))
    own = getattr(tokenizer, "model_max_length", WITHOUT_LIMIT)
    if type(own) not in (int, float) or not own >= 1:
        raise CheckpointError(
            f"{Path(model).name}: model_max_length of its tokenizer is {own!a:.60}, which is no "
            "number of tokens. Correct it in tokenizer_config.json, or take it out there."
        )
    limits.append(min(own, WITHOUT_LIMIT))
    return int(min(limits))


def divided(texts: Texts, share: float, seed: int) -> tuple[Texts, Texts]:
    """(training, held-out): rows apart by `split`, all examples of one row on the same side."""
    other = np.diff(texts.examples.numbers, prepend=-1) != 0  # than the row before it
    first = np.flatnonzero(other)
    labels = None if texts.single is None else texts.single[first]
    _, held = split(len(first), share, seed, labels)
    chosen = np.zeros(len(first), dtype=bool)
    chosen[held] = True
    held_out = chosen if len(first) == len(other) else chosen[np.cumsum(other) - 1]
    return texts.subset(np.flatnonzero(~held_out)), texts.subset(np.flatnonzero(held_out))


class Targeted(Protocol):
    """A part of a batch, with the tokens that it is to predict."""

    @property
    def targets(self) -> torch.Tensor: ...


T = TypeVar("T", bound=Targeted)


def mean_over_targets(
    parts: Iterable[T], mean: Callable[[T], torch.Tensor], should_stop: Callable[[], bool]
) -> Evaluation | None:
    """Mean loss per target token of all `parts`, from the `mean` of each; nan where none is.

    None where `should_stop` says between two of them that something else is more urgent.
    """
    total, count = 0.0, 0
    for part in parts:
        if should_stop():
            return None
        total += mean(part).item() * len(part.targets)
        count += len(part.targets)
    return Evaluation(loss=total / count if count else float("nan"))
