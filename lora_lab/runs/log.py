"""log.txt: what happened in a run, for people; and where a crash of the process itself leaves word.

One line an event, steps left out. While the run is open the log also gets what the lab's own
loggers say, and the stacks of all threads where the process dies of a signal (faulthandler).
"""

from __future__ import annotations

import faulthandler
import logging
import os
import sys
import threading
import time
from contextlib import suppress
from io import FileIO
from pathlib import Path

from lora_lab.errors import system_reason
from lora_lab.exported import ExportedRecord
from lora_lab.figures import counted
from lora_lab.opening_records import DataRecord, LoadedRecord
from lora_lab.records import (
    AppliedRecord,
    ErrorRecord,
    EvalRecord,
    NewsRecord,
    NonFiniteRecord,
    Record,
    ResumedRecord,
    SavedRecord,
    State,
    StateRecord,
)
from lora_lab.rules import data_report
from lora_lab.runs.metrics import is_same_file
from lora_lab.runs.own_files import open_own

NAME = "log.txt"
LARGEST = 8 * 2**20  # bytes; beyond it only errors are written


class RunLog(logging.Handler):
    """Appends lines from the first `renew` on; a disk that refuses them is no reason to stop."""

    def __init__(self, run: Path) -> None:
        super().__init__(logging.INFO)
        self._path = run / NAME
        self._file: FileIO | None = None
        self._size = 0
        self._refused = False
        self._swap = threading.RLock()  # any thread may say something
        self._best: EvalRecord | None = None
        self._watches = faulthandler.is_enabled()
        logging.getLogger("lora_lab").addHandler(self)

    def renew(self) -> str:
        """Open the file that is in the folder now, which may be another than a moment ago.

        Why it cannot be opened, reported once until it can; "" otherwise.
        """
        if self.in_place:
            return ""
        try:
            fd = open_own(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            file = FileIO(fd, "ab")  # an entry is one write: never torn
        except OSError as error:
            reported, self._refused = self._refused, True
            return "" if reported else f"{self._path} cannot be written: {system_reason(error)}."
        with self._swap:
            old, self._file, self._refused = self._file, file, False
            self._size = os.fstat(file.fileno()).st_size
            faulthandler.enable(file)
            if old is not None:
                old.close()
        return ""

    def note(self, record: Record) -> None:
        """Write one line about a record that people care for."""
        if isinstance(record, EvalRecord) and record.best:
            self._best = record  # written when training pauses: while it learns, each is the best
            return
        if isinstance(record, StateRecord) and record.state is not State.RUNNING and self._best:
            self._tell(self._best)
            self._best = None
        self._tell(record)

    def _tell(self, record: Record) -> None:
        words = words_of(record)
        if words and (self._size < LARGEST or isinstance(record, ErrorRecord)):
            self.say(words)

    def say(self, words: str) -> None:
        """Write one entry, with the time; from any thread."""
        entry = f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {words}\n"
        with self._swap, suppress(OSError, ValueError):
            if self._file is not None:
                os.write(self._file.fileno(), entry.encode("utf-8", "backslashreplace"))
                self._size += len(entry)

    def emit(self, record: logging.LogRecord) -> None:
        """What the lab's loggers say."""
        self.say(f"{record.levelname.lower()}: {record.getMessage()}")

    @property
    def in_place(self) -> bool:
        """Whether the file is still the one in the run's folder."""
        return self._file is not None and is_same_file(self._file.fileno(), self._path)

    def close(self) -> None:
        """Let go of the file; a crash is reported on stderr again, if it was before."""
        logging.getLogger("lora_lab").removeHandler(self)
        faulthandler.disable()
        if self._watches:
            with suppress(OSError, ValueError, AttributeError, RuntimeError):
                faulthandler.enable(sys.__stderr__)
        with self._swap, suppress(OSError):
            if self._file is not None:
                self._file.close()
                self._file = None
        super().close()


def words_of(record: Record) -> str:
    """What a person would want to read of a record; "" for what they would not."""
    match record:
        case LoadedRecord():
            notes = "".join(f"\n    {note}" for note in record.notes)
            return (
                f"opened {record.title}: {record.variant} on "
                f"{counted(len(record.layers), 'layer')} of {record.base}, {record.device}, "
                f"{record.dtype}{notes}"
            )
        case DataRecord():
            return "\n    ".join(data_report(record))
        case AppliedRecord() if record.changes:
            moves = ", ".join(f"{name} {old} → {new}" for name, old, new in record.changes)
            notes = f" ({'; '.join(record.notes)})" if record.notes else ""
            return f"step {record.step:,}: {moves}{notes}"
        case EvalRecord() if record.best and record.step:
            return f"step {record.step:,}: best validation loss so far, {record.loss:.6g}"
        case ResumedRecord():
            notes = "".join(f"\n    {note}" for note in record.notes)
            return f"resumed from the checkpoint of step {record.step:,}{notes}"
        case SavedRecord():
            return f"step {record.step:,}: adapter saved in {record.path}"
        case ExportedRecord():
            report = record.report
            return (
                f"step {record.step:,}: exported as {report.format} to {report.path}, largest "
                f"error {report.largest_error:.2g}"
            )
        case NonFiniteRecord() | NewsRecord():
            return record.message
        case ErrorRecord():
            details = "".join(f"\n    {line}" for line in record.details.splitlines())
            return f"error at step {record.step:,}: {record.message}{details}"
        case StateRecord():
            message = f": {record.message}" if record.message else ""
            details = "".join(f"\n    {line}" for line in record.details.splitlines())
            return f"step {record.step:,}: {record.state.value}{message}{details}"
    return ""
