"""metrics.jsonl: every record of a run, one JSON object a line, appended and never rewritten.

JSON has no NaN and no infinity, and a file that holds them is refused by most readers; they are
written as the strings "NaN", "Infinity" and "-Infinity", and `read_metrics` turns them back.
"""

from __future__ import annotations

import errno
import json
import math
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from lora_lab.atomic import replace_file
from lora_lab.door import door
from lora_lab.errors import LabError, system_reason
from lora_lab.plain import plain
from lora_lab.records import Record, StepRecord
from lora_lab.runs.lines import STEP_LINE, damaged, held_lines, parsed
from lora_lab.runs.own_files import open_own
from lora_lab.runs.row_shape import flaw, known

FLUSH_SECONDS = 1.0
RETRY_SECONDS = 10.0
MOST_STEPS = 100_000  # that are read: a table of each takes a kilobyte
MAX_WAITING = 1_000_000  # lines that wait in memory while the disk refuses them, about 200 MB
PARENTS_OWN = {
    f"{name}Record" for name in ("State", "Folder", "Saved", "Checkpoint", "Exported", "Error")
}
# States after which another stage of the schedule begins, and the one that says where it ends.
ENDS = ("finished", "stopped")
STAGES = (*ENDS, "running")


class MetricsFile:
    """Appends records; lines go to the system about once a second, and at once with an event.

    Used by one thread. A disk that refuses them is reported once, by a `LabError` from `append`;
    the lines then wait in memory and are tried again every ten seconds and on `close`. So they do
    where the file is gone, until one can be made in its place.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines: list[str] = []
        self._next_flush = 0.0
        self._refused = False
        self._lost = 0
        self._size = 0
        self._fd: int | None = None
        self._closed = False

    def append(self, records: Iterable[Record]) -> None:
        """Add records in order; raises `LabError` the first time that they cannot be written."""
        urgent = False
        lines = self._lines
        for record in records:
            if type(record) is StepRecord:
                lines.append(step_line(record))
            else:
                lines.append(line(record))
                urgent = True
        if (urgent and not self._refused) or time.monotonic() >= self._next_flush:
            self.flush()

    def flush(self) -> None:
        """Hand the waiting lines to the system; raises `LabError` once when it refuses them."""
        self._next_flush = time.monotonic() + FLUSH_SECONDS
        if not self._lines or self._closed:
            return
        data = "".join(self._lines).encode()
        try:
            _write_all(self._opened(), data)
        except OSError as error:
            self._next_flush = time.monotonic() + RETRY_SECONDS
            self._cut_back()
            if len(self._lines) > MAX_WAITING:
                self._lost += len(self._lines) - MAX_WAITING
                del self._lines[MAX_WAITING:]
            if not self._refused:
                self._refused = True
                raise LabError(
                    f"{self.path} cannot be written: {system_reason(error)}. Training continues "
                    "and its records are kept in memory; they are written as soon as "
                    f"{cure(error)}."
                ) from error
            return
        self._size += len(data)
        self._lines = []
        self._refused = False

    def move_to(self, path: Path) -> None:
        """Append to another file from now on, beginning with the lines that wait."""
        self._let_go()
        self.path, self._next_flush, self._refused = path, 0.0, False

    def close(self) -> None:
        """Write what waits and sync it; raises `LabError` when records are lost with it."""
        if self._closed:
            return
        with suppress(LabError):  # reported below, with what it means now
            self.flush()
        self._closed, unsynced = True, ""
        try:
            self.sync()
        except OSError as error:
            unsynced = system_reason(error)
        finally:
            self._let_go()
        if unsynced:
            raise LabError(f"{self.path}: the last records may be lost: {unsynced}.")
        if lost := len(self._lines) + self._lost:
            raise LabError(
                f"{self.path}: the last {lost} records could not be written and are lost. "
                "Make sure that the disk is available and has space before the next run."
            )

    def sync(self) -> None:
        """Wait until the disk has what was written; raises `OSError`."""
        if self._fd is not None:
            os.fsync(self._fd)

    def _opened(self) -> int:
        """The file at the path now, which may be another than a moment ago."""
        if self._fd is not None and not is_same_file(self._fd, self.path):
            self._let_go()
        if self._fd is None:
            self._size = _cut_torn_line(self.path)
            self._fd = open_own(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        return self._fd

    def _let_go(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            with suppress(OSError):
                os.close(fd)

    def _cut_back(self) -> None:
        """Take away the part of a line that did get written, so that every line stays whole."""
        if self._fd is None:
            return
        try:
            os.ftruncate(self._fd, self._size)
        except OSError:
            self._lines.insert(0, "\n")  # the torn part becomes a line that readers pass over


def cure(error: OSError) -> str:
    """What has to come for a write that failed so to succeed."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "there is room"
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENODEV, errno.ESTALE):
        return "the folder is back"
    return "the folder can be written again"


def is_same_file(fd: int, path: Path) -> bool:
    """Whether an open file is the one at `path`."""
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except OSError:
        return False


def step_line(record: StepRecord) -> str:
    """The JSON line of a step, by hand: it is made thousands of times a second."""
    loss, rate, seconds = record.loss, record.learning_rate, record.seconds
    # Exact floats only (numpy's have another repr), and all finite: x - x is 0 for nothing else.
    finite = loss - loss == 0.0 == rate - rate == seconds - seconds
    if finite and type(loss) is type(rate) is float:
        return (  # the clock to the microsecond: half the cost of all its digits
            f'{{"record":"StepRecord","step":{record.step},"loss":{loss!r},'
            f'"learning_rate":{rate!r},"seconds":{seconds:.6f}}}\n'
        )
    return line(record)


def line(record: Record) -> str:
    """The JSON line of any record."""
    try:
        text = json.dumps(plain(record), allow_nan=False, separators=(",", ":"), default=_item)
    except ValueError:  # some number is not finite
        text = json.dumps(_spelled(plain(record)), separators=(",", ":"), default=_item)
    return text + "\n"


@door(LabError)
def read_metrics(path: Path) -> list[dict[str, Any]]:
    """All records as plain tables, in order; a line torn by a crash is passed over.

    What was recorded of steps that were lost, because the run was resumed from an earlier one, is
    left out, of over `MOST_STEPS` steps those that lie between others, and of very many spectra all
    but some (`runs.lines`). Raises `LabError` where the file cannot be read, holds too much beside
    them, or does not say where it was resumed.
    """
    try:
        rows = (parsed(raw) for raw in held_lines(path, most=MOST_STEPS))
        return [row for row in rows if row is not None]
    except OSError as error:
        raise LabError(f"{path} cannot be read: {system_reason(error)}.") from error


@door(LabError)
def read_sound(path: Path) -> list[dict[str, Any]]:
    """Those of `read_metrics` that this lab has; raises LabError for one that is none as well."""
    rows = [row for row in read_metrics(path) if known(row)]
    for row in rows:
        if part := flaw(row):
            raise damaged(path, row, part)
    return rows


def copy_holding(source: Path, target: Path, step: int, edits: int) -> None:
    """Begin `target` with what `source` has recorded up to `step` with so many edits.

    A branch has all of its curve in its own file then, wherever it goes. Raises `LabError`.
    """
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("xb") as file:
            for raw in held_lines(source, (step, edits)):
                row = {} if raw.startswith(STEP_LINE) else parsed(raw) or {}
                if str(row.get("record")) not in PARENTS_OWN or row.get("state") in STAGES:
                    file.write(raw.rstrip(b"\n") + b"\n")
        replace_file(temporary, target)
    except OSError as error:
        reason = system_reason(error)
        raise LabError(f"{source} was not copied to {target}: {reason}.") from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def _cut_torn_line(path: Path) -> int:
    """Remove what follows the last line end, left by a crash; the file's size after that."""
    try:
        with open(open_own(path, os.O_RDWR), "rb+") as file:
            end = file.seek(0, os.SEEK_END)
            keep = end
            while keep:
                start = max(0, keep - 65536)
                file.seek(start)
                at = file.read(keep - start).rfind(b"\n")
                keep = start if at < 0 else start + at + 1
                if at >= 0:
                    break
            if keep < end:
                file.truncate(keep)
            return keep
    except FileNotFoundError:
        return 0


def _write_all(fd: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


def _item(value: Any) -> Any:
    return _spelled(value.item())  # a number of numpy


def _spelled(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _spelled(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_spelled(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value
