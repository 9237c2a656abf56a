"""Causal language models: go on with a text, learned at the supervised tokens only.

Rows are padded at the right and no mask is needed: a token sees only those before it, so padding
changes nothing for what stands before. Packed rows are told apart by positions that begin anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from lora_lab.config import RunConfig
from lora_lab.data.batching import batch_order
from lora_lab.data.encode import Example, encode_rows
from lora_lab.data.mapping import map_columns
from lora_lab.data.preview import text_record
from lora_lab.data.rows import read_table
from lora_lab.data.split import split
from lora_lab.errors import ConfigError, DataError
from lora_lab.models.hf_folder import open_model, open_tokenizer
from lora_lab.progress import Report, silent
from lora_lab.tasks.base import Evaluation, Task, never
from lora_lab.tasks.chunked_loss import chunked_cross_entropy
from lora_lab.tasks.lm_head import Head
from lora_lab.tasks.retention import RetentionSet, some_rows
from lora_lab.tasks.text import longest, needs, rows_by_length

EVAL_TOKENS = 4096  # of one forward pass of an evaluation, padding included
PROMPTS = 3  # held-out prompts to begin with
PACKED_AGREE = 1e-3  # of the largest state


class Part(NamedTuple):
    """Some rows of a batch, and where in them the loss looks."""

    ids: torch.Tensor  # (rows, tokens) of int64
    places: torch.Tensor | None  # (rows, tokens): position of each token in its own text, if packed
    positions: torch.Tensor  # (n) of int64, into rows · tokens: where a supervised token follows
    targets: torch.Tensor  # (n) of int64: that token


Row = Sequence[int]  # of examples that stand end to end in one row of a batch


class CausalLmTask(Task):
    """Mean cross-entropy over the supervised tokens of a batch."""

    name = "causal_lm"

    @classmethod
    def open(cls, config: RunConfig, report: Report = silent) -> CausalLmTask:
        """Read `config.data` as `config.model` will see it.

        Raises CheckpointError for the model's folder or tokenizer, DataError for the data, and
        ConfigError where one of them is not named.
        """
        model, data = needs(config)
        tokenizer = open_tokenizer(model)
        limit = longest(config, model, tokenizer)

        def read(path: str, few: bool = False) -> tuple[list[Example], Any, Any, tuple[str, ...]]:
            table = read_table(path, skip_bad=config.skip_bad_rows, report=report)
            table = some_rows(table) if few else table
            mapping = map_columns(table, "causal_lm", config.columns)
            skip = config.skip_bad_rows
            examples, notes = encode_rows(
                table, mapping, tokenizer, limit, skip_bad=skip, report=report
            )
            return examples, table, mapping, (*table.notes, *notes)

        examples, table, mapping, notes = read(data)
        if config.validation_data:
            train, held_out, _, _, more = examples, *read(config.validation_data)
            notes += more
        else:
            first, second = split(len(examples), config.validation, config.seed)
            train, held_out = [examples[i] for i in first], [examples[i] for i in second]
        if not train:
            raise DataError(f"{table.path.name}: there is no row to train on.")
        task = cls(config, tokenizer, train, held_out, limit, report)
        if config.keep_data:
            old, _, _, more = read(config.keep_data, few=True)
            task.set_retention(old)
            notes += more
        task.form = mapping.form
        task.data = text_record(
            table, mapping, "causal_lm", tokenizer, train, held_out, limit, notes
        )
        return task

    def __init__(
        self,
        config: RunConfig,
        tokenizer: Any,
        train: list[Example],
        held_out: list[Example],
        limit: int,
        report: Report = silent,
    ) -> None:
        self.config, self.tokenizer, self.limit = config, tokenizer, limit
        self.train, self.held_out = train, held_out
        self.rows = len(train)
        self.base = str(config.model)
        self.form = "text"
        self.device = torch.device("cpu")
        self._report = report
        self._lengths = np.array([len(example.ids) for example in train])
        pad = tokenizer.pad_token_id
        self._pad = tokenizer.eos_token_id if pad is None else pad
        self._pad = 0 if self._pad is None else self._pad
        self._head: Head | None = None

    def set_retention(self, examples: list[Example]) -> None:
        """Rows of the old task, to be measured beside the held-out ones."""
        self.retention = RetentionSet(
            examples, [len(example.ids) for example in examples], EVAL_TOKENS
        )

    def base_model(self) -> nn.Module:
        """The model of `config.model` in the config's dtype."""
        config = self.config
        opened = open_model(
            config.model,
            "causal_lm",
            dtype=getattr(torch, config.dtype),
            seed=config.seed,
            report=self._report,
        )
        model = opened.module
        self.base, self.new_layers, self.notes = opened.name, opened.new_layers, opened.notes
        self._head = Head(model)
        if config.batching == "packed":
            self._check_packed(model)
        if config.checkpointing:
            enable_checkpointing(model)
        return model

    def to(self, device: torch.device, dtype: torch.dtype) -> None:
        self.device = device

    def batches(self, batch_size: int, seed: int, skip: int = 0) -> Iterator[list[Row]]:
        how, limit = self.config.batching, self.limit
        for batch in batch_order(self._lengths, batch_size, seed, how, limit, skip):
            yield [[int(i)] if np.ndim(i) == 0 else [int(j) for j in i] for i in batch]

    def parts(self, batch: list[Row], count: int) -> list[tuple[Part, float]]:
        """Rows of like length in one part, which is as large as a `count`-th of the largest batch.

        So the longest texts bound the memory, and short ones still go through in one piece.
        """
        width = [sum(len(self.train[i].ids) for i in row) for row in batch]
        pieces = rows_by_length(width, self._budget(count))
        parts = [self._collated(self.train, [batch[i] for i in piece]) for piece in pieces]
        total = sum(len(part.targets) for part in parts)
        return [(part, len(part.targets) / total) for part in parts]

    def heaviest(self, batch_size: int, count: int) -> Part:
        """The part of a step that takes the most memory: of the longest rows."""
        longest_first = np.argsort(-self._lengths, kind="stable")[:batch_size]
        parts = self.parts([[int(i)] for i in longest_first], count)
        return max((part for part, _ in parts), key=lambda part: part.ids.numel())

    def _budget(self, count: int) -> int:
        """Tokens of one part, padding included."""
        return math.ceil(self.config.batch_size * int(self._lengths.max()) / count)

    def loss(self, model: nn.Module, batch: Part) -> torch.Tensor:
        return self._mean(model, batch)

    def evaluate(
        self, model: nn.Module, should_stop: Callable[[], bool] = never
    ) -> Evaluation | None:
        """Mean loss per supervised token of the held-out rows; nan where none are held out."""
        blocks = rows_by_length([len(e.ids) for e in self.held_out], EVAL_TOKENS)
        return self._evaluation(model, self.held_out, blocks, should_stop)

    def evaluate_retention(
        self, model: nn.Module, should_stop: Callable[[], bool] = never
    ) -> Evaluation | None:
        return self._evaluation(model, self.retention.source, self.retention.blocks(), should_stop)

    def _evaluation(
        self,
        model: nn.Module,
        source: list[Example],
        blocks: Iterable[Sequence[int]],
        should_stop: Callable[[], bool],
    ) -> Evaluation | None:
        total, count = 0.0, 0
        for rows in blocks:
            if should_stop():
                return None
            part = self._collated(source, [[int(i)] for i in rows])
            total += self._mean(model, part).item() * len(part.targets)
            count += len(part.targets)
        return Evaluation(loss=total / count if count else float("nan"))

    def prompts(self) -> tuple[str, ...]:
        """What to ask to begin with: the config's, or the beginnings of held-out rows."""
        if self.config.prompts:
            return self.config.prompts
        found = []
        for example in self.held_out:
            start = int(example.supervised.argmax())
            if start > 1:
                found.append(self.tokenizer.decode(example.ids[:start], skip_special_tokens=False))
            if len(found) == PROMPTS:
                break
        return tuple(found)

    @torch.no_grad()
    def generate(self, model: nn.Module, prompts: Sequence[str], max_new_tokens: int) -> list[str]:
        """Greedy continuations, one prompt at a time; a chat model's prompt is what a user says."""
        said = []
        for prompt in prompts:
            ids = self._prompt_ids(prompt)[-self.limit :]
            inputs = torch.tensor([ids], device=self.device)
            found = model.generate(
                inputs,
                attention_mask=torch.ones_like(inputs),
                max_new_tokens=max_new_tokens,
                do_sample=False,
                pad_token_id=self._pad,
            )
            said.append(self.tokenizer.decode(found[0, len(ids) :], skip_special_tokens=True))
        return said

    def _prompt_ids(self, prompt: str) -> list[int]:
        if self.form == "chat" and prompt not in self.prompts():
            turn = [{"role": "user", "content": prompt}]
            prompt = self.tokenizer.apply_chat_template(
                turn, tokenize=False, add_generation_prompt=True
            )
        elif self.form != "chat" and not self.tokenizer.bos_token:
            return list(self.tokenizer(prompt)["input_ids"])
        special = not prompt.startswith(self.tokenizer.bos_token or "\0")
        return list(self.tokenizer(prompt, add_special_tokens=special)["input_ids"])

    def _mean(self, model: nn.Module, part: Part) -> torch.Tensor:
        head = self._head
        assert head is not None, "base_model comes first"
        inputs = {"input_ids": part.ids}
        if part.places is not None:
            inputs["position_ids"] = part.places
        if head.apart:
            states = head.hidden(model, **inputs)
            states = states.flatten(0, 1).index_select(0, part.positions)  # (n, width)
            trained = [p for p in model.get_output_embeddings().parameters() if p.requires_grad]
            return chunked_cross_entropy(
                states, part.targets, lambda h: head.logits(model, h), head.vocabulary, trained
            )
        logits = model(**inputs, use_cache=False, return_dict=True).logits
        logits = logits.flatten(0, 1).index_select(0, part.positions)
        return nn.functional.cross_entropy(logits.float(), part.targets)

    def _collated(self, source: list[Example], rows: list[Row]) -> Part:
        width = max(sum(len(source[i].ids) for i in row) for row in rows)
        ids = np.full((len(rows), width), self._pad, dtype=np.int64)
        places = np.zeros((len(rows), width), dtype=np.int64)
        asked = np.zeros((len(rows), width), dtype=bool)
        for row, examples in enumerate(rows):
            at = 0
            for example in (source[i] for i in examples):
                end = at + len(example.ids)
                ids[row, at:end] = example.ids
                places[row, at:end] = np.arange(end - at)
                asked[row, at:end] = example.supervised
                asked[row, at] = False  # nothing comes before it
                at = end
            places[row, at:] = np.arange(width - at)  # padding is a text of its own
        found = np.flatnonzero(asked)
        packed = self.config.batching == "packed" and any(len(row) > 1 for row in rows)
        tensors = (ids, places if packed else None, found - 1, ids.reshape(-1)[found])
        return Part(*(None if t is None else torch.from_numpy(t).to(self.device) for t in tensors))

    @torch.no_grad()
    def _check_packed(self, model: nn.Module) -> None:
        """Refuse to pack where the model would look across the seam of two texts."""
        model.eval()
        ids = torch.arange(10)[None] % 7 + 1
        places = torch.tensor([[0, 1, 2, 3, 0, 1, 2, 3, 4, 5]])
        agrees = False
        if self._head is not None and self._head.apart:
            together = self._head.hidden(model, input_ids=ids, position_ids=places)[:, 4:]
            alone = self._head.hidden(model, input_ids=ids[:, 4:])
            agrees = bool((together - alone).abs().max() <= PACKED_AGREE * alone.abs().max())
        if not agrees:
            raise ConfigError(
                "This model cannot tell packed texts apart. Choose bucketed batches instead."
            )


def enable_checkpointing(model: nn.Module) -> None:
    """Keep a layer's inputs only and compute the rest again; raises ConfigError where it cannot."""
    if not getattr(model, "supports_gradient_checkpointing", False):
        raise ConfigError(
            "This model cannot compute its activations twice. Leave checkpointing off."
        )
    how = {"use_reentrant": False}
    if hasattr(model, "activation_checkpointing_enable"):  # its name in newer transformers
        model.activation_checkpointing_enable(activation_checkpointing_kwargs=how)
    else:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs=how)
