"""Causal language models: the next token of a text, learned at the supervised tokens only.

Rows are padded at the right and no mask is needed: a token sees only those before it, so padding
changes nothing for the tokens before it. Packed rows are separated by restarting positions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from lora_lab.data.batching import rows_by_length
from lora_lab.data.dialogue import instruction_prompt
from lora_lab.data.encode import encode_rows
from lora_lab.data.preview import ROWS
from lora_lab.data.template_budget import budget
from lora_lab.data.token_rows import Example
from lora_lab.errors import CheckpointError, ConfigError, LabError
from lora_lab.models.architecture import shown_the_answers
from lora_lab.models.row_probe import looks_ahead
from lora_lab.sampling import AS_ROWS, CHAT, GREEDY, Sampling
from lora_lab.tasks.base import Evaluation, never
from lora_lab.tasks.chunked_loss import CHUNK, chunked_cross_entropy
from lora_lab.tasks.generating import generated
from lora_lab.tasks.lm_head import AGREE, AGREE_HALF, Head
from lora_lab.tasks.padding import onto
from lora_lab.tasks.shared_prefix import as_mask, check_shared, groups, laid
from lora_lab.tasks.text import Encoded, Texts, TextTask, mean_over_targets
from lora_lab.tasks.token_scores import scored, token_figures
from lora_lab.tasks.trunk import Lengths

BEGINNINGS = 3  # held-out prompts to begin with
SHARING = 20  # batches that are looked at for what they share
PACKED_AGREE = 1e-3  # of the largest state


class TokenPart(NamedTuple):
    """Some rows of a batch, and where in them the loss looks."""

    ids: torch.Tensor  # (rows, tokens) of int64
    places: torch.Tensor | None  # (rows, tokens): position of each token in its own text, if packed
    positions: torch.Tensor  # (n) of int64, into rows · tokens: where a supervised token follows
    targets: torch.Tensor  # (n) of int64: that token
    lengths: Lengths = ()  # of the texts in each row; (): nobody is to know them
    seen: torch.Tensor | None = None  # (tokens, tokens) of bool: of rows that share a prefix


PackedRow = Sequence[int]  # of examples that stand end to end in one row of a batch


class CausalLmTask(TextTask):
    """Mean cross-entropy over the supervised tokens of a batch."""

    name = "causal_lm"
    evaluation_tokens = 4096

    @classmethod
    def encode(
        cls, *table: Any, classes: Sequence[str] | None, stops: frozenset[str], **settings: Any
    ) -> Encoded:
        examples, notes = encode_rows(*table, stops=stops, **settings)
        return Encoded(Texts(examples), (), notes)

    def base_model(self) -> nn.Module:
        """The model of `config.model` in the config's dtype.

        Raises CheckpointError too for one that is shown the tokens that it is to predict.
        """
        model = self.open_pretrained("causal_lm")
        if looks_ahead(model, self.base):
            raise CheckpointError(shown_the_answers(model.config, self.base))
        self._head = Head(model)
        if self.config.batching == "packed":
            self._check_packed(model)
        if self.config.share_prefix:
            self._check_shared(model)
        return model

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.chats = bool(getattr(self.tokenizer, "chat_template", None))
        pad = self.tokenizer.pad_token_id
        pad = self.tokenizer.eos_token_id if pad is None else pad
        self._pad = 0 if pad is None else pad
        self._head: Head | None = None

    def batches(self, batch_size: int, seed: int, skip: int = 0) -> Iterator[list[PackedRow]]:
        for batch in self.in_order(batch_size, seed, skip):
            yield [[int(i)] if np.ndim(i) == 0 else [int(j) for j in i] for i in batch]

    def parts(self, batch: list[PackedRow], count: int) -> list[tuple[TokenPart, float]]:
        """Rows of like length in one part, as many as `part_tokens` has room for."""
        width = [sum(int(self.lengths[i]) for i in row) for row in batch]
        pieces = rows_by_length(width, self.part_tokens(count))
        return self.weighed([x for p in pieces for x in self._trained([batch[i] for i in p])])

    def weight(self, part: TokenPart) -> float:
        return len(part.targets)

    def tokens(self, batch: list[PackedRow]) -> int:
        return int(sum(self.lengths[i] for row in batch for i in row))

    def heaviest(self, batch_size: int, count: int) -> TokenPart:
        """The part of a step that takes the most memory: of the longest rows.

        Where these share a prefix others may share less, so some batches of a run are looked at.
        """
        batches = [[[i] for i in self.longest_first(batch_size)]]
        if self.config.share_prefix and batch_size > 1:
            batches += islice(self.batches(batch_size, 0), SHARING)
        parts = (part for batch in batches for part, _ in self.parts(batch, count))
        return max(parts, key=lambda part: part.ids.numel())

    @property
    def unlabelled_rows(self) -> int:
        return int((self.train.examples.asked == 0).sum())

    def loss(self, model: nn.Module, batch: TokenPart) -> torch.Tensor:
        return self._mean(model, batch, self.config.label_smoothing)

    def evaluate_blocks(
        self,
        model: nn.Module,
        texts: Texts,
        blocks: Iterable[Sequence[int]],
        should_stop: Callable[[], bool],
    ) -> Evaluation | None:
        """Mean loss per supervised token, its exponential, and how many are the likeliest ones.

        nan where there are no rows.
        """
        parts = (self._collated(texts.examples, [[int(i)] for i in rows]) for rows in blocks)
        right = asked = 0

        def mean(part: TokenPart) -> torch.Tensor:
            nonlocal right, asked
            losses, hits = self.token_losses(model, part)
            right, asked = right + int(hits.sum()), asked + len(hits)
            return losses.mean()

        found = mean_over_targets(parts, mean, should_stop)
        if found is None or not asked:
            return found
        return replace(found, figures=token_figures(found.loss, right / asked))

    def row_losses(self, model: nn.Module, row: int) -> tuple[float, ...]:
        """Of every token that something comes before, whether the loss looks at it or not."""
        example = next((x for x in self.train.examples[:ROWS] if x.number == row), None)
        if example is None:
            raise LabError(f"Row {row:,} is none of the rows that are shown.")
        ids = torch.from_numpy(np.asarray(example.ids, np.int64)).to(self.device)
        positions = torch.arange(len(ids) - 1, device=self.device)
        losses, _ = self.token_losses(model, TokenPart(ids[None], None, positions, ids[1:]))
        return (math.nan, *losses.tolist())

    @torch.no_grad()
    def token_losses(self, model: nn.Module, part: TokenPart) -> tuple[torch.Tensor, torch.Tensor]:
        """Cross-entropy of each target (n) in float32, and whether it is the likeliest (n)."""
        head = self._head
        assert head is not None, "base_model comes first"
        inputs = {"input_ids": part.ids}
        if part.places is not None:
            inputs["position_ids"] = part.places
        if not head.apart:
            logits = model(**inputs, use_cache=False, return_dict=True).logits
            return scored(logits.flatten(0, 1).index_select(0, part.positions), part.targets)
        states = head.hidden(model, part.lengths, **inputs).flatten(0, 1)
        states = states.index_select(0, part.positions)
        rows = max(1, CHUNK // head.vocabulary)  # never the logits of all at once
        pieces = zip(states.split(rows), part.targets.split(rows), strict=True)
        scores = [scored(head.logits(model, h), targets) for h, targets in pieces]
        return torch.cat([x for x, _ in scores]), torch.cat([x for _, x in scores])

    def prompts(self) -> tuple[str, ...]:
        """Prompts to generate from: the config's, or the beginnings of validation rows."""
        return self.config.prompts or tuple(self._beginnings)

    @cached_property
    def _beginnings(self) -> dict[str, list[int]]:
        """What stands before the first label token of some validation rows, and its ids."""
        texts: dict[str, list[int]] = {}
        for example in self.held_out.examples:
            start = int(example.supervised.argmax())
            if start > 1:
                ids = example.ids[:start].tolist()
                texts.setdefault(self.tokenizer.decode(ids, skip_special_tokens=False), ids)
            if len(texts) == BEGINNINGS:
                break
        return texts

    def show(self, model: nn.Module, **inputs: torch.Tensor) -> Any:
        assert self._head is not None, "base_model comes first"
        if self._head.apart:
            return self._head.hidden(model, **inputs)
        return model(**inputs, use_cache=False)

    @property
    def head(self) -> Head | None:
        """Body and head of the model, where they may be called apart."""
        return self._head if self._head is not None and self._head.apart else None

    def generate(
        self,
        model: nn.Module,
        prompt: str,
        max_new_tokens: int,
        sampling: Sampling = GREEDY,
        should_stop: Callable[[], bool] = never,
    ) -> str:
        """What continues the prompt; of a chat model that is what a user says."""
        ids = self._prompt_ids(prompt, sampling.prompt)[-self.limit :]
        return generated(
            model, {"input_ids": torch.tensor([ids], device=self.device)}, self.tokenizer, sampling,
            begin=len(ids), max_new_tokens=max_new_tokens, pad=self._pad, should_stop=should_stop,
        )  # fmt: skip

    def _prompt_ids(self, prompt: str, kind: str) -> list[int]:
        """A typed prompt in the very form that rows are trained in; validation ones as they are."""
        if kind != CHAT and prompt in self._beginnings:
            return self._beginnings[prompt]
        chat = kind == CHAT or (kind == AS_ROWS and self.form == "chat")
        if chat:
            if not self.chats:
                raise LabError(
                    "This checkpoint has no chat template, so it knows no users. Let the prompt be "
                    "text."
                )
            turn = [{"role": "user", "content": prompt}]
            with budget():
                prompt = self.tokenizer.apply_chat_template(
                    turn, tokenize=False, add_generation_prompt=True
                )
        elif kind == AS_ROWS and self.form == "instruction":
            prompt = instruction_prompt(prompt)
        bos = self.tokenizer.bos_token
        special = not chat and not (bos and prompt.startswith(bos))
        return list(self.tokenizer(prompt, add_special_tokens=special)["input_ids"])

    def _mean(self, model: nn.Module, part: TokenPart, smoothing: float = 0.0) -> torch.Tensor:
        head = self._head
        assert head is not None, "base_model comes first"
        inputs = {"input_ids": part.ids}
        if part.places is not None:
            inputs["position_ids"] = part.places
        if part.seen is not None:
            inputs["attention_mask"] = as_mask(part.seen, getattr(torch, self.config.dtype))
        if head.apart:
            states = head.hidden(model, part.lengths, **inputs)
            states = states.flatten(0, 1).index_select(0, part.positions)  # (n, width)
            trained = [p for p in model.get_output_embeddings().parameters() if p.requires_grad]
            return chunked_cross_entropy(
                states, part.targets, lambda h: head.logits(model, h), head.vocabulary, trained,
                smoothing,
            )  # fmt: skip
        logits = model(**inputs, use_cache=False, return_dict=True).logits
        logits = logits.flatten(0, 1).index_select(0, part.positions)
        return nn.functional.cross_entropy(logits.float(), part.targets, label_smoothing=smoothing)

    def _trained(self, rows: list[PackedRow]) -> Iterator[TokenPart]:
        """These rows of `train`, in one part or in several that share a prefix."""
        examples = self.train.examples
        if not self.config.share_prefix:
            yield self._collated(examples, rows)
            return
        for prefix, texts in groups([examples[i] for (i,) in rows]):
            if not prefix:
                yield self._collated(examples, rows)
                continue
            row = [onto(self.device, x) for x in laid(prefix, texts)]
            ids, places, seen, positions, targets = row
            yield TokenPart(ids[None], places[None], positions, targets, (), seen)

    def _collated(self, source: Sequence[Example], rows: list[PackedRow]) -> TokenPart:
        found = [[source[i] for i in row] for row in rows]
        width = max(sum(len(example.ids) for example in row) for row in found)
        ids = np.full((len(rows), width), self._pad, dtype=np.int64)
        places = np.zeros((len(rows), width), dtype=np.int64)
        asked = np.zeros((len(rows), width), dtype=bool)
        for row, examples in enumerate(found):
            at = 0
            for example in examples:
                end = at + len(example.ids)
                ids[row, at:end] = example.ids
                places[row, at:end] = np.arange(end - at)
                asked[row, at:end] = example.supervised
                asked[row, at] = False  # nothing comes before it
                at = end
            places[row, at:] = np.arange(width - at)  # padding is a text of its own
        supervised = np.flatnonzero(asked)
        packed = self.config.batching == "packed" and any(len(row) > 1 for row in rows)
        targets = ids.reshape(-1)[supervised]
        tensors = (ids, places if packed else None, supervised - 1, targets)
        return TokenPart(
            *(None if t is None else onto(self.device, t) for t in tensors),
            lengths=[[len(example.ids) for example in row] for row in found],
        )

    def _check_shared(self, model: nn.Module) -> None:
        """Refuse shared prefixes where they would not give each row's own states."""
        head = self._head
        assert head is not None, "base_model comes first"
        if self.config.batching == "packed":
            raise ConfigError(
                "Packed rows share no prefix. Take another batching, or none to share."
            )

        def states(model: Any, **inputs: torch.Tensor) -> torch.Tensor:
            return head.hidden(model, **inputs) if head.apart else model(**inputs).logits

        dtype = getattr(torch, self.config.dtype)
        close = AGREE_HALF if dtype.itemsize < 4 else AGREE
        check_shared(model, states, int(self.lengths.max()), dtype, close)

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
