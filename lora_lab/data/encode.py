"""Rows as tokens: what the model will see, and which tokens the loss asks it to predict."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from lora_lab.data.dialogue import BadRow, Piece, asked_characters, pieces
from lora_lab.data.mapping import Mapping
from lora_lab.data.rows import Table
from lora_lab.errors import DataError
from lora_lab.progress import Report, silent

BLOCK = 500  # rows that are tokenized at a time
NAMED = 5


@dataclass(frozen=True)
class Example:
    """One row as the model sees it."""

    ids: np.ndarray  # (tokens) of int32, after the cut
    supervised: np.ndarray  # (tokens) of bool: the loss asks for this token
    cut: int  # tokens beyond the longest length
    number: int  # of its row in the file

    @property
    def length(self) -> int:
        """Tokens before the cut."""
        return len(self.ids) + self.cut


class _Left:
    """The rows that were left out, by number and reason; the first one ends it where none may."""

    def __init__(self, table: Table, allowed: bool) -> None:
        self._name, self._allowed = table.path.name, allowed
        self._rows: list[tuple[int, str]] = []

    def bad(self, number: int, reason: object) -> None:
        if not self._allowed:
            raise DataError(
                f"{self._name}: row {number:,}: {reason}. Mend it, or let bad rows be left out."
            )
        self._rows.append((number, str(reason)))

    def notes(self) -> tuple[str, ...]:
        if not self._rows:
            return ()
        named = "; ".join(f"row {number:,}: {reason}" for number, reason in self._rows[:NAMED])
        more = f"; and {len(self._rows) - NAMED:,} more" if len(self._rows) > NAMED else ""
        many = len(self._rows) > 1
        return (f"{len(self._rows):,} row{'s were' if many else ' was'} left out ({named}{more})",)


def encode_rows(
    table: Table,
    mapping: Mapping,
    tokenizer: Any,
    max_length: int,
    *,
    skip_bad: bool = False,
    report: Report = silent,
) -> tuple[list[Example], tuple[str, ...]]:
    """Rows to go on with, and notes. The end of a text is a token that is asked for as well.

    Prompt and completion are tokenized apart, since at generation the prompt comes alone; chats in
    one piece, as their template writes them. Raises DataError for rows that are empty or do not
    have their form (unless `skip_bad`), and where nothing is left.
    """
    left = _Left(table, skip_bad)
    found: list[tuple[int, list[Piece]]] = []
    for number, row in zip(table.numbers, table.rows, strict=True):
        try:
            found.append((number, pieces(row, mapping, tokenizer)))
        except BadRow as error:
            left.bad(number, error)
        except DataError as error:
            raise DataError(f"{table.path.name}: {error}.") from None
    examples, lost = [], 0
    encode = _chats if mapping.form == "chat" else _apart
    for start in range(0, len(found), BLOCK):
        report("Reading the tokens", start / len(found))
        block = found[start : start + BLOCK]
        with _quiet():
            encoded = list(encode([parts for _, parts in block], tokenizer))
        for (number, _), (ids, asked) in zip(block, encoded, strict=True):
            asked[:1] = False  # nothing comes before the first token
            ids, asked, cut = ids[:max_length], asked[:max_length], max(0, len(ids) - max_length)
            if asked.any():
                examples.append(Example(ids, asked, cut, number))
            else:
                lost += 1
    notes = list(left.notes())
    if lost:
        many = f"{lost:,} rows were" if lost > 1 else "1 row was"
        notes.append(f"{many} left out: within {max_length:,} tokens nothing is to be predicted")
    if not examples:
        raise DataError(
            f"{table.path.name}: no row is left to learn from ({'; '.join(notes) or 'all empty'})."
        )
    return examples, tuple(notes)


def encode_texts(
    table: Table,
    mapping: Mapping,
    tokenizer: Any,
    max_length: int,
    *,
    classes: Sequence[str] | None = None,
    skip_bad: bool = False,
    report: Report = silent,
) -> tuple[list[Example], np.ndarray, tuple[str, ...], tuple[str, ...]]:
    """(examples, number of each one's class (n) of int64, names of the classes, notes).

    `classes` None takes those there are, in their natural order. Raises DataError for empty texts,
    missing labels and labels that are none of `classes`, unless `skip_bad`.
    """
    left = _Left(table, skip_bad)
    text, pair, label = (mapping.column(role) for role in ("text", "pair", "label"))
    found: list[tuple[int, str, str | None, str]] = []
    for number, row in zip(table.numbers, table.rows, strict=True):
        said, name = str(row.get(text) or ""), _label(row.get(label))
        if not said.strip():
            left.bad(number, "the text is empty")
        elif not name:
            left.bad(number, "there is no label")
        elif classes is not None and name not in classes:
            left.bad(number, f"label {name[:40]!r} is none of {', '.join(classes)[:80]}")
        else:
            found.append((number, said, str(row.get(pair) or "") if pair else None, name))
    if not found:
        raise DataError(f"{table.path.name}: no row with a text and a label is left.")
    names = tuple(classes) if classes else tuple(sorted({x[3] for x in found}, key=_natural))
    places = {name: place for place, name in enumerate(names)}
    examples = []
    for start in range(0, len(found), BLOCK):
        report("Reading the tokens", start / len(found))
        block = found[start : start + BLOCK]
        seconds = [x[2] or "" for x in block] if pair else None
        with _quiet():
            whole = tokenizer([x[1] for x in block], seconds)["input_ids"]
            kept = tokenizer(
                [x[1] for x in block], seconds, truncation=True, max_length=max_length
            )["input_ids"]
        for (number, *_), ids, before in zip(block, kept, whole, strict=True):
            ids = np.array(ids, dtype=np.int32)
            examples.append(
                Example(ids, np.zeros(len(ids), dtype=bool), len(before) - len(ids), number)
            )
    labels = np.array([places[x[3]] for x in found], dtype=np.int64)
    return examples, labels, names, left.notes()


def _apart(rows: list[list[Piece]], tokenizer: Any) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Each piece by itself: the first with the tokenizer's beginning, the last with its end."""
    eos = tokenizer.eos_token_id
    starts = [parts[0][0] for parts in rows]
    first = tokenizer(starts)["input_ids"] if any(starts) else [[] for _ in starts]
    rest = [parts[1][0] if len(parts) > 1 else "" for parts in rows]
    second = tokenizer(rest, add_special_tokens=False)["input_ids"]
    ends = {eos, getattr(tokenizer, "sep_token_id", None)} - {None}
    for parts, a, b in zip(rows, first, second, strict=True):
        while a and a[-1] in ends and not parts[0][0].endswith(tokenizer.decode(a[-1:])):
            a = a[:-1]  # some tokenizers end every text
        asked = [parts[0][1]] * len(a) + [True] * len(b)
        ids = [*a, *b] + ([] if eos is None else [eos])
        asked += [True] * (len(ids) - len(asked))
        yield np.array(ids, dtype=np.int32), np.array(asked, dtype=bool)


def _chats(rows: list[list[Piece]], tokenizer: Any) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """In one piece; a token is asked for where most of it stands in what is asked for."""
    if not getattr(tokenizer, "is_fast", False):
        raise DataError("Chats need a fast tokenizer, which tells where each token stands.")
    texts = [asked_characters(parts) for parts in rows]
    found = tokenizer(
        [whole for whole, _ in texts], add_special_tokens=False, return_offsets_mapping=True
    )
    for (_, spans), ids, places in zip(
        texts, found["input_ids"], found["offset_mapping"], strict=True
    ):
        asked = np.zeros(len(ids), dtype=bool)
        for index, (begin, end) in enumerate(places):
            inside = sum(max(0, min(end, b) - max(begin, a)) for a, b in spans)
            asked[index] = 2 * inside > end - begin
        yield np.array(ids, dtype=np.int32), asked


def _label(value: Any) -> str:
    """A label as a word: 1 and 1.0 are the same, True is True."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()


def _natural(name: str) -> tuple[int, float, str]:
    """Sorts numbers by their value, before words."""
    try:
        return (0, float(name), name)
    except ValueError:
        return (1, 0.0, name)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the warning that a text is longer than the model: it is cut afterwards."""
    logger = logging.getLogger("transformers.tokenization_utils_base")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
