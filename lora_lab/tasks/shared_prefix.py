"""Rows that begin alike as one row, so that what they begin with goes through a model once.

Behind the tokens that all rows share stands what is left of each, end to end. A token sees the
shared ones and those before it in its own row, and has the position that it has there. What is
shared sees nothing of what follows it in a causal model, so states and gradients are those of the
rows side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch

from lora_lab.data.token_rows import Example
from lora_lab.errors import ConfigError

LEAST = 0.1  # of all tokens are saved: less is not worth the mask
MOST = 1024  # tokens behind a shorter prefix: each is held against each
WINDOWS = ("sliding_window", "attention_chunk_size")  # what configs call how far a token sees
ROW_WINDOWS = ("window_size",)  # the same, counted by places in a row, whatever a mask says


class SharedRow(NamedTuple):
    """Several examples in one row, and where in it the loss looks."""

    ids: np.ndarray  # (tokens) of int64
    places: np.ndarray  # (tokens) of int64: position of each token in its own text
    seen: np.ndarray  # (tokens, tokens) of bool: [token][one that it sees]
    positions: np.ndarray  # (n) of int64: where a supervised token follows
    targets: np.ndarray  # (n) of int64: that token


def groups(texts: Sequence[Example]) -> Iterator[tuple[int, Sequence[Example]]]:
    """(shared tokens, examples) that are to stand in a row; 0 for those that share too little."""
    prefix = common([text.ids for text in texts])
    ends, total = [0], 0
    for end, text in enumerate(texts):
        own = len(text.ids) - prefix
        if total and total + own > max(MOST, prefix):
            ends.append(end)
            total = 0
        total += own
    saved = (len(texts) - len(ends)) * prefix  # all but once a row
    if saved < max(1.0, LEAST * sum(len(text.ids) for text in texts)):
        yield 0, texts
        return
    for begin, end in pairwise([*ends, len(texts)]):
        yield prefix, texts[begin:end]


def common(rows: Sequence[np.ndarray]) -> int:
    """How many tokens all rows begin with, while each has one of its own behind them."""
    most = min(len(row) for row in rows) - 1
    alike = np.all([row[:most] == rows[0][:most] for row in rows], axis=0)
    return most if alike.all() else int(np.argmin(alike))


def laid(prefix: int, texts: Sequence[Example]) -> SharedRow:
    """These examples behind the `prefix` tokens that they share."""
    own = [len(text.ids) - prefix for text in texts]
    ids = np.concatenate([texts[0].ids[:prefix], *(text.ids[prefix:] for text in texts)])
    places = np.concatenate([np.arange(prefix), *(np.arange(prefix, prefix + n) for n in own)])
    owner = np.repeat(np.arange(len(texts) + 1), [prefix, *own])  # 0: of all
    order = np.arange(len(ids))
    seen = (order[:, None] >= order) & ((owner[:, None] == owner) | (owner == 0))
    positions, targets, begin = [], [], prefix
    for text, length in zip(texts, own, strict=True):
        asked = np.flatnonzero(text.supervised[1:])  # places behind which a supervised token is
        positions.append(np.where(asked < prefix, asked, asked - prefix + begin))
        targets.append(text.ids[asked + 1])
        begin += length
    return SharedRow(
        ids.astype(np.int64), places, seen, np.concatenate(positions),
        np.concatenate(targets).astype(np.int64),
    )  # fmt: skip


def as_mask(seen: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """(1, 1, tokens, tokens): what is added to the scores, as every kind of attention takes it."""
    mask = torch.zeros(seen.shape, dtype=dtype, device=seen.device)
    return mask.masked_fill_(~seen, torch.finfo(dtype).min)[None, None]


@torch.no_grad()
def check_shared(
    model: Any, states: Callable[..., torch.Tensor], longest: int, dtype: torch.dtype, close: float
) -> None:
    """Raise ConfigError where `states` (model, inputs) of shared rows are not those of each alone.

    They are tried out on rows of a few tokens, so what sees less far than the `longest` row of the
    data, or than a shared one, is refused by its config.
    """
    config = model.config.get_text_config()
    windows = [(getattr(config, name, None), longest) for name in WINDOWS]
    windows += [(getattr(config, name, None), longest + max(MOST, longest)) for name in ROW_WINDOWS]
    agrees = not any(isinstance(width, int) and 0 < width < most for width, most in windows)
    texts = [np.array(ids) for ids in ([1, 2, 3, 4, 5], [1, 2, 3, 6, 1, 2])]
    row = laid(3, [Example(ids, np.ones(len(ids), bool), 0, 0) for ids in texts])
    if agrees:
        model.eval()
        mask = as_mask(torch.from_numpy(row.seen), dtype)
        ids, places = (torch.from_numpy(array)[None] for array in (row.ids, row.places))
        try:
            found = states(model, input_ids=ids, position_ids=places, attention_mask=mask)[0]
            alone = [states(model, input_ids=torch.from_numpy(text)[None])[0] for text in texts]
        except (RuntimeError, TypeError, ValueError, IndexError, KeyError, AttributeError):
            agrees = False  # built otherwise than most
        else:
            wanted = torch.cat([alone[0], alone[1][3:]])
            apart = (found - wanted).float().abs().max()
            agrees = bool(apart <= close * wanted.float().abs().max())
    if not agrees:
        raise ConfigError(
            "Rows cannot share what they begin with in this model: a token there does not see "
            "just those before it, each by its position. Leave --share-prefix out."
        )
