"""How rows of different lengths stand in one batch, so that each is read as if it were alone.

Most models are blind to padding at the right. Some want it at the left (XLNet reads a text at its
last place), some see it wherever it is (FNet mixes all places, Nyströmformer averages stretches of
them), and some classifiers look for the end token and take rows with equally many of them alone.
None of that stands in a config, so it is tried out on rows of the data.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from typing import Any, NamedTuple

import numpy as np
import torch

from lora_lab.data.token_rows import Example, TokenRows
from lora_lab.errors import CheckpointError
from lora_lab.models.row_probe import differ, known_tokens, read

MORE = 5  # places that the rows of the trial are padded by, where the longest row has as many
HALF = 5e-2  # of the largest logit: what models of 16 bits round otherwise in another shape


class Rows(NamedTuple):
    """Rows of one batch, (rows, tokens) of int64 each."""

    ids: np.ndarray
    seen: np.ndarray  # 1 where there is a token, 0 in the padding
    types: np.ndarray | None  # the segment of each token, of models that are told of it


@dataclass(frozen=True)
class Padding:
    """What stands in the padding, at which side, and which rows may stand in one batch."""

    token: int
    left: bool = False
    segments: bool = False  # the model is told which of two texts a token is of
    key: Callable[[Example], Any] | None = None  # rows with equal ones may stand together

    def grid(self, rows: Sequence[np.ndarray], fill: int, more: int = 0) -> np.ndarray:
        """(rows, tokens) of int64: each row at its side, `fill` beside it."""
        width = max(map(len, rows)) + more
        grid = np.full((len(rows), width), fill, dtype=np.int64)
        for place, row in enumerate(rows):
            begin = width - len(row) if self.left else 0
            grid[place, begin : begin + len(row)] = row
        return grid

    def rows(self, examples: Sequence[Example], more: int = 0) -> Rows:
        """These examples side by side, with `more` places of padding than they need."""
        ids = [example.ids for example in examples]
        seen = self.grid([np.ones_like(row) for row in ids], 0, more)
        types = [e.types if e.types is not None else np.zeros_like(e.ids) for e in examples]
        segments = self.grid(types, 0, more) if self.segments else None
        return Rows(self.grid(ids, self.token, more), seen, segments)

    def apart(self, examples: Sequence[Example], rows: Sequence[int]) -> Iterator[list[int]]:
        """`rows` (numbers of `examples`), those together that may stand in one batch."""
        if self.key is None:
            yield list(rows)
            return
        keys = {row: self.key(examples[row].texts()[0]) for row in rows}
        for _, together in groupby(sorted(rows, key=keys.__getitem__), keys.__getitem__):
            yield list(together)


def inputs_of(rows: Rows, device: torch.device | None = None) -> dict[str, torch.Tensor]:
    """Rows as transformers' models take them."""
    names = {"input_ids": rows.ids, "attention_mask": rows.seen, "token_type_ids": rows.types}
    return {k: onto(device, v) for k, v in names.items() if v is not None}


def onto(device: torch.device | None, array: np.ndarray) -> torch.Tensor:
    """`array` as a tensor there. CUDA has read it then, but is not waited for."""
    sent = device is not None and device.type == "cuda"
    return torch.from_numpy(array).to(device, non_blocking=sent)


def fitted(
    model: Any,
    name: str,
    tokenizer: Any,
    sets: Sequence[TokenRows[Example]],
    decoder: Mapping[str, Any],
) -> tuple[Padding, tuple[str, ...]]:
    """What this model wants, tried out on two short rows, and notes on what that changes.

    `decoder`: what the decoder of one row is given besides, of models that have two sides.

    Names the padding token in the config of the model. Raises CheckpointError, calling it `name`,
    for rows that it cannot read.
    """
    kind, taken = model.config.model_type, inspect.signature(model.forward).parameters
    segments = "token_type_ids" in taken and "token_type_ids" in tokenizer.model_input_names
    known = getattr(model.config, "type_vocab_size", None)
    most = max(rows.highest_type() for rows in sets)
    if segments and known and most >= known:
        raise CheckpointError(
            f"{name}: its tokenizer numbers the texts of a row up to {most}, and the model has "
            f"{known} of such segments. Take the tokenizer that belongs to it."
        )
    token = padding_token(model, tokenizer, sets)
    model.config.get_text_config().pad_token_id = token  # a decoder looks for the last one before
    padding = Padding(token, segments=segments)
    for short in by_length(sets):
        if len_of(short) > 2:
            break
    ends = None if decoder else _end_token(model, name, padding, short)
    if ends is not None:

        def count(example: Example) -> int:
            return int((example.ids == ends).sum())

        if (without := next((e for e in chain(*sets) if not count(e)), None)) is not None:
            raise CheckpointError(
                f"{name}: this {kind} model reads a text at its end token "
                f"{tokenizer.convert_ids_to_tokens(ends)}, and its tokenizer writes none (row "
                f"{without.number:,}). Take the tokenizer that belongs to it."
            )
        padding = Padding(token, segments=segments, key=count)
    longer = (e for e in by_length(sets) if len_of(e) > len_of(short))
    like = (e for e in longer if padding.key is None or padding.key(e) == padding.key(short))
    trial = [short, next(like, short)]
    # No batch is wider than the longest row, and a model may have no places beyond it.
    more = max(0, min(MORE, widest(sets) - max(map(len_of, trial))))
    alone = [read(model, name, **inputs_of(padding.rows([row])), **decoder)[0] for row in trial]
    for left in (False, True):
        found = Padding(token, left, segments, padding.key)
        if not _sees_padding(model, name, found.rows(trial, more), alone, decoder):
            note = f"texts of this {kind} model are padded at the left, where it wants it"
            return found, (note,) if left else ()
    same = padding.key or len_of
    return Padding(token, segments=segments, key=lambda e: (len_of(e), same(e))), (
        f"this {kind} model reads a padded text otherwise than the text alone, so only texts of "
        "equal length stand in one batch",
    )


def len_of(example: Example) -> int:
    """Tokens of a row."""
    return len(example.ids)


def widest(sets: Sequence[TokenRows[Example]]) -> int:
    """Tokens of the row that takes the most room of all."""
    longest = (rows[int(rows.rooms.argmax())] for rows in sets if len(rows))
    return max(len_of(example.texts()[0]) for example in longest)


def by_length(sets: Sequence[TokenRows[Example]]) -> Iterator[Example]:
    """What is padded of all rows, the shortest rows first."""
    lengths = np.concatenate([rows.rooms for rows in sets])
    numbers = np.concatenate([rows.numbers for rows in sets])
    starts = np.cumsum([0, *map(len, sets)])
    for place in np.lexsort((numbers, lengths)):
        which = int(np.searchsorted(starts, place, side="right")) - 1
        yield sets[which][int(place - starts[which])].texts()[0]


def padding_token(model: Any, tokenizer: Any, sets: Sequence[TokenRows[Example]]) -> int:
    """The padding token of the model, or one that no text has.

    A classifier on a decoder reads the last token that is not padding: where the model names none,
    one that ends texts would hide their ends.
    """
    named = getattr(model.config.get_text_config(), "pad_token_id", None)
    if isinstance(named, int) and 0 <= named < known_tokens(model):
        return named
    used = set().union(*(rows.used() for rows in sets))
    if tokenizer.pad_token_id is not None and tokenizer.pad_token_id not in used:
        return int(tokenizer.pad_token_id)
    return next(i for i in range(len(used) + 1) if i not in used)


def _sees_padding(
    model: Any,
    name: str,
    rows: Rows,
    alone: Sequence[torch.Tensor],
    decoder: Mapping[str, Any],
) -> bool:
    """Whether the model says another thing of padded rows than of each of them `alone`."""
    given = {k: v.repeat(len(alone), 1) if torch.is_tensor(v) else v for k, v in decoder.items()}
    answers = read(model, name, **inputs_of(rows), **given)
    for wanted, found, seen in zip(alone, answers, rows.seen, strict=True):
        if found.dim() > 1 and not decoder:  # of each token
            found = found[torch.from_numpy(seen > 0)]
        if wanted.shape != found.shape or differ(model, wanted, found, HALF):
            return True
    return False


def _end_token(model: Any, name: str, padding: Padding, row: Example) -> int | None:
    """The end token, if this is a model that cannot read a row without one."""
    end = getattr(model.config.get_text_config(), "eos_token_id", None)
    if not model.config.is_encoder_decoder or not isinstance(end, int):
        return None
    inputs = inputs_of(padding.rows([row]))
    inputs["input_ids"] = torch.where(
        inputs["input_ids"] == end, end - 1 if end else 1, inputs["input_ids"]
    )
    try:
        read(model, name, **inputs)
    except CheckpointError:
        return end
    return None
