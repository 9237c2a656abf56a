"""One run without a window: the loop to its end, a progress bar, and the facts of the run."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from lora_lab.awake import Awake
from lora_lab.cli.interrupts import stop_on_signals, threads_logged
from lora_lab.cli.outcome import Outcome
from lora_lab.config import RunConfig
from lora_lab.errors import Interrupted, LabError, system_reason
from lora_lab.opening_records import DataRecord, LoadedRecord
from lora_lab.records import (
    AppliedRecord,
    CheckpointRecord,
    ErrorRecord,
    NewsRecord,
    NonFiniteRecord,
    Record,
    ResumedRecord,
    SavedRecord,
    StateRecord,
    StepRecord,
)
from lora_lab.rules import data_report
from lora_lab.runs.event_files import EventFiles
from lora_lab.time_limit import limited
from lora_lab.training.controls import Controls
from lora_lab.training.opening import Opening, Resume
from lora_lab.training.parallel.launch import together
from lora_lab.training.parallel.place import place_here
from lora_lab.training.run import run
from lora_lab.variants import VARIANTS

PATIENCE = 1.0  # seconds in which an opening that is interrupted may end by itself
HELP = "Resume it in the window, or train again with a lower --learning-rate or in float32."


class Display:
    """A run on the console: its progress bar, its messages, and why it fails if it does."""

    def __init__(self, console: Console, progress: Progress, controls: Controls) -> None:
        self.failure = self.unsaved = ""
        self._console, self._progress, self._controls = console, progress, controls
        self._bar = progress.add_task("opening", total=None, loss="–")

    def opening(self, stage: str, share: float) -> None:
        """How far the opening of the model is; below 0: not known."""
        total = 1 if share >= 0 else None
        self._progress.update(self._bar, description=stage, total=total, completed=max(share, 0))

    def show(self, record: Record) -> None:
        """One record of the run; a failure that only a person could mend ends it."""
        match record:
            case StepRecord(step=step) if step % 50 == 0:
                self._progress.update(self._bar, completed=step, loss=f"{record.loss:.3g}")
            case DataRecord(path=path) if path:  # data that a preset brings is no news
                for line in data_report(record):
                    self._console.print(line, style="yellow" if line in record.notes else None)
            case LoadedRecord():
                title = record.stage or record.title
                self._progress.reset(self._bar, total=record.goal, description=title, loss="–")
                self._warn(*record.notes)
            case ResumedRecord():
                self._console.print(f"resumed at step {record.step:,}")
                self._progress.update(self._bar, completed=record.step)
                self._warn(*record.notes)
            case AppliedRecord(changes=changes) if changes:  # what differs from a file's adapter
                done = (f"{name} {before} → {after}" for name, before, after in changes)
                self._warn(f"before the first step: {', '.join(done)}", *record.notes)
            case NewsRecord():
                self._warn(record.message)
            case NonFiniteRecord():
                self.failure = f"{record.message} {HELP}"
                self._controls.stop()
            case ErrorRecord():
                self._warn(record.message)
                self.unsaved = record.message
                if self._controls.paused:  # nobody is here to lower a learning rate
                    self.failure = record.message
                    self._controls.stop()
            case SavedRecord() | CheckpointRecord():
                self.unsaved = ""

    def _warn(self, *messages: str) -> None:
        for message in messages:
            self._console.print(message, style="yellow")


def drive(
    opening: Opening,
    console: Console,
    tensorboard: Path | None = None,
    signals: list[int] | None = None,
    unpromising: Callable[[Record], bool] = lambda record: False,
) -> dict[str, Any]:
    """Train, with a progress bar and messages on `console`; the facts of the run, ready for JSON.

    Event files go into `tensorboard`. `signals` are those that the caller has received; later ones
    are added. A run of which `unpromising` says so ends at its step, as by the window's button.

    A signal ends the run as the window's button does; its name is among the facts. Raises LabError
    where nothing was trained or the run could not be kept, and Interrupted where a signal is why.
    """
    config = opening.config
    outcome, controls = Outcome(), Controls(config.hyper)
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]}"), TimeRemainingColumn(),
    )  # fmt: skip
    with ExitStack() as stack:
        events = stack.enter_context(_events(tensorboard, config, console))
        bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        progress = stack.enter_context(bar)
        display = Display(console, progress, controls)
        stack.enter_context(threads_logged())
        signals = [] if signals is None else signals
        loaded: list[LoadedRecord] = []

        class Stuck(Interrupted):
            def __init__(self) -> None:
                message = "interrupted while the model was opened; nothing was trained"
                super().__init__(message, signals[0] if signals else signal.SIGINT)

        work = stack.enter_context(limited(math.inf, Stuck))

        def stop() -> None:
            controls.stop()
            if not loaded:
                work.end_in(PATIENCE)  # it may be in what reports nothing

        repeated = place_here() is not None
        stack.enter_context(stop_on_signals(stop, signals, repeated=repeated))

        def report(stage: str, share: float) -> None:
            if controls.stopping:
                raise Stuck
            display.opening(stage, share)

        group = stack.enter_context(together(config, report))
        awake = stack.enter_context(closing(Awake(lambda words: console.print(words))))
        records = stack.enter_context(closing(run(opening, controls, report=report, group=group)))
        began = False
        for record in records:
            if isinstance(record, LoadedRecord):
                loaded.append(record)
                work.go_on()
            outcome.note(record)
            awake.follow(record)
            events(record)
            display.show(record)
            if unpromising(record):
                controls.finish()
            began = began or isinstance(record, StateRecord)
        if signals and not began and isinstance(opening, Resume):
            raise Stuck
    facts = _facts(outcome, display, signals)
    variant = loaded[-1].variant if loaded else config.variant
    if kept := VARIANTS[variant].no_factors:
        console.print(f"{kept}.", style="yellow")
    return facts


def _facts(outcome: Outcome, display: Display, signals: list[int]) -> dict[str, Any]:
    """The facts of a run that has ended; raises LabError or Interrupted as `drive` does."""
    if display.failure:
        raise LabError(display.failure)
    if outcome.stage:
        raise Interrupted("interrupted while the base was trained; nothing was saved", signals[0])
    facts = outcome.facts()
    facts["interrupted"] = signal.Signals(signals[0]).name if signals else None
    if not facts["steps"] and signals:
        raise Interrupted("interrupted before the first step", signals[0])
    if not facts["run"]:
        raise LabError("the run could not be kept: no folder could be created for it")
    if display.unsaved:
        raise LabError(display.unsaved)
    return facts


@contextmanager
def _events(
    folder: Path | None, config: RunConfig, console: Console
) -> Iterator[Callable[[Record], None]]:
    """Where records become event files; a disk that refuses them does not end the run."""
    if folder is None:
        yield lambda record: None
        return
    files, refused = EventFiles(folder), False

    def guarded(write: Callable[[], None]) -> None:
        nonlocal refused
        try:
            write()
        except OSError as error:
            if refused:
                return
            refused = True
            reason = system_reason(error)
            console.print(f"{folder}: event files end here ({reason}); training continues",
                          style="yellow")  # fmt: skip

    try:
        guarded(lambda: files.note_settings(config.model_dump(mode="json")))
        yield lambda record: None if refused else guarded(lambda: files.note(record))
    finally:
        guarded(files.close)
