"""Rows of a table from files: JSON, CSV, Parquet, Arrow or text, told apart by what is in them.

A row that cannot be read is named with its file and number, as a person counts in it, and may be
left out. Nothing in a file is executed. A table does not hold its rows: they are read from their
files each time that they are gone through.
"""

from __future__ import annotations

import shutil
import tempfile
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import IO, Any, Protocol

from lora_lab.data.arrow_rows import arrow_rows
from lora_lab.data.json_text import parsed
from lora_lab.data.left_out import BadRow
from lora_lab.data.row_files import (
    COLUMNS,
    NAMES,
    State,
    files_of,
    kind_of,
    of_training,
    opened,
    state_of,
)
from lora_lab.data.text_rows import text_rows
from lora_lab.door import door
from lora_lab.errors import DataError, system_reason
from lora_lab.names import few
from lora_lab.progress import Report, silent

REPORTED = 20_000  # rows between two reports
NAMED = 5  # bad rows that a note names
SAMPLE, HELD = 200, 2**24  # rows that are looked at, and about how many characters of them
PARQUET, ARROW = b"PAR1", (b"ARROW1", b"\xff\xff\xff\xff")
NOT_DATA = (
    (b"\xff\xfe\0\0", "text in UTF-32. Save it as UTF-8"),
    (b"\0\0\xfe\xff", "text in UTF-32. Save it as UTF-8"),
    (b"PK\x03\x04", "a zip file. Unpack it first"),
    (b"version https://git-lfs", "a Git LFS pointer. Run `git lfs pull`, or download the file"),
    (b"<!doctype", "a web page. Open its address in a browser and download the file"),
    (b"<html", "a web page. Open its address in a browser and download the file"),
    (b"\x89PNG", "an image. For images choose their folder, and image classification"),
    (b"\xff\xd8\xff", "an image. For images choose their folder, and image classification"),
)
SPLITS = ("train", "training")  # of a folder of a data set that are trained on
SPLIT_LIST = 2**16  # bytes of the file that names them, which has a line of them

Row = dict[str, Any]


class Rows(Protocol):
    """Rows with their numbers, which can be gone through again and again."""

    def __iter__(self) -> Iterator[tuple[int, Row]]: ...

    def __len__(self) -> int: ...


@dataclass(frozen=True)
class HeldRows:
    """A few rows that are held in memory."""

    rows: Sequence[Row]
    numbers: Sequence[int]

    def __iter__(self) -> Iterator[tuple[int, Row]]:
        return zip(self.numbers, self.rows, strict=True)

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class Table:
    """The rows of one or more files, each a dict of its columns, numbered from 1 through all."""

    path: Path
    columns: tuple[str, ...]
    rows: Rows
    notes: tuple[str, ...] = ()
    files: tuple[tuple[int, str], ...] = ()  # of several: number before the first row, and name

    @cached_property
    def sample(self) -> list[Row]:
        """The first rows, to look at."""
        rows, size = [], 0
        for _, row in islice(self.rows, SAMPLE):
            rows.append(row)
            if (size := size + _length(row)) > HELD:
                break
        return rows

    def where(self, number: int) -> str:
        """File and number of a row, as a person finds it: "rows.jsonl: row 7"."""
        if not self.files:
            return f"{self.path.name}: row {number:,}"
        before, name = self.files[bisect_right(self.files, (number - 1, "\U0010ffff")) - 1]
        return f"{name}: row {number - before:,}"


def _length(value: Any) -> int:
    """About the characters of a value, or how many it holds."""
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, dict):
        value = list(value.values())
    return sum(map(_length, value)) + len(value) if isinstance(value, list) else 1


@door(DataError)
def read_table(path: str | Path, *, skip_bad: bool = False, report: Report = silent) -> Table:
    """Read `.jsonl`, `.json`, `.csv`/`.tsv`, `.parquet`, `.arrow` or plain text, packed or not.

    A folder, or a pattern with `*`, is all of its files; a folder of a data set with splits, its
    training split. `skip_bad` leaves out rows that cannot be read, and says so in the notes. Raises
    DataError naming file, row and reason, also for a file that changes while it is read.
    """
    path = Path(path)
    files, notes = table_files(path)
    rows = _FileRows(files, skip_bad, report)
    columns, named = dict[str, None](), 0
    for _, row in rows:  # a column may begin late in a file of JSON lines
        if not columns.keys() >= row.keys():
            named += sum(map(len, row.keys() - columns.keys()))
            columns.update(dict.fromkeys(row))
            if len(columns) > COLUMNS or named > NAMES:
                raise DataError(
                    f"{path.name}: it has over {COLUMNS:,} columns, or the longest names. Write "
                    "what differs from row to row into one column."
                )
    if not len(rows):
        raise DataError(f"{path.name}: there is no row in it.")
    for file, bad in rows.bad.items():
        if bad.count:
            notes.append(bad.note(file.name if len(files) > 1 else ""))
    if len(files) > 1:
        notes.append(f"{len(files):,} files, {files[0].name} to {files[-1].name}")
    return Table(
        files[0] if len(files) == 1 else path,
        tuple(columns),
        rows,
        tuple(notes),
        tuple((before, file.name) for file, before in rows.before.items())
        if len(files) > 1
        else (),
    )


def table_files(path: Path) -> tuple[list[Path], list[str]]:
    """The files whose rows are read, and notes on those that are not.

    Raises DataError where there is none.
    """
    notes: list[str] = []
    given = path
    try:
        path, split = _training_split(path)
        notes += split
        files, others = of_training(files_of(path)) if path.is_dir() else (files_of(path), [])
    except DataError as error:
        raise DataError(f"{given.name}: {error}.") from None
    if others:
        names = ", ".join(file.name for file in others[:NAMED])
        more = f" and {len(others) - NAMED:,} more" if len(others) > NAMED else ""
        notes.append(f"of other splits, not read: {names}{more}")
    return files, notes


def _training_split(path: Path) -> tuple[Path, list[str]]:
    """The folder of the split that is trained on, of a data set that was saved with splits."""
    try:
        if not (path / "dataset_dict.json").is_file():
            return path, []
        with (path / "dataset_dict.json").open("rb") as file:
            if len(data := file.read(SPLIT_LIST + 1)) > SPLIT_LIST:
                raise DataError("its dataset_dict.json is too long for a list of splits")
        splits = dict.fromkeys(n for n in parsed(data)["splits"] if isinstance(n, str))
        names = [name for name in splits if (path / name).is_dir()]
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError("its dataset_dict.json cannot be read. Save the data set again") from None
    train = next((name for name in SPLITS if name in names), None)
    if train is None:
        raise DataError(f"none of its splits ({few(names)}) is called train. Choose one")
    others = few(name for name in names if name != train)
    return path / train, [f"the split {train} is read, not {others}"] if others else []


@dataclass
class _Bad:
    """Rows of one file that cannot be read: how many, and the first of them with the reason."""

    count: int = 0
    first: list[tuple[int, str]] = field(default_factory=list)

    def add(self, number: int, reason: str) -> None:
        self.count += 1
        if len(self.first) < NAMED:
            self.first.append((number, reason))

    def note(self, name: str) -> str:
        named = "; ".join(f"line {number:,}: {reason}" for number, reason in self.first)
        more = f"; and {self.count - NAMED:,} more" if self.count > NAMED else ""
        many = self.count > 1
        what = f"{self.count:,} row{'s' if many else ''}{f' of {name}' if name else ''}"
        return f"{what} {'were' if many else 'was'} left out ({named}{more})"


class _FileRows:
    """The rows of files, read anew each time; a file may not change between two times."""

    def __init__(self, files: Sequence[Path], skip_bad: bool, report: Report) -> None:
        self._files, self._skip_bad, self._report = files, skip_bad, report
        self._states: dict[Path, State] = {}
        self._count = 0
        self.before: dict[Path, int] = {}  # of each file: the number before that of its first row
        self.bad: dict[Path, _Bad] = {}

    def __len__(self) -> int:
        """As many as there were when they were last gone through whole."""
        return self._count

    def __iter__(self) -> Iterator[tuple[int, Row]]:
        count = last = 0
        for file in self._files:
            before, self.before[file], self.bad[file] = last, last, _Bad()
            for number, row in self._rows_of(file):
                last = before + number
                count += 1
                yield last, row
        self._count = count

    def _rows_of(self, path: Path) -> Iterator[tuple[int, Row]]:
        """(number, row) of one file, those left out in `bad`; errors with its name."""
        bad = self.bad[path]
        try:
            self._report(f"Reading {path.name}", 0.0)
            if path not in self._states:
                self._states[path] = state_of(path)
            for number, row in _rows(path, self._states[path], self._report):
                if not isinstance(row, BadRow):
                    yield number, row
                elif self._skip_bad:
                    bad.add(number, str(row))
                else:
                    raise DataError(f"line {number:,}: {row}. Fix it, or skip bad rows")
                if number % REPORTED == 0:
                    self._report(f"Reading {path.name}", -1)
        except DataError as error:
            raise DataError(f"{path.name}: {error}.") from None
        except OSError as error:
            reason = system_reason(error)
            raise DataError(f"{path.name}: cannot be read ({reason}).") from error
        except MemoryError as error:
            raise DataError(f"{path.name}: does not fit into memory.") from error


def _rows(path: Path, state: State, report: Report) -> Iterator[tuple[int, Row | BadRow]]:
    kind, name = kind_of(path), path.name
    with opened(path, state) as file:
        raw = file.peek(4096)
        head = raw[:64].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
        for start, what in NOT_DATA:
            if raw.startswith(start) or head.startswith(start):
                raise DataError(f"this is {what}")
        is_arrow = raw.startswith(ARROW) and (kind == ".arrow" or raw.startswith(ARROW[0]))
        if is_arrow or raw.startswith(PARQUET):
            form = "Arrow" if is_arrow else "Parquet"
            with _named(path, file) as whole:
                yield from arrow_rows(whole, form, report, name)
            return
    if kind in (".parquet", ".arrow"):
        what = {".parquet": "Parquet", ".arrow": "Arrow"}[kind]
        raise DataError(f"this is no {what} file, or a damaged one. Download it again")
    if b"\0" in raw[:4096] and not raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError("this is not text. Choose JSONL, CSV, Parquet or text")
    still = partial(report, f"Reading {name}", -1)
    yield from text_rows(partial(opened, path, state, still), kind)


@contextmanager
def _named(path: Path, file: IO[bytes]) -> Iterator[Path]:
    """A file in which one can go back: itself, or where it is packed, unpacked beside memory."""
    if file.seekable():
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="lora-lab-") as folder:
        whole = Path(folder) / "unpacked"
        with whole.open("wb") as unpacked:
            shutil.copyfileobj(file, unpacked)
        yield whole
