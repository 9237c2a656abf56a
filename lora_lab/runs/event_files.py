"""A run as TensorBoard event files, by tensorboard's own forms; while it trains, or afterwards.

tensorboard's writer has a thread of its own, which prints a traceback where the disk is full and
tells nobody: the records are its own, and the file is ours.
"""

from __future__ import annotations

import json
import math
import os
import platform
import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from lora_lab.atomic import check_target
from lora_lab.errors import LabError, system_reason
from lora_lab.names import legible
from lora_lab.opening_records import LoadedRecord
from lora_lab.plain import plain
from lora_lab.records import AppliedRecord, EvalRecord, Record, SpectrumRecord, StepRecord
from lora_lab.runs.story import Row, story_of

KINDS = (LoadedRecord, StepRecord, EvalRecord, AppliedRecord, SpectrumRecord)
NAMES = {kind.__name__ for kind in KINDS}
TOP = 4  # singular values of each layer
FLUSHED = 2.0  # seconds until what was written can be seen
SHARE = 0.02  # of the time that spectra may take while a run trains: 200 layers are 1,500 numbers


class EventFiles:
    """Writes records as scalars and texts into one folder. `close` it when the run is over.

    While a run trains (`live`), spectra are thinned so that they take little time; the last one
    is always written.
    """

    def __init__(self, folder: Path, live: bool = True) -> None:
        """Raises LabError where tensorboard is not installed or the folder cannot be used."""
        try:
            from torch.utils.tensorboard import summary
        except ImportError as error:
            raise LabError(
                "Event files need tensorboard, which is not installed: "
                "python -m pip install tensorboard"
            ) from error
        try:
            check_target(folder, folder=True)
            if folder.is_dir() and any(folder.glob("events.out.tfevents.*")):
                raise LabError(
                    f"{folder} holds event files already, and two runs in one folder would be "
                    "drawn as one. Choose another folder."
                )
            self._file = _EventFile(folder)
        except OSError as error:
            raise LabError(f"{folder} cannot be written: {system_reason(error)}.") from error
        self._summary: Any = summary
        self._live = live
        self._on = False  # after the model of the run itself was opened, not its base's training
        self._time: float | None = None
        self._next_spectrum = 0.0
        self._waiting: Row | None = None

    def note(self, record: Record) -> None:
        """Write what is of interest of a record as it comes; raises OSError where it cannot be."""
        if isinstance(record, KINDS):
            self.note_row(plain(record))

    def note_row(self, row: Row, walltime: float | None = None) -> None:
        """The same, of a record as a plain table; `walltime`: when it was, in seconds of 1970."""
        kind = row.get("record")
        self._time = walltime
        if kind == "LoadedRecord":
            self._on = not row["stage"]
            if self._on:
                self._settings(row["hyper"], 0)
        elif not self._on or kind not in NAMES:
            return
        elif kind == "StepRecord":
            self._scalar("loss/training", row["loss"], row["step"])
            self._scalar("settings/learning_rate", row["learning_rate"], row["step"])
        elif kind == "EvalRecord":
            self._evaluation(row)
        elif kind == "AppliedRecord" and row["changes"]:
            self._settings(row["hyper"], row["step"])
            self._text("edits", _said(row), row["step"])
        elif kind == "SpectrumRecord":
            now = time.monotonic()
            if self._live and now < self._next_spectrum:
                self._waiting = row
                return
            self._spectrum(row)
            self._next_spectrum = now + (time.monotonic() - now) / SHARE

    def note_settings(self, settings: dict[str, Any]) -> None:
        """What the run was asked, as a text."""
        self._text("run", json.dumps(settings, indent=2, ensure_ascii=False), 0)

    def close(self) -> None:
        """Write what waits; raises OSError where it cannot be. Idempotent."""
        waiting, self._waiting = self._waiting, None
        try:
            if waiting is not None:
                self._spectrum(waiting)
        finally:
            self._file.close()

    def remove(self) -> None:
        """Take away what was written; nothing is said where that cannot be done."""
        self._file.remove()

    def _text(self, tag: str, text: str, step: int) -> None:
        """As a block of code: of other text tensorboard makes a page, which may ask a network."""
        text = "\n".join(f"    {line}" for line in legible(text).splitlines())
        self._file.add(self._summary.text(tag, text), step, self._time)

    def _scalar(self, tag: str, value: float | None, step: int) -> None:
        if value is not None:
            self._file.add(self._summary.scalar(tag, float(value)), step, self._time)

    def _settings(self, hyper: Row, step: int) -> None:
        self._scalar("settings/rank", hyper["rank"], step)
        self._scalar("settings/alpha", hyper["alpha"], step)

    def _evaluation(self, row: Row) -> None:
        beside = "" if row["enabled"] else "_adapter_off"
        self._scalar(f"loss/held_out{beside}", row["loss"], row["step"])
        self._scalar(f"accuracy/held_out{beside}", row["accuracy"], row["step"])
        for name, value in row.get("figures", ()):
            self._scalar(f"{name.replace(' ', '_')}/held_out{beside}", value, row["step"])

    def _spectrum(self, row: Row) -> None:
        self._waiting = None
        for layer in row["layers"]:
            name, step = layer["name"], row["step"]
            for place, sigma in enumerate(layer["sigma"][:TOP], 1):
                self._scalar(f"sigma_{place}/{name}", sigma, step)
            for label in ("effective_rank", "rank", "alpha"):
                if not math.isnan(layer[label]):  # of a ΔW that is 0, of a layer without factors
                    self._scalar(f"{label}/{name}", layer[label], step)


class _EventFile:
    """One file of records, in a folder that is made where it is not there; raises OSError."""

    def __init__(self, folder: Path) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.summary.writer.record_writer import RecordWriter

        self._made = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{int(time.time())}.{platform.node()}.{os.getpid()}.0"
        self.path = folder / name
        self._file = self.path.open("xb")
        self._event, self._records = Event, RecordWriter(self._file)
        self._next_flush = 0.0
        try:
            self._write(Event(wall_time=time.time(), file_version="brain.Event:2"))
        except OSError:
            with suppress(OSError):
                self.close()
            self.remove()
            raise

    def add(self, summary: Any, step: int, walltime: float | None) -> None:
        when = time.time() if walltime is None else walltime
        self._write(self._event(wall_time=when, step=step, summary=summary))

    def _write(self, event: Any) -> None:
        self._records.write(event.SerializeToString())
        if time.monotonic() >= self._next_flush:  # whoever looks sees it soon
            self._file.flush()
            self._next_flush = time.monotonic() + FLUSHED

    def close(self) -> None:
        try:
            self._file.close()
        except OSError:
            with suppress(OSError):  # what waits to be written is lost, and the file is closed
                self._file.raw.close()
            raise

    def remove(self) -> None:
        with suppress(OSError):
            self.path.unlink()
            if self._made:
                self.path.parent.rmdir()


def write_events(run: Path, folder: Path) -> int:
    """Write a run in its folder as event files; the number of its steps.

    Raises LabError where there is no run, tensorboard is not installed, or nothing can be written.
    """
    story = story_of(run)
    files = EventFiles(folder, live=False)
    try:
        try:
            files.note_settings(story.about["config"])
            for row, when in _timed(story.rows, str(story.about.get("started", ""))):
                files.note_row(row, when)
        finally:
            files.close()
    except BaseException as error:
        files.remove()
        if isinstance(error, OSError):
            raise LabError(f"{folder} cannot be written: {system_reason(error)}.") from error
        raise
    return story.last_step


def _timed(rows: Iterable[Row], started: str) -> Iterable[tuple[Row, float | None]]:
    """Each record and when it was: the beginning of the run and its training time up to then."""
    try:
        now: float | None = datetime.strptime(started, "%Y-%m-%dT%H:%M:%S%z").timestamp()
    except ValueError:
        now = None
    begun = now
    for row in rows:
        if begun is not None and row.get("record") == "StepRecord":
            now = begun + row["seconds"]
        yield row, now


def _said(row: Row) -> str:
    """An edit in words."""
    changes = ", ".join(f"{field}: {old} → {new}" for field, old, new in row["changes"])
    return "\n".join([changes, *row.get("notes", ())])
