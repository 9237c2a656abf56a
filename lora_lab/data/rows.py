"""Rows of a table from a file: JSON lines, CSV, Parquet or plain text, told apart by what is in it.

A row that cannot be read is named with its number, as a person counts in the file, and may be left
out. Nothing in a file is executed.
"""

from __future__ import annotations

import csv
import io
import json
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lora_lab.errors import DataError, system_reason
from lora_lab.progress import Report, silent

LONGEST_LINE = 64 * 2**20  # bytes
LARGEST = 8 * 2**30  # bytes of a file that is held in memory while it is read
REPORTED = 20_000  # rows between two reports
NAMED = 5  # bad rows that a note names
PARQUET = b"PAR1"
NOT_DATA = (
    (b"\x1f\x8b", "a gzip file. Unpack it first"),
    (b"PK\x03\x04", "a zip file. Unpack it first"),
    (b"version https://git-lfs", "a Git LFS pointer. Run `git lfs pull`, or download the file"),
    (b"<!doctype", "a web page. Open its address in a browser and download the file"),
    (b"<html", "a web page. Open its address in a browser and download the file"),
    (b"\x89PNG", "an image. For images choose their folder, and image classification"),
    (b"\xff\xd8\xff", "an image. For images choose their folder, and image classification"),
)

Row = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """The rows of one file, each a dict of its columns, with their numbers in the file from 1."""

    path: Path
    columns: tuple[str, ...]
    rows: list[Row]
    numbers: list[int]
    notes: tuple[str, ...] = ()


class _BadRow(Exception):
    """A row that cannot be read, with the reason."""


def read_table(path: str | Path, *, skip_bad: bool = False, report: Report = silent) -> Table:
    """Read `.jsonl`, `.json` (a list), `.csv`/`.tsv`, `.parquet` or plain text.

    `skip_bad` leaves out rows that cannot be read, and says so in the notes. Raises DataError
    naming file, row and reason, also for a file that changes while it is read.
    """
    path = Path(path)
    try:
        before = _state(path)
        report(f"Reading {path.name}", 0.0)
        raw = path.read_bytes()
        if _state(path) != before or len(raw) != before[0]:
            raise DataError("it changed while it was read. Wait until it is written, then open it")
        rows, bad = _rows(raw, path.suffix.lower(), skip_bad, report, path.name)
    except DataError as error:
        raise DataError(f"{path.name}: {error}.") from None
    except OSError as error:
        reason = system_reason(error)
        raise DataError(f"{path.name}: cannot be read ({reason}).") from error
    except MemoryError as error:
        raise DataError(f"{path.name}: does not fit into memory.") from error
    if not rows:
        raise DataError(f"{path.name}: there is no row in it.")
    columns: dict[str, None] = {}
    for _, row in rows:  # a column may begin late in a file of JSON lines
        if not columns.keys() >= row.keys():
            columns.update(dict.fromkeys(row))
    notes = (_left_out(bad),) if bad else ()
    numbers = [number for number, _ in rows]
    return Table(path, tuple(columns), [row for _, row in rows], numbers, notes)


def _state(path: Path) -> tuple[int, int, int]:
    """Size, time of change and identity of a regular file that may be read."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        raise DataError("there is no such file. Choose another") from None
    except ValueError:  # a NUL byte
        raise DataError("this is not a path. Choose another") from None
    if stat.S_ISDIR(status.st_mode):
        raise DataError("this is a folder. Choose a file in it, or image classification")
    if not stat.S_ISREG(status.st_mode):  # a pipe would block, a device never end
        raise DataError("this is not a regular file. Choose another")
    if status.st_size == 0:
        raise DataError("the file is empty")
    if status.st_size > LARGEST:
        raise DataError(f"{status.st_size:,} bytes are too many. Take a part of it")
    return status.st_size, status.st_mtime_ns, status.st_ino


def _rows(
    raw: bytes, suffix: str, skip_bad: bool, report: Report, name: str
) -> tuple[list[tuple[int, Row]], list[tuple[int, str]]]:
    """(number, row) of all that can be read, and (number, reason) of what was left out."""
    head = raw[:64].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for start, what in NOT_DATA:
        if raw.startswith(start) or head.startswith(start):
            raise DataError(f"this is {what}")
    if raw.startswith(PARQUET):
        return _parquet(raw, report, name), []
    if suffix == ".parquet":
        raise DataError("this is no Parquet file, or a damaged one. Download it again")
    bad: list[tuple[int, str]] = []
    lines = _lines(raw, skip_bad, bad)
    if b"\0" in raw[:4096] and not raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError("this is not text. Choose JSONL, CSV, Parquet or text")
    if suffix in (".csv", ".tsv"):
        found = _csv(lines, "\t" if suffix == ".tsv" else "")
    elif head.startswith(b"[") and suffix != ".txt":
        found = _json_list(lines)
    elif head.startswith(b"{") or suffix in (".jsonl", ".ndjson", ".json"):
        found = _json_lines(lines)
    else:
        found = _text(lines)
    rows: list[tuple[int, Row]] = []
    for number, row in found:
        if isinstance(row, _BadRow):
            if not skip_bad:
                raise DataError(f"line {number:,}: {row}. Mend it, or let bad rows be left out")
            bad.append((number, str(row)))
            continue
        rows.append((number, row))
        if len(rows) % REPORTED == 0:
            report(f"Reading {name}", -1)
    return rows, bad


def _lines(raw: bytes, skip_bad: bool, bad: list[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """The lines with their ends, decoded; those that are no UTF-8 are bad ones."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            raw = raw.decode("utf-16").encode()
        except UnicodeDecodeError as error:
            raise DataError("this is damaged UTF-16. Save it as UTF-8") from error
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    for number, line in enumerate(io.BytesIO(raw), 1):
        if len(line) > LONGEST_LINE:
            raise DataError(f"line {number:,} has {len(line):,} bytes; this is no table of rows")
        try:
            yield number, line.decode()
        except UnicodeDecodeError as error:
            if not skip_bad:
                raise DataError(
                    f"line {number:,} is not UTF-8 (byte {error.object[error.start]:#04x} at place "
                    f"{error.start + 1}). Save the file as UTF-8, or let bad rows be left out"
                ) from None
            bad.append((number, "not UTF-8"))


def _json_lines(lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, Row | _BadRow]]:
    for number, line in lines:
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
            yield number, _BadRow(f"not JSON ({reason[:80]})")
            continue
        yield number, row if isinstance(row, dict) and row else _BadRow("not a JSON object")


def _json_list(lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, Row | _BadRow]]:
    """Rows of a JSON list are counted, since their lines mean nothing."""
    try:
        parsed = json.loads("".join(line for _, line in lines))
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise DataError(f"it begins like a JSON list, and is none ({reason[:80]})") from None
    for number, row in enumerate(parsed, 1):
        yield number, row if isinstance(row, dict) and row else _BadRow("not a JSON object")


def _csv(lines: Iterator[tuple[int, str]], delimiter: str) -> Iterator[tuple[int, Row | _BadRow]]:
    """Rows of a table whose first line names the columns; a row has its first line's number."""
    counted = list(lines)
    text = [line for _, line in counted]
    if not text:
        return
    delimiter = delimiter or max(",;\t|", key=lambda mark: (text[0].count(mark), mark == ","))
    before = csv.field_size_limit(LONGEST_LINE)
    try:
        reader = csv.reader(text, delimiter=delimiter, strict=True)
        try:
            columns = [column.strip() for column in next(reader)]
        except csv.Error as error:
            raise DataError(f"line 1: {error}") from None
        if len(set(columns)) < len(columns) or not all(columns):
            raise DataError("its first line does not name every column, each by a name of its own")
        while True:
            at = counted[min(reader.line_num, len(counted) - 1)][0]
            try:
                values = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield at, _BadRow(str(error))
                continue
            if not values:
                continue
            if len(values) != len(columns):
                yield at, _BadRow(f"{len(values)} fields where {len(columns)} columns are named")
                continue
            yield at, dict(zip(columns, values, strict=True))
    finally:
        csv.field_size_limit(before)


def _text(lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, Row | _BadRow]]:
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


def _parquet(raw: bytes, report: Report, name: str) -> list[tuple[int, Row]]:
    import pyarrow
    from pyarrow import parquet

    rows: list[tuple[int, Row]] = []
    try:
        file = parquet.ParquetFile(pyarrow.BufferReader(raw))
        if file.metadata.num_rows > 100_000_000 or len(file.schema_arrow.names) > 10_000:
            raise DataError("it claims more rows or columns than can be held. Take a part of it")
        for batch in file.iter_batches(batch_size=REPORTED):
            rows += [(len(rows) + i, row) for i, row in enumerate(batch.to_pylist(), 1)]
            report(f"Reading {name}", len(rows) / max(1, file.metadata.num_rows))
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        reason = str(error).split("\n")[0][:80]
        raise DataError(f"the Parquet file is damaged ({reason}). Download it again") from error
    return rows


def _left_out(bad: list[tuple[int, str]]) -> str:
    bad = sorted(bad)
    named = "; ".join(f"line {number:,}: {reason}" for number, reason in bad[:NAMED])
    more = f"; and {len(bad) - NAMED:,} more" if len(bad) > NAMED else ""
    many = len(bad) > 1
    return f"{len(bad):,} row{'s were' if many else ' was'} left out ({named}{more})"
