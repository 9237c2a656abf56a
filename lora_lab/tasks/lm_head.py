"""How a causal language model makes logits of its last hidden states, checked on the model itself.

transformers computes the logits of every position. To compute them at some positions only, its body
and its head are called apart, with what some architectures do to the logits in between. Whether
that gives the model's own logits is tried out once; where it does not, the model is called whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from functools import cache, wraps
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import nn

from lora_lab.tasks.trunk import Lengths, Trunk

AGREE = 1e-3  # of the largest logit: float32 rounds by 1e-6, bfloat16 by 4e-3
AGREE_HALF = 2e-2

_packed: ContextVar[bool | None] = ContextVar("packed", default=None)


class Head:
    """Body and head of one model; `apart`: whether they may be called one after the other."""

    def __init__(self, model: nn.Module) -> None:
        """`model` is a transformers causal language model without adapters."""
        config = model.config
        self.vocabulary = int(config.get_text_config().vocab_size)
        self._cap = getattr(config, "final_logit_softcapping", None)
        self._factor = _number(config, "logit_scale") / _number(config, "logits_scaling")
        # Of each model whose lower layers have no adapter; several may train over one base.
        self.trunks: WeakKeyDictionary[nn.Module, Trunk] = WeakKeyDictionary()
        self.apart = self._agrees(model)

    def hidden(self, model: Any, lengths: Lengths = (), **inputs: torch.Tensor) -> torch.Tensor:
        """(batch, tokens, width): what the head looks at; `apart` only.

        `lengths` of the texts in each row, where they are known: its trunk may know them.
        """
        trunk = self.trunks.get(model) if lengths else None
        around = trunk.standing_in(inputs["input_ids"], lengths) if trunk else nullcontext()
        with around, _told("position_ids" in inputs):
            return model.base_model(**inputs, use_cache=False, return_dict=True).last_hidden_state

    def logits(self, model: Any, hidden: torch.Tensor) -> torch.Tensor:
        """(n, width) → (n, vocabulary)."""
        logits = model.get_output_embeddings()(hidden)
        if self._factor != 1:
            logits = logits * self._factor
        if self._cap is not None:
            logits = torch.tanh(logits / self._cap) * self._cap
        return logits

    @torch.no_grad()
    def _agrees(self, model: Any) -> bool:
        if model.get_output_embeddings() is None:
            return False
        ids = torch.arange(4)[None] % self.vocabulary
        training = model.training
        model.eval()
        try:
            wanted = model(input_ids=ids, use_cache=False, return_dict=True).logits.float()
            logits = self.logits(model, self.hidden(model, input_ids=ids)).float()
        except (AttributeError, TypeError, KeyError, RuntimeError):  # built otherwise than most
            return False
        finally:
            model.train(training)
        if logits.shape != wanted.shape:
            return False
        limit = AGREE if next(model.parameters()).dtype == torch.float32 else AGREE_HALF
        return bool((logits - wanted).abs().max() <= limit * wanted.abs().max())


def _number(config: Any, name: str) -> float:
    value = getattr(config, name, None)
    return float(value) if isinstance(value, int | float) else 1.0


@contextmanager
def _told(packed: bool) -> Iterator[None]:
    """Within, transformers is told whether rows hold several texts; it would ask the device."""
    _let_it_be_told()
    token = _packed.set(packed)
    try:
        yield
    finally:
        _packed.reset(token)


@cache
def _let_it_be_told() -> None:
    from transformers import masking_utils

    name = "find_packed_sequence_indices"
    asking = getattr(masking_utils, name, None)
    if asking is None:  # of another version
        return

    @wraps(asking)
    def texts(position_ids: torch.Tensor) -> torch.Tensor | None:  # (rows, tokens) of numbers
        packed = _packed.get()
        if packed is None:
            return asking(position_ids)
        follows = torch.diff(position_ids, prepend=position_ids[:, :1] - 1) == 1
        return (~follows).cumsum(-1) if packed else None

    setattr(masking_utils, name, texts)
