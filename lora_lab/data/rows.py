"""Rows of a table from files: JSON, CSV, Parquet, Arrow or text, told apart by what is in them.

A row that cannot be read is named with its file and number, as a person counts in it, and may be
left out. Nothing in a file is executed.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lora_lab.data.arrow_rows import arrow_rows, parquet_rows
from lora_lab.data.left_out import BadRow
from lora_lab.data.row_files import files_of, kind_of, of_training, read_bytes
from lora_lab.data.text_rows import text_rows
from lora_lab.errors import DataError, system_reason
from lora_lab.progress import Report, silent

REPORTED = 20_000  # rows between two reports
NAMED = 5  # bad rows that a note names
PARQUET, ARROW = b"PAR1", (b"ARROW1", b"\xff\xff\xff\xff")
NOT_DATA = (
    (b"PK\x03\x04", "a zip file. Unpack it first"),
    (b"version https://git-lfs", "a Git LFS pointer. Run `git lfs pull`, or download the file"),
    (b"<!doctype", "a web page. Open its address in a browser and download the file"),
    (b"<html", "a web page. Open its address in a browser and download the file"),
    (b"\x89PNG", "an image. For images choose their folder, and image classification"),
    (b"\xff\xd8\xff", "an image. For images choose their folder, and image classification"),
)
SPLITS = ("train", "training")  # of a folder of a data set that are trained on

Row = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """The rows of one or more files, each a dict of its columns, numbered from 1 through all."""

    path: Path
    columns: tuple[str, ...]
    rows: list[Row]
    numbers: list[int]
    notes: tuple[str, ...] = ()
    files: tuple[tuple[int, str], ...] = ()  # of several: number before the first row, and name

    def where(self, number: int) -> str:
        """File and number of a row, as a person finds it: "rows.jsonl: row 7"."""
        if not self.files:
            return f"{self.path.name}: row {number:,}"
        before, name = self.files[bisect_right(self.files, (number - 1, "\U0010ffff")) - 1]
        return f"{name}: row {number - before:,}"


def read_table(path: str | Path, *, skip_bad: bool = False, report: Report = silent) -> Table:
    """Read `.jsonl`, `.json`, `.csv`/`.tsv`, `.parquet`, `.arrow` or plain text, packed or not.

    A folder, or a pattern with `*`, is all of its files; a folder of a data set with splits, its
    training split. `skip_bad` leaves out rows that cannot be read, and says so in the notes. Raises
    DataError naming file, row and reason, also for a file that changes while it is read.
    """
    given = path = Path(path)
    notes: list[str] = []
    try:
        path, split = _training_split(path)
        notes += split
        files, others = of_training(files_of(path)) if path.is_dir() else (files_of(path), [])
        if others:
            names = ", ".join(file.name for file in others[:NAMED])
            more = f" and {len(others) - NAMED:,} more" if len(others) > NAMED else ""
            notes.append(f"of other splits, not read: {names}{more}")
    except DataError as error:
        raise DataError(f"{given.name}: {error}.") from None
    rows: list[tuple[int, Row]] = []
    parts: list[tuple[int, str]] = []
    for file in files:
        before = rows[-1][0] if rows else 0
        parts.append((before, file.name))
        read, bad = _read(file, skip_bad, report)
        rows += [(before + number, row) for number, row in read]
        if bad:
            notes.append(_left_out(bad, file.name if len(files) > 1 else ""))
    if not rows:
        raise DataError(f"{given.name}: there is no row in it.")
    if len(files) > 1:
        notes.append(f"{len(files):,} files, {parts[0][1]} to {parts[-1][1]}")
    columns: dict[str, None] = {}
    for _, row in rows:  # a column may begin late in a file of JSON lines
        if not columns.keys() >= row.keys():
            columns.update(dict.fromkeys(row))
    return Table(
        files[0] if len(files) == 1 else given,
        tuple(columns),
        [row for _, row in rows],
        [number for number, _ in rows],
        tuple(notes),
        tuple(parts) if len(files) > 1 else (),
    )


def _training_split(path: Path) -> tuple[Path, list[str]]:
    """The folder of the split that is trained on, of a data set that was saved with splits."""
    try:
        if not (path / "dataset_dict.json").is_file():
            return path, []
        splits = json.loads((path / "dataset_dict.json").read_bytes())["splits"]
        names = [name for name in splits if isinstance(name, str) and (path / name).is_dir()]
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError("its dataset_dict.json cannot be read. Save the data set again") from None
    train = next((name for name in SPLITS if name in names), None)
    if train is None:
        raise DataError(f"none of its splits ({', '.join(names)}) is called train. Choose one")
    others = ", ".join(name for name in names if name != train)
    return path / train, [f"the split {train} is read, not {others}"] if others else []


def _read(
    path: Path, skip_bad: bool, report: Report
) -> tuple[list[tuple[int, Row]], list[tuple[int, str]]]:
    """(number, row) of all rows of one file, and (number, reason) of what was left out."""
    try:
        report(f"Reading {path.name}", 0.0)
        return _rows(read_bytes(path), kind_of(path), skip_bad, report, path.name)
    except DataError as error:
        raise DataError(f"{path.name}: {error}.") from None
    except OSError as error:
        reason = system_reason(error)
        raise DataError(f"{path.name}: cannot be read ({reason}).") from error
    except MemoryError as error:
        raise DataError(f"{path.name}: does not fit into memory.") from error


def _rows(
    raw: bytes, kind: str, skip_bad: bool, report: Report, name: str
) -> tuple[list[tuple[int, Row]], list[tuple[int, str]]]:
    head = raw[:64].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for start, what in NOT_DATA:
        if raw.startswith(start) or head.startswith(start):
            raise DataError(f"this is {what}")
    if raw.startswith(PARQUET):
        return parquet_rows(raw, report, name), []
    if raw.startswith(ARROW) and (kind == ".arrow" or raw.startswith(ARROW[0])):
        return arrow_rows(raw, report, name), []
    if kind in (".parquet", ".arrow"):
        what = {".parquet": "Parquet", ".arrow": "Arrow"}[kind]
        raise DataError(f"this is no {what} file, or a damaged one. Download it again")
    if b"\0" in raw[:4096] and not raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError("this is not text. Choose JSONL, CSV, Parquet or text")
    bad: list[tuple[int, str]] = []
    rows: list[tuple[int, Row]] = []
    for number, row in text_rows(raw, kind, skip_bad, bad):
        if isinstance(row, BadRow):
            if not skip_bad:
                raise DataError(f"line {number:,}: {row}. Fix it, or skip bad rows")
            bad.append((number, str(row)))
            continue
        rows.append((number, row))
        if len(rows) % REPORTED == 0:
            report(f"Reading {name}", -1)
    return rows, bad


def _left_out(bad: list[tuple[int, str]], name: str) -> str:
    bad = sorted(bad)
    named = "; ".join(f"line {number:,}: {reason}" for number, reason in bad[:NAMED])
    more = f"; and {len(bad) - NAMED:,} more" if len(bad) > NAMED else ""
    many = len(bad) > 1
    what = f"{len(bad):,} row{'s' if many else ''}{f' of {name}' if name else ''}"
    return f"{what} {'were' if many else 'was'} left out ({named}{more})"
