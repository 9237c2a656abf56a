"""Rows from text: JSON lines, tables with a first line of names, paragraphs; read line by line.

Each row comes with its number, as a person counts in the file; one that cannot be read comes as a
`BadRow` in its place.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import IO, Any, AnyStr, Literal

from lora_lab.data.json_rows import LISTS, Open, is_rows, list_rows, object_rows, once
from lora_lab.data.json_text import TooMuch, parsed
from lora_lab.data.left_out import BadRow
from lora_lab.errors import DataError

Row = dict[str, Any]
Rows = Iterator[tuple[int, Row | BadRow]]
Lines = Iterator[tuple[int, str]]
Shape = Literal["lines", "list", "object", "table", "text"]

SEPARATOR = re.compile(r"sep=(.)\s*", re.IGNORECASE)
QUOTED = re.compile(r'"[^"]*"')
LONGEST_LINE = 64 * 2**20  # bytes
FIELD = 2**24  # characters of a cell of a table; the reader of tables takes four bytes for each
ROW_LINES = 2**18  # of one row of a table, or one paragraph: the longest books have half of them
ROW_TEXT = 2**24  # characters of all of these
AGAIN = 10  # times that a table may be read, where a quote takes in the rows behind it again
PIECE = 2**18  # bytes that are looked at together for ends of lines


class Undecoded(str):
    """A line that is not UTF-8, with the bytes that are none as lone surrogates."""

    reason: str


def text_rows(reopened: Open, kind: str) -> Rows:
    """The rows of a file of text of this `kind` (its ending), which `reopened` opens.

    Raises DataError for what is none.
    """
    with reopened() as file:
        shape = shape_of(file, kind)
    if shape == "object":
        yield from object_rows(reopened)
        return
    with reopened() as file:
        match shape:
            case "list":
                yield from list_rows(file)
            case "lines":
                yield from _json_lines(_lines(file))
            case "table":
                yield from _table(_lines(file), "\t" if kind == ".tsv" else "")
            case "text":
                yield from _text(_lines(file))


def shape_of(file: IO[bytes], kind: str) -> Shape:
    """What stands in a file, by its ending and its first lines."""
    if kind in (".csv", ".tsv"):
        return "table"
    lines = (line for line in _byte_lines(file) if line.strip())
    first = next(lines, b"").strip()
    alone = first.startswith(b"{") and _is_json_line(first, lines)
    if kind == ".txt":
        return "lines" if alone else "text"
    if first.startswith(b"["):
        return "list"
    if kind == ".json" and not alone:
        return "object"
    json_kind = kind in (".jsonl", ".ndjson", ".json")
    return "lines" if first.startswith(b"{") or json_kind else "text"


def _is_json_line(first: bytes, following: Iterator[bytes]) -> bool:
    """Whether a line is a JSON object by itself, and not one that holds all rows."""
    try:
        found = parsed(first)
    except ValueError:
        return False
    if not isinstance(found, dict):
        return False
    return not any(is_rows(found.get(key)) for key in LISTS) or next(following, None) is not None


def _byte_lines(file: IO[bytes]) -> Iterator[bytes]:
    """Lines with their ends as UTF-8, whatever they were written as; those too long in pieces."""
    first = file.readline(LONGEST_LINE + 1)
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        yield from _wide_lines(first, file)
        return
    first = first.removeprefix(codecs.BOM_UTF8)
    rest = iter(lambda: file.readline(LONGEST_LINE + 1), b"")
    if b"\r" in first and b"\n" not in first:  # lines that end as old Macs write them
        pieces = (
            p[at : at + PIECE] for p in chain((first,), rest) for at in range(0, len(p), PIECE)
        )
        for line in _apart((piece.replace(b"\r", b"\n") for piece in pieces), b"\n"):
            yield line + b"\n"
        return
    if first:
        yield first
    yield from rest


def _wide_lines(first: bytes, file: IO[bytes]) -> Iterator[bytes]:
    """The lines of a file of UTF-16, of which the bytes `first` have been read."""
    decode = codecs.getincrementaldecoder("utf-16")().decode
    parts = chain((first,), iter(lambda: file.read(2**16), b""))
    try:
        for line in _apart(chain(map(decode, parts), (decode(b"", True) for _ in "1")), "\n"):
            yield f"{line}\n".encode()
    except UnicodeDecodeError as error:
        raise DataError("this is damaged UTF-16. Save it as UTF-8") from error


def _apart(pieces: Iterable[AnyStr], end: AnyStr) -> Iterator[AnyStr]:
    """The lines of a text that comes in pieces, without their ends; as far as one that is too
    long."""
    held: list[AnyStr] = []
    size = 0
    for piece in pieces:
        more, *lines = piece.split(end)
        held.append(more)
        size += len(more)
        if size > LONGEST_LINE:
            break
        for line in lines:
            yield end[:0].join(held)
            held, size = [line], len(line)
    if size:
        yield end[:0].join(held)


def _lines(file: IO[bytes]) -> Lines:
    """The lines with their ends, decoded, numbered from 1."""
    for number, line in enumerate(_byte_lines(file), 1):
        if len(line) > LONGEST_LINE:
            raise DataError(
                f"line {number:,} has over {LONGEST_LINE:,} bytes; this is no table of rows"
            )
        try:
            yield number, line.decode()
        except UnicodeDecodeError as error:
            text = Undecoded(line.decode(errors="surrogateescape"))
            byte = f"byte {error.object[error.start]:#04x} at place {error.start + 1}"
            text.reason = f"not UTF-8 ({byte}; save the file as UTF-8)"
            yield number, text


def _json_lines(lines: Lines) -> Rows:
    for number, line in lines:
        if isinstance(line, Undecoded):
            yield number, BadRow(line.reason)
            continue
        if not line.strip():
            continue
        try:
            row = parsed(line, once)
        except TooMuch as error:
            yield number, BadRow(str(error))
            continue
        except ValueError as error:
            yield number, BadRow(f"not JSON ({str(error)[:80]})")
            continue
        yield number, row if isinstance(row, dict) and row else BadRow("not a JSON object")


class _Ahead:
    """Lines for a reader of tables, which may be taken again behind the first of a bad row.

    A row that goes on for too long is an error, and so is one that goes on over lines that have
    been taken too often: where each quote is open to the end, each row would read all of them.
    """

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._kept: deque[tuple[int, str]] = deque()  # since the row that is being read began
        self._taken = self._size = 0  # of them, by the reader: lines and characters
        self._again = 0  # characters that may be taken again

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._taken and (self._taken >= ROW_LINES or self._size > ROW_TEXT):
            raise csv.Error(f"a quote is not closed within {self._taken:,} lines")
        if self._taken == len(self._kept):
            self._kept.append(next(self._lines))
            self._again += AGAIN * len(self._kept[-1][1])
        elif self._taken:
            self._again -= len(self._kept[self._taken][1])
            if self._again < 0:
                raise csv.Error("a quote is not closed on its line, as in many rows before")
        self._taken += 1
        line = self._kept[self._taken - 1][1]
        self._size += len(line)
        return line

    @property
    def number(self) -> int:
        """Of the first line of the row."""
        return self._kept[0][0]

    @property
    def undecoded(self) -> str:
        """What is wrong with a line of the row, or nothing."""
        lines = (self._kept[i][1] for i in range(self._taken))
        return next((line.reason for line in lines if isinstance(line, Undecoded)), "")

    def drop(self, count: int = 0) -> None:
        """Forget the first `count` lines that were taken, or all; the others will come again."""
        for _ in range(count or self._taken):
            self._kept.popleft()
        self._taken = self._size = 0


def _table(lines: Lines, delimiter: str) -> Rows:
    """Rows of a table whose first line names the columns; a row has its first line's number.

    Where a row cannot be read, reading goes on at the line behind its first: a quote that is never
    closed spoils its own row alone.
    """
    full = (line for line in lines if line[1].strip())
    first = next(full, None)
    if first and (named := SEPARATOR.fullmatch(first[1])):  # Excel's own first line
        delimiter, first = delimiter or named[1], next(full, None)
    if first is None:
        return
    bare = QUOTED.sub("", first[1])
    delimiter = delimiter or max(",;\t|", key=lambda mark: (bare.count(mark), mark == ","))
    ahead = _Ahead(chain((first,), lines))
    reader = csv.reader(ahead, delimiter=delimiter, strict=True)
    try:
        columns = [column.strip() for column in _next_row(reader) or ()]
    except csv.Error as error:
        raise DataError(f"line 1: {error}") from None
    numbered = len(columns) > 1 and not columns[0]  # pandas writes row numbers without a name
    names = columns[1:] if numbered else columns
    if ahead.undecoded or len(set(names)) < len(names) or not all(names):
        raise DataError("its first line does not name every column, each by a name of its own")
    ahead.drop()
    while True:
        wrong, values = "", None
        try:
            values = _next_row(reader)
        except csv.Error as error:
            wrong = str(error)
        if values is None and not wrong:
            return
        if values and len(values) != len(columns):
            wrong = f"{len(values)} fields where {len(columns)} columns are named"
        number = ahead.number
        if wrong:
            ahead.drop(1)
            reader = csv.reader(ahead, delimiter=delimiter, strict=True)
            yield number, BadRow(wrong)
            continue
        undecoded = ahead.undecoded
        ahead.drop()
        if values:
            row = dict(zip(names, values[numbered:], strict=True))
            yield number, BadRow(undecoded) if undecoded else row


def _next_row(reader: Iterator[list[str]]) -> list[str] | None:
    """The next row with longer fields than are usual, or None at the end."""
    before = csv.field_size_limit(FIELD)
    try:
        return next(reader, None)
    finally:
        csv.field_size_limit(before)


def _text(lines: Lines) -> Rows:
    """Paragraphs, apart by blank lines; each has the number of its first line."""
    start, size, paragraph, wrong, over = 0, 0, [], "", False
    for number, line in chain(lines, ((0, ""),)):
        if not line.strip():
            if paragraph:
                yield start, BadRow(wrong) if wrong else {"text": "\n".join(paragraph)}
            size, paragraph, wrong, over = 0, [], "", False
        elif not over:
            start = start if paragraph else number
            size += len(line)
            paragraph.append(line.rstrip("\r\n"))
            if isinstance(line, Undecoded):
                wrong = wrong or line.reason
            if over := len(paragraph) > ROW_LINES or size > ROW_TEXT:
                yield start, BadRow("it is too long for one text: put blank lines between texts")
                paragraph = []
