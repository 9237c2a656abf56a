"""Rows of tokens that lie end to end in flat arrays, in memory or on the disk; and one row of them.

A list of rows has an object or three for each of them; ten million rows have none here, and those
whose arrays are files take no more memory than what is being looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, ClassVar, TypeVar, overload

import numpy as np

Kind = TypeVar("Kind", bound="Example", covariant=True)

# What is kept of rows, each an array end to end: of every token, of every text, of every row.
TOKENS = {"ids": np.int32, "supervised": np.bool_, "types": np.int8, "tags": np.int32}
TEXTS = {"ends": np.int64, "cut": np.int32, "asked": np.int32}
ROWS = {"number": np.int64, "print": np.uint64, "chat": np.bool_}
COLUMNS: Mapping[str, Any] = {**TOKENS, **TEXTS, **ROWS}
OPTIONAL = ("types", "tags")
BLOCK = 2**20  # tokens that are looked at together
TOGETHER = 2**16  # rows that are


@dataclass(frozen=True)
class Example:
    """One row as the model sees it."""

    ids: np.ndarray  # (tokens) of int32, after the cut
    supervised: np.ndarray  # (tokens) of bool: the loss asks for this token
    cut: int  # tokens beyond the longest length
    number: int  # of its row in the file
    types: np.ndarray | None = field(default=None, kw_only=True)  # (tokens): segment, if not all 0

    width: ClassVar[int] = 1  # texts of a row

    def texts(self) -> tuple[Example, ...]:
        """The texts that the row is made of, as many as `width`."""
        return (self,)

    @classmethod
    def joined(cls, texts: Sequence[Mapping[str, Any]], chat: bool) -> Example:
        """The row of these texts, each as the fields of an example."""
        del chat
        return cls(**texts[0])

    @staticmethod
    def length(tokens: np.ndarray) -> np.ndarray:
        """(rows): tokens that count as the length of rows, of (rows, width) tokens."""
        return tokens[:, 0]

    @staticmethod
    def room(tokens: np.ndarray) -> np.ndarray:
        """(rows): tokens that rows take of a batch, of (rows, width) tokens."""
        return tokens[:, 0]


class TokenRows(Sequence[Kind]):
    """Examples of one kind, made of flat arrays when they are asked for."""

    def __init__(
        self,
        kind: type[Kind],
        columns: Mapping[str, np.ndarray],
        rows: np.ndarray | None = None,
        tags: np.ndarray | None = None,
    ) -> None:
        """`columns` as in COLUMNS, `ends` of each text. `rows` are the numbers of those in these
        rows, None: all. `tags` are what tags are called by now: tag i is `tags[i]`."""
        self.kind, self.columns = kind, columns
        self._count = len(columns["number"]) if rows is None else len(rows)
        small = len(columns["number"]) < 2**31
        self._rows = rows if rows is None else rows.astype(np.int32 if small else np.int64)
        self.tags = tags

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, place: int) -> Kind: ...
    @overload
    def __getitem__(self, place: slice) -> TokenRows[Kind]: ...
    def __getitem__(self, place: int | slice) -> Kind | TokenRows[Kind]:
        if isinstance(place, slice):
            return self.subset(np.arange(len(self))[place])
        if not -len(self) <= place < len(self):
            raise IndexError(place)
        row = int(place % len(self) if self._rows is None else self._rows[place])
        number, chat = int(self.columns["number"][row]), bool(self.columns["chat"][row])
        first = row * self.kind.width
        texts = [self._text(i, number) for i in range(first, first + self.kind.width)]
        return self.kind.joined(texts, chat)

    def __iter__(self) -> Iterator[Kind]:
        return (self[i] for i in range(len(self)))

    def subset(self, rows: np.ndarray) -> TokenRows[Kind]:
        """Those of these `rows` (n) of int64."""
        chosen = rows if self._rows is None else self._rows[rows]
        return TokenRows(self.kind, self.columns, chosen, self.tags)

    def with_tags(self, tags: np.ndarray) -> TokenRows[Kind]:
        """With tag i as `tags[i]`."""
        known = tags if self.tags is None else tags[self.tags]
        return TokenRows(self.kind, self.columns, self._rows, known)

    @property
    def numbers(self) -> np.ndarray:
        """(rows) of int64: the number of each in its file."""
        return self._each(lambda rows: self.columns["number"][rows])

    @property
    def prints(self) -> np.ndarray:
        """(rows) of uint64: equal where rows are the same, and where they are not, different."""
        return self._each(lambda rows: self.columns["print"][rows], np.uint64)

    @property
    def rooms(self) -> np.ndarray:
        """(rows) of int64: tokens that each takes of a batch."""
        return self._each(lambda rows: self.kind.room(self._sizes(rows)))

    @property
    def lengths(self) -> np.ndarray:
        """(rows) of int64: tokens of each before the cut."""
        return self._each(
            lambda rows: self.kind.length(self._sizes(rows) + self._of_texts("cut", rows))
        )

    @property
    def cuts(self) -> np.ndarray:
        """(rows) of int64: tokens that each has lost."""
        return self._each(lambda rows: self._of_texts("cut", rows).sum(1))

    @property
    def asked(self) -> np.ndarray:
        """(rows) of int64: supervised tokens of each."""
        return self._each(lambda rows: self._of_texts("asked", rows).sum(1))

    @property
    def tokens(self) -> int:
        """All of them, after the cut."""
        return int(self._each(lambda rows: self._sizes(rows).sum(1)).sum())

    def asked_tags(self) -> np.ndarray:
        """(n) of int64: the tags of all supervised tokens."""
        found = [row.tags[row.supervised] for row in self]
        return np.concatenate(found) if found else np.zeros(0, np.int64)

    def beyond(self, known: int) -> tuple[int, int] | None:
        """(token, number of the row) of a token that is not below `known`, or None."""
        for start, ids in self._blocks("ids"):
            if ids.max(initial=0) >= known:
                place = int(np.argmax(ids >= known))
                text = int(np.searchsorted(self.columns["ends"], start + place, side="right"))
                return int(ids[place]), int(self.columns["number"][text // self.kind.width])
        return None

    def used(self) -> set[int]:
        """The tokens that there are."""
        return {int(i) for _, ids in self._blocks("ids") for i in np.unique(ids)}

    def highest_type(self) -> int:
        """The last of the segments that tokens are of."""
        return max((int(x.max(initial=0)) for _, x in self._blocks("types")), default=0)

    def _blocks(self, name: str) -> Iterator[tuple[int, np.ndarray]]:
        """Parts of a column of tokens, each with its place; also of rows beside these."""
        values = self.columns.get(name, np.zeros(0))
        for start in range(0, len(values), BLOCK):
            yield start, values[start : start + BLOCK]

    def _each(self, read: Callable[[np.ndarray], np.ndarray], kind: Any = np.int64) -> np.ndarray:
        """(rows): what `read` makes of row numbers, some at a time."""
        found = np.empty(len(self), kind)
        for start in range(0, len(self), TOGETHER):
            end = min(start + TOGETHER, len(self))
            rows = self._rows
            found[start:end] = read(np.arange(start, end) if rows is None else rows[start:end])
        return found

    def _of_texts(self, name: str, rows: np.ndarray, back: int = 0) -> np.ndarray:
        """(rows, width) of int64: a value of every text, or of the one so far before it."""
        width = self.kind.width
        places = rows.astype(np.int64)[:, None] * width + np.arange(width) - back
        return np.where(places < 0, 0, self.columns[name][places].astype(np.int64))

    def _sizes(self, rows: np.ndarray) -> np.ndarray:
        """(rows, width) of int64: tokens of every text."""
        return self._of_texts("ends", rows) - self._of_texts("ends", rows, back=1)

    def _text(self, place: int, number: int) -> dict[str, Any]:
        columns = self.columns
        begin = int(columns["ends"][place - 1]) if place else 0
        part = slice(begin, int(columns["ends"][place]))
        found = {
            "ids": columns["ids"][part].astype(np.int32),
            "supervised": columns["supervised"][part],
            "cut": int(columns["cut"][place]),
            "number": number,
        }
        if "types" in columns:
            found["types"] = columns["types"][part]
        if "tags" in columns:
            tags = columns["tags"][part].astype(np.int64)
            if self.tags is not None:
                tags = np.where(tags < 0, tags, self.tags[np.maximum(tags, 0)])
            found["tags"] = tags
        return found


def print_of(example: Example, also: bytes) -> bytes:
    """(8 bytes): what tells this example from another, `also` included."""
    digest = blake2b(also, digest_size=8)
    for text in example.texts():
        digest.update(np.int64(len(text.ids)).tobytes())
        digest.update(text.ids.astype(np.int32, copy=False).tobytes())
        digest.update(text.supervised.tobytes())
    return digest.digest()
