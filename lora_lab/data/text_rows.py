"""Rows from text: JSON lines, a JSON list, tables with a first line of names, paragraphs.

Each row comes with its number, as a person counts in the file; one that cannot be read comes as a
`BadRow` in its place.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from itertools import dropwhile
from typing import Any

from lora_lab.data.left_out import BadRow
from lora_lab.errors import DataError

Row = dict[str, Any]
Rows = Iterator[tuple[int, Row | BadRow]]

SEPARATOR = re.compile(r"sep=(.)\s*", re.IGNORECASE)
QUOTED = re.compile(r'"[^"]*"')
LONGEST_LINE = 64 * 2**20  # bytes
LISTS = ("data", "train", "rows", "examples", "instances")  # of rows in one JSON object


def text_rows(raw: bytes, kind: str, skip_bad: bool, bad: list[tuple[int, str]]) -> Rows:
    """The rows of a file of text of this `kind` (its ending).

    Lines that are not UTF-8 go to `bad` where `skip_bad`. Raises DataError for what is none.
    """
    lines = _lines(raw, skip_bad, bad)
    head = raw[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
    if kind in (".csv", ".tsv"):
        return _csv(lines, "\t" if kind == ".tsv" else "")
    if kind == ".txt":
        return _json_lines(lines) if head.startswith(b"{") and _is_json_lines(raw) else _text(lines)
    if head.startswith(b"["):
        return _json_list(lines)
    if kind == ".json" and not _is_json_lines(raw):
        return _json_object(lines)
    if head.startswith(b"{") or kind in (".jsonl", ".ndjson", ".json"):
        return _json_lines(lines)
    return _text(lines)


def _is_json_lines(raw: bytes) -> bool:
    """Whether the first line is a JSON object by itself, and not one that holds all rows."""
    start = raw[:LONGEST_LINE].removeprefix(b"\xef\xbb\xbf").lstrip()
    first, _, rest = start.partition(b"\n")
    try:
        found = json.loads(first)
    except (ValueError, RecursionError):
        return False
    if not isinstance(found, dict):
        return False
    return bool(rest.strip()) or not any(_is_rows(found.get(key)) for key in LISTS)


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _lines(raw: bytes, skip_bad: bool, bad: list[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """The lines with their ends, decoded; those that are no UTF-8 are bad ones."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            raw = raw.decode("utf-16").encode()
        except UnicodeDecodeError as error:
            raise DataError("this is damaged UTF-16. Save it as UTF-8") from error
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    if b"\r" in raw and b"\n" not in raw:  # lines that end as old Macs write them
        raw = raw.replace(b"\r", b"\n")
    for number, line in enumerate(io.BytesIO(raw), 1):
        if len(line) > LONGEST_LINE:
            raise DataError(f"line {number:,} has {len(line):,} bytes; this is no table of rows")
        try:
            yield number, line.decode()
        except UnicodeDecodeError as error:
            if not skip_bad:
                raise DataError(
                    f"line {number:,} is not UTF-8 (byte {error.object[error.start]:#04x} at place "
                    f"{error.start + 1}). Save the file as UTF-8, or skip bad rows"
                ) from None
            bad.append((number, "not UTF-8"))


def _json_lines(lines: Iterator[tuple[int, str]]) -> Rows:
    for number, line in lines:
        if not line.strip():
            continue
        try:
            row = json.loads(line, object_pairs_hook=_once)
        except (ValueError, RecursionError) as error:
            reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
            yield number, BadRow(f"not JSON ({reason[:80]})")
            continue
        yield number, row if isinstance(row, dict) and row else BadRow("not a JSON object")


def _once(pairs: list[tuple[str, Any]]) -> Row:
    """An object whose keys stand once each; Python would take the last, and lose what is before."""
    row = dict(pairs)
    if len(row) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        raise ValueError(f"the key {counts.most_common(1)[0][0][:40]!r} stands twice")
    return row


def _json_list(lines: Iterator[tuple[int, str]]) -> Rows:
    """Rows of a JSON list are counted, since their lines mean nothing."""
    return _listed(_whole(lines, "a JSON list"))


def _json_object(lines: Iterator[tuple[int, str]]) -> Rows:
    """One object that holds the rows as a list, as many programs write them."""
    found = _whole(lines, "JSON")
    lists = {
        key: value
        for key, value in (found.items() if isinstance(found, dict) else ())
        if _is_rows(value)
    }
    named = [key for key in LISTS if key in lists]
    if len(lists) != 1 and not named:
        keys = ", ".join(sorted(lists)[:10])
        what = f"several lists of rows ({keys})" if lists else "no list of rows"
        raise DataError(f"it is one JSON object with {what}. Write the rows as a list, or in lines")
    return _listed(lists[named[0] if named else next(iter(lists))])


def _whole(lines: Iterator[tuple[int, str]], what: str) -> Any:
    try:
        return json.loads("".join(line for _, line in lines), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise DataError(f"it begins like {what}, and is none ({reason[:80]})") from None


def _listed(rows: list[Any]) -> Rows:
    for number, row in enumerate(rows, 1):
        yield number, row if isinstance(row, dict) and row else BadRow("not a JSON object")


def _csv(lines: Iterator[tuple[int, str]], delimiter: str) -> Rows:
    """Rows of a table whose first line names the columns; a row has its first line's number.

    Where a row cannot be read, reading goes on at the line behind its first: a quote that is never
    closed spoils its own row alone.
    """
    counted = list(dropwhile(lambda line: not line[1].strip(), lines))
    if counted and (named := SEPARATOR.fullmatch(counted[0][1])):  # Excel's own first line
        delimiter, counted = delimiter or named[1], counted[1:]
    text = [line for _, line in counted]
    if not text:
        return
    bare = QUOTED.sub("", text[0])
    delimiter = delimiter or max(",;\t|", key=lambda mark: (bare.count(mark), mark == ","))
    before = csv.field_size_limit(LONGEST_LINE)
    try:
        reader = csv.reader(text, delimiter=delimiter, strict=True)
        try:
            columns = [column.strip() for column in next(reader)]
        except csv.Error as error:
            raise DataError(f"line 1: {error}") from None
        numbered = len(columns) > 1 and not columns[0]  # pandas writes row numbers without a name
        names = columns[1:] if numbered else columns
        if len(set(names)) < len(names) or not all(names):
            raise DataError("its first line does not name every column, each by a name of its own")
        start, first = reader.line_num, 0
        reader = csv.reader(text[start:], delimiter=delimiter, strict=True)
        while start + first < len(text):
            at = counted[start + first][0]
            wrong = ""
            try:
                values = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                values, wrong = [], str(error)
            if values and len(values) != len(columns):
                wrong = f"{len(values)} fields where {len(columns)} columns are named"
            if wrong:
                yield at, BadRow(wrong)
                start, first = start + first + 1, 0
                reader = csv.reader(text[start:], delimiter=delimiter, strict=True)
                continue
            first = reader.line_num
            if values:
                yield at, dict(zip(names, values[numbered:], strict=True))
    finally:
        csv.field_size_limit(before)


def _text(lines: Iterator[tuple[int, str]]) -> Rows:
    """Paragraphs, apart by blank lines; each has the number of its first line."""
    start, paragraph = 0, []
    for number, line in lines:
        if line.strip():
            start = start if paragraph else number
            paragraph.append(line.rstrip("\r\n"))
        elif paragraph:
            yield start, {"text": "\n".join(paragraph)}
            paragraph = []
    if paragraph:
        yield start, {"text": "\n".join(paragraph)}
