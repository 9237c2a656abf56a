"""Log-probabilities of texts under a language model, without the matrix of all logits.

The loss that they go into weighs each text by all others, so its gradient cannot be made together
with it as in `chunked_loss`: the logits of a chunk are computed once more on the way back.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

from lora_lab.errors import CheckpointError
from lora_lab.tasks.chunked_loss import CHUNK
from lora_lab.tasks.lm_head import Head

AGREE = 1e-3  # of the loss; bfloat16 rounds by more
AGREE_HALF = 5e-2


def summed_scores(
    model: nn.Module, head: Head, part: Any, owners: torch.Tensor, count: int
) -> torch.Tensor:
    """(count) of float32: log p of the supervised tokens of each row, summed.

    `part` is a `TokenPart` of `count` rows, `owners` (n) of int64 the row of each of its targets.
    """
    if head.apart:
        states = head.hidden(model, part.lengths, input_ids=part.ids).flatten(0, 1)
        states = states.index_select(0, part.positions)  # (n, width)

        def scores(hidden: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
            return -F.cross_entropy(head.logits(model, hidden).float(), targets, reduction="none")

        rows = max(1, CHUNK // head.vocabulary)
        pieces = zip(states.split(rows), part.targets.split(rows), strict=True)
        if torch.is_grad_enabled():
            found = [checkpoint(scores, *piece, use_reentrant=False) for piece in pieces]
        else:
            found = [scores(*piece) for piece in pieces]
        each = torch.cat(found)
    else:
        logits = model(input_ids=part.ids, use_cache=False, return_dict=True).logits
        logits = logits.flatten(0, 1).index_select(0, part.positions)
        each = -F.cross_entropy(logits.float(), part.targets, reduction="none")
    return each.new_zeros(count).index_add(0, owners, each)


def scored(logits: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Cross-entropy (n) in float32 of `logits` (n, vocabulary) against `targets` (n), and whether
    each target is the likeliest (n)."""
    wide = logits.float()
    return F.cross_entropy(wide, targets, reduction="none"), wide.argmax(-1) == targets


def token_figures(loss: float, accuracy: float) -> tuple[tuple[str, float], ...]:
    """What a mean loss per token and the share of likeliest ones are called; exp(loss) in nats."""
    perplexity = math.exp(loss) if loss < 700 else math.inf
    return (("token accuracy", accuracy), ("perplexity", perplexity))


def check_own_loss(model: Any, name: str, own: torch.Tensor, mine: torch.Tensor) -> None:
    """Refuse a model whose `own` loss of some rows is another than their cross-entropy, `mine`."""
    agree = AGREE if model.dtype == torch.float32 else AGREE_HALF
    if not bool((own - mine).abs() <= agree * own.abs()):
        raise CheckpointError(
            f"{name}: this {model.config.model_type} model is trained with a loss of its own "
            f"({own:.4g} where the cross-entropy of its answers is {mine:.4g}), which is not done "
            "here. Choose another model."
        )
