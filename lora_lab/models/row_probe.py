"""What a model does to a row of text, tried out on short rows once its weights are in place."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from lora_lab.errors import CheckpointError
from lora_lab.models.architecture import first_line

TOKENS = 12
UNBOUNDED = 2**21  # above the last character of Unicode
SAME = 1e-4  # of the largest logit: float32 rounds by 1e-6
HALF = 1e-2  # bfloat16 by 4e-3
LENGTHS = 5e-2  # the same in another shape


def looks_ahead(model: nn.Module, name: str) -> bool:
    """Whether what a language model says at a token moves with the tokens behind it.

    Two rows that begin alike are read together: a model that is to predict the next token must say
    the same over their common beginning. Raises CheckpointError, calling the model `name`, where it
    cannot read them.
    """
    same = TOKENS // 2
    one, other = rows(model, 2 * TOKENS - same).split([TOKENS, TOKENS - same])
    ids = torch.stack([one, torch.cat([one[:same], other])])
    first, second = read(model, name, input_ids=ids, use_cache=False)[:, :same]
    alone = read(model, name, input_ids=ids[:1, :same], use_cache=False)[0]
    ahead = differ(model, first, second)
    if not ahead and differ(model, alone, first, LENGTHS):
        raise CheckpointError(
            f"{name}: what this {model.config.model_type} model says at a token moves with the "
            "length of the row, so that rows in one batch would be read otherwise than alone. "
            "Choose another model or another task."
        )
    return ahead


def rows(model: Any, count: int) -> torch.Tensor:
    """(count) of int64: different plain tokens, where the vocabulary has as many, in a fixed order.

    None of them is one that the config gives a meaning of its own (padding, image, end …).
    """
    config = model.config.get_text_config()
    special = {i for key, i in config.to_dict().items() if "token" in key and isinstance(i, int)}
    known = known_tokens(model)
    plain = [i for i in range(min(known, 8 * count)) if i not in special] or [0]
    order = torch.randperm(len(plain), generator=torch.Generator().manual_seed(0))
    return torch.tensor(plain)[order[torch.arange(count) % len(plain)]]


def known_tokens(model: Any) -> int:
    """How many tokens the model has embeddings of; where it hashes them, as many as there are."""
    try:
        table = model.get_input_embeddings()
    except (NotImplementedError, AttributeError):  # CANINE reads characters, by hashes
        return UNBOUNDED
    known = getattr(table, "num_embeddings", None)
    if known is None and getattr(table, "weight", None) is not None:
        known = len(table.weight)
    if known is None:  # Perceiver's are its latents, and a model of parts has none
        known = getattr(model.config.get_text_config(), "vocab_size", None)
    return UNBOUNDED if known is None else int(known)


@torch.no_grad()
def read(model: Any, name: str, **inputs: Any) -> torch.Tensor:
    """The logits of these rows in eval mode, in float32. Raises CheckpointError where it cannot."""
    training = model.training
    model.eval()
    try:
        with torch.random.fork_rng(devices=[]):  # some models hash at random
            torch.manual_seed(0)
            return model(**inputs, return_dict=True).logits.float()
    except Exception as error:  # each model fails in its own way
        half = any(p.dtype in (torch.bfloat16, torch.float16) for p in model.parameters())
        way = "float32, another model or another task" if half else "another model or another task"
        raise CheckpointError(
            f"{name}: this {model.config.model_type} model cannot read a row of text by itself "
            f"({first_line(error)}). Choose {way}."
        ) from error
    finally:
        model.train(training)


def differ(model: nn.Module, one: torch.Tensor, other: torch.Tensor, half: float = HALF) -> bool:
    """Whether logits of `model` are apart by more than the rounding of its type.

    `half` is that of 16 bits, as a share of the largest logit; between shapes it is larger.
    """
    short = next(model.parameters()).dtype in (torch.bfloat16, torch.float16)
    return bool((one - other).abs().max() > (half if short else SAME) * one.abs().max())
