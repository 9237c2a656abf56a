"""Sequence to sequence: an encoder reads a text, a decoder says what it is to become."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from lora_lab.config import RunConfig
from lora_lab.data.sources import encode_sources
from lora_lab.errors import CheckpointError, LabError
from lora_lab.models.architecture import first_line
from lora_lab.models.hf_config import read_config
from lora_lab.sampling import AS_ROWS, CHAT, GREEDY, Sampling
from lora_lab.tasks.base import Evaluation, never
from lora_lab.tasks.generating import generated
from lora_lab.tasks.padded import PaddedTask
from lora_lab.tasks.padding import Padding, onto
from lora_lab.tasks.text import Encoded, Texts, mean_over_targets
from lora_lab.tasks.token_scores import check_own_loss

BEGINNINGS = 3  # validation sources to begin with
NONE = -100  # the label of the padding, as in transformers


class AnsweredPart(NamedTuple):
    """Some sources of a batch, side by side, and their targets."""

    inputs: dict[str, torch.Tensor]  # as in `padding.inputs_of`
    labels: torch.Tensor  # (rows, tokens of targets) of int64, NONE in the padding
    positions: torch.Tensor  # (n) of int64, into rows · tokens: those that are not padding
    targets: torch.Tensor  # (n) of int64: the labels there


class Seq2SeqTask(PaddedTask[AnsweredPart]):
    """Mean cross-entropy over the target tokens of a batch, the decoder being given those before.

    What the decoder is given is the model's own: each family begins its targets in its own way.
    """

    name = "seq2seq"
    evaluation_tokens = 4096

    @classmethod
    def encode(
        cls, *table: Any, classes: Sequence[str] | None, stops: frozenset[str], **settings: Any
    ) -> Encoded:
        rows, notes = encode_sources(*table, **settings)
        return Encoded(Texts(rows), (), notes)

    @classmethod
    def encoding(cls, config: RunConfig) -> dict[str, Any]:
        values = read_config(str(config.model))
        most = [values.get(f"max_{side}_position_embeddings") for side in ("encoder", "decoder")]
        longest = [n if isinstance(n, int) and n > 0 else config.max_length for n in most]
        return {"prefix": config.source_prefix, "longest": tuple(longest)}

    def base_model(self) -> nn.Module:
        """The model of `config.model` in the config's dtype.

        Raises CheckpointError where its own loss is another than that of its logits.
        """
        model = self.open_pretrained("seq2seq")
        labels = torch.tensor(self.train.examples[0].target.ids, dtype=torch.int64)[None]
        self.fitted(model, {**_decoder_inputs(model, labels[:, :4]), "use_cache": False})
        self._check_loss(model)
        return model

    def weight(self, part: AnsweredPart) -> float:
        return len(part.targets)

    def size(self, part: AnsweredPart) -> int:
        return super().size(part) + part.labels.numel()

    def loss(self, model: nn.Module, batch: AnsweredPart) -> torch.Tensor:
        return self._mean(model, batch, self.config.label_smoothing)

    def evaluate_blocks(
        self,
        model: nn.Module,
        texts: Texts,
        blocks: Iterable[Sequence[int]],
        should_stop: Callable[[], bool],
    ) -> Evaluation | None:
        """Mean loss per target token; nan where there are no rows."""
        parts = (self.collated(texts, np.asarray(rows)) for rows in blocks)
        return mean_over_targets(parts, partial(self._mean, model), should_stop)

    def prompts(self) -> tuple[str, ...]:
        """Texts to generate from: the config's, or sources of validation rows."""
        return self.config.prompts or tuple(self._sources)

    @cached_property
    def _sources(self) -> dict[str, list[int]]:
        ids = [e.source.ids.tolist() for e in self.held_out.examples[:BEGINNINGS]]
        return {self.tokenizer.decode(row, skip_special_tokens=True): row for row in ids}

    def show(self, model: nn.Module, **inputs: torch.Tensor) -> Any:
        return model.get_encoder()(**inputs)  # a row is what the encoder reads

    def generate(
        self,
        model: nn.Module,
        prompt: str,
        max_new_tokens: int,
        sampling: Sampling = GREEDY,
        should_stop: Callable[[], bool] = never,
    ) -> str:
        """The answer to a source; a typed one gets the prefix of the run, unless it is text."""
        if sampling.prompt == CHAT:
            raise LabError("An encoder-decoder knows no users. Let the prompt be as the data is.")
        prefix = self.config.source_prefix if sampling.prompt == AS_ROWS else ""
        known = self._sources.get(prompt) if sampling.prompt == AS_ROWS else None
        ids = (
            known
            or self.tokenizer(prefix + prompt, truncation=True, max_length=self.limit)["input_ids"]
        )
        return generated(
            model, {"input_ids": torch.tensor([ids], device=self.device)}, self.tokenizer, sampling,
            begin=0, max_new_tokens=max_new_tokens, pad=self.padding.token, should_stop=should_stop,
        )  # fmt: skip

    def collated(self, texts: Texts, rows: np.ndarray) -> AnsweredPart:
        examples = [texts.examples[i] for i in rows]
        labels = Padding(NONE).grid([e.target.ids for e in examples], NONE)
        positions = np.flatnonzero(labels != NONE)
        tensors = (labels, positions, labels.reshape(-1)[positions])
        inputs = self.side_by_side([e.source for e in examples])
        return AnsweredPart(inputs, *(onto(self.device, t) for t in tensors))

    def _mean(self, model: nn.Module, part: AnsweredPart, smoothing: float = 0.0) -> torch.Tensor:
        given = _decoder_inputs(model, part.labels)
        logits = model(**part.inputs, **given, use_cache=False, return_dict=True).logits
        logits = logits.flatten(0, 1).index_select(0, part.positions).float()
        return F.cross_entropy(logits, part.targets, label_smoothing=smoothing)

    @torch.no_grad()
    def _check_loss(self, model: Any) -> None:
        """Refuse a model that computes its loss otherwise, as ProphetNet of several tokens."""
        part = self.collated(self.train, np.array([0]))
        mine, kind = self._mean(model, part), model.config.model_type
        try:
            own = model(**part.inputs, labels=part.labels.clone(), use_cache=False).loss.float()
        except Exception as error:  # each model fails in its own way
            raise CheckpointError(
                f"{self.base}: this {kind} model cannot compute its loss ({first_line(error)}). "
                "Choose another model."
            ) from error
        check_own_loss(model, self.base, own, mine)


def _decoder_inputs(model: Any, labels: torch.Tensor) -> dict[str, torch.Tensor]:
    """What the decoder is given for these labels: shifted by the model itself, here or inside."""
    if hasattr(model, "prepare_decoder_input_ids_from_labels"):
        return {"decoder_input_ids": model.prepare_decoder_input_ids_from_labels(labels.clone())}
    return {"labels": labels.clone()}
