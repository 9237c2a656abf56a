"""Rows of tokens as they are made, put end to end: in memory, and where they are many, on the disk.

A disk that is full or may not be written costs memory, not the rows.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from typing import IO, Any, Generic

import numpy as np

from lora_lab import paths
from lora_lab.data.token_rows import COLUMNS, OPTIONAL, Example, Kind, TokenRows, print_of
from lora_lab.errors import system_reason

FLUSHED = 2**18  # tokens that are put end to end at a time
HELD = 32 * 2**20  # bytes that are held in memory; more go to the disk
SMALL = 2**16  # tokens that two bytes can tell apart


class TokenWriter(Generic[Kind]):
    """Takes examples of one kind, one after another, and gives them back as `TokenRows`."""

    def __init__(self, kind: type[Kind], vocabulary: int = SMALL + 1) -> None:
        """Tokens are below `vocabulary`."""
        self._kind = kind
        self._dtypes = {**COLUMNS, "ids": np.uint16 if vocabulary <= SMALL else np.int32}
        self._lists: dict[str, list[Any]] = {}
        self._parts: dict[str, list[np.ndarray]] = {}
        self._files: dict[str, IO[bytes]] = {}
        self._tokens = self._pending = self._held = 0
        self._written: dict[str, int] = {}  # values of each column that are on the disk
        self.trouble = ""  # why no file could be written

    def add(self, example: Example, also: bytes = b"") -> None:
        """One more row; `also` is what tells it from another besides its tokens."""
        for text in example.texts():
            self._of_tokens(text)
            self._tokens += len(text.ids)
            self._pending += len(text.ids)
            asked = int(np.count_nonzero(text.supervised))
            self._put(ends=self._tokens, cut=text.cut, asked=asked)
        print_ = int.from_bytes(print_of(example, also), "little")
        self._put(number=example.number, print=print_, chat=getattr(example, "chat", False))
        if self._pending >= FLUSHED:
            self._flush()

    def rows(self) -> TokenRows[Kind]:
        """All rows that were added; the writer takes no more of them."""
        self._flush()
        if self._files:
            self._to_disk()
        if self._files:
            return TokenRows(self._kind, self._mapped())
        found = {name: np.concatenate(parts) for name, parts in self._parts.items()}
        empty = {n: np.zeros(0, t) for n, t in self._dtypes.items() if n not in OPTIONAL}
        return TokenRows(self._kind, {**empty, **found})

    def notes(self) -> tuple[str, ...]:
        """What is to be said of the disk."""
        if not self.trouble:
            return ()
        return (f"the tokens are held in memory, since no file could be made ({self.trouble})",)

    def _of_tokens(self, text: Example) -> None:
        self._put(ids=text.ids, supervised=text.supervised)
        for name in OPTIONAL:
            values = getattr(text, name, None)
            known = name in self._lists or name in self._parts or name in self._files
            if values is not None and not known and self._tokens:  # others had none before
                self._put(**{name: np.zeros(self._tokens, self._dtypes[name])})
            if values is not None or known:
                zeros = np.zeros(len(text.ids), self._dtypes[name])
                self._put(**{name: zeros if values is None else values})

    def _put(self, **values: Any) -> None:
        for name, value in values.items():
            self._lists.setdefault(name, []).append(value)

    def _flush(self) -> None:
        """Put what was added since the last time end to end."""
        for name, values in self._lists.items():
            kind = self._dtypes[name]
            whole = np.concatenate(values) if np.ndim(values[0]) else np.array(values, kind)
            assert name != "ids" or whole.max(initial=0) <= np.iinfo(kind).max, "a token beyond"
            part = whole.astype(kind, copy=False)
            self._held += part.nbytes
            self._parts.setdefault(name, []).append(part)
        self._lists, self._pending = {}, 0
        if self._held > HELD and not self.trouble:
            self._to_disk()

    def _to_disk(self) -> None:
        """Write what is held behind what is on the disk already; where it cannot be, hold all."""
        try:
            paths.caches().mkdir(parents=True, exist_ok=True)
            for name, parts in self._parts.items():
                if name not in self._files:  # without a name: nobody else can open it
                    self._files[name] = unnamed_file()
                for part in parts:
                    rest = memoryview(part.tobytes())
                    while rest:  # one call may write less than it was given
                        rest = rest[self._files[name].write(rest) :]
        except OSError as error:
            self.trouble = system_reason(error)
            names = {**self._files, **self._parts}
            self._parts = {n: [*self._read(n), *self._parts.get(n, ())] for n in names}
            for file in self._files.values():
                file.close()
            self._files = {}
            return
        for name, parts in self._parts.items():
            self._written[name] = self._written.get(name, 0) + sum(map(len, parts))
        self._parts, self._held = {}, 0

    def _read(self, name: str) -> list[np.ndarray]:
        """What is on the disk of a column."""
        count = self._written.get(name, 0)
        if not count:
            return []
        self._files[name].seek(0)
        return [np.fromfile(self._files[name], self._dtypes[name], count)]

    def _mapped(self) -> dict[str, np.ndarray]:
        """The columns, all on the disk."""
        found = {}
        for name, file in self._files.items():
            with file:
                kind = self._dtypes[name]
                some = self._written[name] > 0  # an empty file cannot be mapped
                found[name] = np.asarray(np.memmap(file, kind, "r")) if some else np.zeros(0, kind)
        return found


def gathered(examples: Sequence[Example]) -> TokenRows[Any]:
    """These examples, all of one kind, as rows of tokens, which they may be already."""
    if isinstance(examples, TokenRows):
        return examples
    writer = TokenWriter(type(examples[0]) if examples else Example)
    for example in examples:
        writer.add(example)
    return writer.rows()


def unnamed_file() -> IO[bytes]:
    """A file that is gone with whoever reads it."""
    return tempfile.TemporaryFile(buffering=0, dir=paths.caches())
