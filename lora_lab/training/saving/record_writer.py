"""The records of one run on their way to its folder, and messages on what the disk refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from lora_lab.errors import LabError
from lora_lab.records import (
    CountsRecord,
    ErrorRecord,
    EvalRecord,
    NewsRecord,
    Record,
    SpectrumRecord,
    StepRecord,
)
from lora_lab.runs.folder import RunFolder
from lora_lab.runs.log import RunLog
from lora_lab.runs.metrics import MAX_WAITING
from lora_lab.training.experiment import Experiment

SUPERSEDED = (CountsRecord, SpectrumRecord, EvalRecord)  # before step 1 only the last one matters


class RecordWriter:
    """Writes to metrics.jsonl and log.txt of `folder`; while there is none, records wait."""

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
        self.folder: RunFolder | None = None
        self._log: RunLog | None = None
        self._waiting: list[Record] = []
        # As it was opened: edits may come before the first step, and they are records of their own.
        self._opened: Record | None = experiment.loaded()
        self._messages: list[ErrorRecord | NewsRecord] = []

    def write(self, record: Record) -> None:
        """Raises LabError where the disk refuses."""
        assert self.folder is not None
        if self._log is not None:
            self._log.note(record)
        self.folder.append([record])

    def try_write(self, record: Record) -> None:
        """Write; a refusal is a message, and the record is kept in memory and tried again."""
        if self.folder is None:
            return
        try:
            self.write(record)
        except LabError as error:
            self.error(str(error))

    def wait(self, record: Record) -> None:
        """Keep a record until there is a folder."""
        if isinstance(record, SUPERSEDED) and not self._experiment.step:
            self._waiting = [r for r in self._waiting if type(r) is not type(record)]
        if len(self._waiting) < MAX_WAITING or not isinstance(record, StepRecord):
            self._waiting.append(record)

    def write_opening(self) -> None:
        """What the records of a folder begin with, and those that waited; raises LabError."""
        data = self._experiment.task.data
        summary = () if data is None else (replace(data, rows=(), lengths=None),)  # no one's texts
        for record in (self._opened or self._experiment.loaded(), *summary, *self._waiting):
            self.write(record)
        self._waiting, self._opened = [], None

    def open_log(self, folder: Path) -> None:
        """Open log.txt where it is not open; a run is kept without it, and it is tried again."""
        if self._log is None:
            self._log = RunLog(folder)
        if refused := self._log.renew():
            self.news(f"{refused} The run continues and is saved without its log.")

    def log(self, text: str) -> None:
        """A line for people that is no record."""
        if self._log is not None:
            self._log.say(text)

    def close_log(self) -> None:
        log, self._log = self._log, None
        if log is not None:
            log.close()

    def error(self, message: str) -> None:
        """Have it said as soon as that can be done."""
        self._messages.append(ErrorRecord(self._experiment.step, message))

    def news(self, message: str) -> None:
        self._messages.append(NewsRecord(self._experiment.step, message))

    def messages(self) -> Iterator[ErrorRecord | NewsRecord]:
        """What is to be said; each once."""
        while self._messages:
            yield self._messages.pop(0)
