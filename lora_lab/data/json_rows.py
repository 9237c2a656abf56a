"""Rows of JSON that is one list, or one object with the rows in a list: read one row at a time.

The rows are counted from 1, since the lines of such a file mean nothing.
"""

from __future__ import annotations

import codecs
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import IO, Any

from lora_lab.data.json_text import TooMuch, is_much
from lora_lab.data.left_out import BadRow
from lora_lab.errors import DataError

Row = dict[str, Any]
Rows = Iterator[tuple[int, Row | BadRow]]
Open = Callable[[], AbstractContextManager[IO[bytes]]]

LONGEST = 64 * 2**20  # characters of one row
CHUNK = 2**18  # bytes that are read at a time
SPACE = " \t\r\n"
LISTS = ("data", "train", "rows", "examples", "instances")  # of rows in one JSON object


def once(pairs: list[tuple[str, Any]]) -> Row:
    """An object whose keys stand once each; Python would take the last, and lose what is before."""
    row = dict(pairs)
    if len(row) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        raise ValueError(f"the key {counts.most_common(1)[0][0][:40]!r} stands twice")
    return row


def is_rows(value: Any) -> bool:
    """Whether a value is a list that begins with an object."""
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def list_rows(file: IO[bytes]) -> Rows:
    """The rows of a file that is one JSON list. Raises DataError where it is none."""
    text = _Text(file, "a JSON list")
    yield from _listed(text)
    text.end()


def object_rows(reopened: Open) -> Rows:
    """The rows of a file that is one JSON object with one list of rows, or one of a usual name.

    It is read twice, since what comes last in it may be another list. Raises DataError where none
    or several may be meant.
    """
    with reopened() as file:
        text, lists = _Text(file, "JSON"), []
        if text.peek() == "{":
            for key, rows in _members(text):
                if rows and isinstance(next(rows, (0, None))[1], dict):
                    lists.append(key)
            text.end()
    named = [key for key in LISTS if key in lists]
    if len(lists) != 1 and not named:
        keys = ", ".join(sorted(lists)[:10])
        what = f"several lists of rows ({keys})" if lists else "no list of rows"
        raise DataError(f"it is one JSON object with {what}. Write the rows as a list, or in lines")
    wanted = named[0] if named else lists[0]
    with reopened() as file:
        for key, rows in _members(_Text(file, "JSON")):
            if key == wanted and rows:
                yield from rows


def _members(text: _Text) -> Iterator[tuple[str, Rows | None]]:
    """(key, its rows where it is a list) of an object; what is not taken of them is passed over."""
    seen: set[str] = set()
    text.take("{")
    while text.peek() != "}":
        if seen:
            text.take(",")
        key = text.value()
        if not isinstance(key, str):
            raise text.wrong("no key")
        if key in seen:
            raise text.wrong(f"the key {key[:40]!r} stands twice")
        seen.add(key)
        text.take(":")
        if text.peek() != "[":
            text.value()
            yield key, None
            continue
        rows = _listed(text)
        yield key, rows
        for _ in rows:
            pass
    text.take("}")


def _listed(text: _Text) -> Rows:
    number = 0
    text.take("[")
    while text.peek() != "]":
        if number:
            text.take(",")
            text.peek()
        number += 1
        text.row = number
        row = text.value()
        fits = isinstance(row, BadRow) or (isinstance(row, dict) and row)
        yield number, row if fits else BadRow("not a JSON object")
    text.take("]")


class _Text:
    """The characters of a file, of which no more is held than the value that is being read."""

    def __init__(self, file: IO[bytes], what: str) -> None:
        self._file, self._what = file, what
        self._held, self._at = "", 0
        self.row = 0  # that is being read, for messages
        first = file.read(CHUNK)
        wide = first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        make = codecs.getincrementaldecoder("utf-16" if wide else "utf-8-sig")
        self._decode = make("strict" if wide else "surrogateescape").decode
        self._ended = not first
        self._add(first)
        self._strict = json.JSONDecoder(object_pairs_hook=once)
        self._loose = json.JSONDecoder()

    def peek(self) -> str:
        """The next character that is no space; "" at the end."""
        while True:
            while self._at < len(self._held) and self._held[self._at] in SPACE:
                self._at += 1
            if self._at < len(self._held) or not self._more():
                return self._held[self._at : self._at + 1]

    def take(self, wanted: str) -> None:
        if self.peek() != wanted:
            found = self.peek() or "the end of the file"
            raise self.wrong(f"there is {found!r} where {wanted!r} belongs")
        self._at += 1

    def end(self) -> None:
        """Nothing may stand behind what was read."""
        if self.peek():
            raise self.wrong("something stands behind its end")

    def value(self) -> Any:
        """The next value; BadRow where it is one that may not be used."""
        self.peek()
        try:
            value, end = self._whole(self._strict)
        except RecursionError:
            raise self.wrong("nested too deeply") from None
        except ValueError as error:  # a key that stands twice: where it ends is to be known
            value = BadRow(f"not JSON ({str(error)[:80]})")
            try:
                end = self._whole(self._loose)[1]
            except ValueError:  # a number of thousands of digits
                raise self.wrong(str(error)) from None
        said = self._held[self._at : end]
        self._at = end
        if not said.isascii():
            try:
                said.encode()
            except UnicodeEncodeError:
                return BadRow("not UTF-8")
        return value

    def wrong(self, reason: str) -> DataError:
        where = f", in row {self.row:,}" if self.row else ""
        return DataError(f"it begins like {self._what}, and is none ({reason[:80]}{where})")

    def _whole(self, decoder: json.JSONDecoder) -> tuple[Any, int]:
        size = CHUNK
        while True:
            try:
                value, end = decoder.raw_decode(self._held, self._at)
            except json.JSONDecodeError as error:
                if is_much(self._held[self._at :]):  # all of it is of this value
                    where = f"row {self.row:,}: " if self.row else ""
                    raise DataError(f"{where}{TooMuch()}") from None
                if len(self._held) - self._at > LONGEST or not self._more(size):
                    raise self.wrong(error.msg) from None
            else:
                if end < len(self._held) or not self._more(size):  # a number may go on
                    return value, end
            size *= 2  # so that a long row is tried a few times only

    def _more(self, size: int = CHUNK) -> bool:
        if self._ended:
            return False
        self._held, self._at = self._held[self._at :], 0
        part = self._file.read(size)
        self._ended = not part
        self._add(part)
        return True

    def _add(self, part: bytes) -> None:
        try:
            self._held += self._decode(part, final=not part)
        except UnicodeDecodeError as error:
            raise DataError("this is damaged UTF-16. Save it as UTF-8") from error
