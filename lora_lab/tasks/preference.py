"""Preference: of two answers the chosen one becomes likelier, by direct preference optimization.

DPO (Rafailov et al. 2023, arXiv 2305.18290) needs what a reference model says of both answers. Here
that is the model itself with its adapters switched off, so there is no second one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from lora_lab.adapters.inject import adapter_layers, switched
from lora_lab.config import RunConfig
from lora_lab.data.batching import rows_by_length
from lora_lab.data.preferences import encode_pairs
from lora_lab.errors import ConfigError
from lora_lab.progress import Report, silent
from lora_lab.tasks.base import Evaluation
from lora_lab.tasks.causal_lm import CausalLmTask, TokenPart
from lora_lab.tasks.text import Encoded, Texts
from lora_lab.tasks.token_scores import summed_scores


class PairPart(NamedTuple):
    """Some pairs of a batch: the chosen texts in the first half of the rows, then the rejected."""

    tokens: TokenPart  # (2 · pairs) rows
    owners: torch.Tensor  # (n) of int64: the row of each position in `tokens`
    texts: Texts
    rows: tuple[int, ...]  # numbers of the pairs in `texts`
    fixed: bool = False  # whether these pairs always come together, as in an evaluation


class PreferenceTask(CausalLmTask):
    """−log σ(β·((log π − log π₀)(chosen) − (log π − log π₀)(rejected))), a mean over pairs.

    log π is summed over the tokens of an answer; π₀ is the model without its adapters.
    """

    name = "preference"
    evaluation_tokens = 4096

    @classmethod
    def open(cls, config: RunConfig, report: Report = silent) -> PreferenceTask:
        """As in `TextTask`; raises ConfigError for packed batches and shared prefixes too."""
        if config.share_prefix:
            raise ConfigError("Preference pairs share no prefix here. Leave --share-prefix out.")
        if config.batching == "packed":
            raise ConfigError(
                "Preference pairs cannot be packed: the loss is of each answer as a whole. Choose "
                "bucketed batches instead."
            )
        return super().open(config, report)

    @classmethod
    def encode(
        cls, *table: Any, classes: Sequence[str] | None, stops: frozenset[str], **settings: Any
    ) -> Encoded:
        pairs, notes = encode_pairs(*table, stops=stops, **settings)
        return Encoded(Texts(pairs), (), notes)

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        if self.train.examples[0].chat:  # so that a typed prompt is what a user says
            self.form = "chat"
        self._known: dict[tuple[int, tuple[int, ...]], torch.Tensor] = {}  # (set, rows): (2, rows)

    def batches(self, batch_size: int, seed: int, skip: int = 0) -> Iterator[list[int]]:
        for batch in self.in_order(batch_size, seed, skip):
            yield [int(i) for i in batch]

    def tokens(self, batch: list[int]) -> int:
        return int(self.lengths[batch].sum())

    def parts(self, batch: list[int], count: int) -> list[tuple[PairPart, float]]:
        """Pairs of like length in one part, as many as `part_tokens` has room for."""
        pieces = rows_by_length([int(self.lengths[i]) for i in batch], self.part_tokens(count))
        return self.weighed([self._paired(self.train, [batch[i] for i in p]) for p in pieces])

    def weight(self, part: PairPart) -> float:
        return len(part.rows)

    def heaviest(self, batch_size: int, count: int) -> PairPart:
        """The part of a step that takes the most memory: of the longest pairs."""
        parts = self.parts(self.longest_first(batch_size), count)
        return max((part for part, _ in parts), key=lambda part: part.tokens.ids.numel())

    def loss(self, model: nn.Module, batch: PairPart) -> torch.Tensor:
        return F.softplus(-self.margins(model, batch)).mean()

    def margins(self, model: nn.Module, part: PairPart) -> torch.Tensor:
        """(pairs) of float32: the reward of the chosen answer over that of the rejected one."""
        reference = self.reference(model, part)  # first, since it keeps nothing for a backward
        chosen, rejected = (self._scores(model, part) - reference).chunk(2)
        return self.config.dpo_beta * (chosen - rejected)

    @torch.no_grad()
    def reference(self, model: nn.Module, part: PairPart) -> torch.Tensor:
        """(2 · pairs) of float32: log π₀ of every answer, computed once for each pair.

        Each pair is computed by itself, since batches change: what is kept depends on none, so that
        a run that is resumed goes on to the bit. Those that always come together are computed
        together, so that without an adapter every margin is exactly 0.
        """
        groups = [part.rows] if part.fixed else [(row,) for row in part.rows]
        mode = {module: module.training for module in model.modules()}
        model.eval()
        try:
            with switched(adapter_layers(model), False):
                for rows in groups:
                    if (id(part.texts), rows) not in self._known:
                        found = self._scores(model, self._paired(part.texts, rows))
                        self._known[id(part.texts), rows] = found.view(2, -1)
        finally:
            for module, training in mode.items():
                module.training = training
        return torch.cat([self._known[id(part.texts), rows] for rows in groups], 1).flatten()

    def evaluate_blocks(
        self,
        model: nn.Module,
        texts: Texts,
        blocks: Iterable[Sequence[int]],
        should_stop: Callable[[], bool],
    ) -> Evaluation | None:
        """Mean loss and margin over the pairs, and the share of them whose margin is above 0."""
        found: list[torch.Tensor] = []
        for rows in blocks:
            if should_stop():
                return None
            part = self._paired(texts, rows)._replace(fixed=True)
            found.append(self.margins(model, part))
        if not found:
            return Evaluation(loss=float("nan"))
        margins = torch.cat(found).cpu().double()
        return Evaluation(
            loss=F.softplus(-margins).mean().item(),
            accuracy=(margins > 0).double().mean().item(),
            figures=(("reward margin", margins.mean().item()),),
        )

    def _scores(self, model: nn.Module, part: PairPart) -> torch.Tensor:
        """(2 · pairs) of float32: the log-probability of every answer, summed over its tokens."""
        assert self._head is not None, "base_model comes first"
        count = len(part.tokens.ids)
        return summed_scores(model, self._head, part.tokens, part.owners, count)

    def _paired(self, texts: Texts, rows: Sequence[int]) -> PairPart:
        pairs = [texts.examples[i] for i in rows]
        both = [*(pair.chosen for pair in pairs), *(pair.rejected for pair in pairs)]
        tokens = self._collated(both, [[i] for i in range(len(both))])
        width = tokens.ids.shape[1]
        return PairPart(tokens, tokens.positions // width, texts, tuple(int(i) for i in rows))
