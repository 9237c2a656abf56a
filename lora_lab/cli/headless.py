"""One run without a window: the loop to its end, a progress bar, and the facts of the run."""

from __future__ import annotations

import logging
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from lora_lab.cli.outcome import Outcome
from lora_lab.config import RunConfig
from lora_lab.errors import Interrupted, LabError, system_reason
from lora_lab.records import (
    CheckpointRecord,
    ErrorRecord,
    LoadedRecord,
    NewsRecord,
    NonFiniteRecord,
    Record,
    ResumedRecord,
    SavedRecord,
    StepRecord,
)
from lora_lab.runs.event_files import EventFiles
from lora_lab.training.controls import Controls
from lora_lab.training.run import run
from lora_lab.variants import VARIANTS

log = logging.getLogger("lora_lab.headless")
HELP = "Resume it in the window, or train again with a lower --learning-rate or in float32."


def drive(
    config: RunConfig,
    out_folder: Path | None,
    console: Console,
    resume: Path | None = None,
    until: int | None = None,
    tensorboard: Path | None = None,
    signals: list[int] | None = None,
) -> dict[str, Any]:
    """Train, with a progress bar and what must be said on `console`; the facts, ready for JSON.

    `resume` and `until` are those of `run`; into `tensorboard` go event files. `signals` are those
    that its caller has heard; what comes meanwhile is added.

    A signal ends the run as the window's button does; its name is among the facts. Raises LabError
    where nothing was trained or the run could not be kept, and Interrupted where a signal is why.
    """
    outcome, failure, unsaved = Outcome(), "", ""
    controls = Controls(config.hyper)
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]}"), TimeRemainingColumn(),
    )  # fmt: skip
    with ExitStack() as stack:
        events = stack.enter_context(_events(tensorboard, config, console))
        progress = stack.enter_context(Progress(*columns, console=console, transient=True))
        stack.enter_context(_threads_heard())
        signals = stack.enter_context(stop_on_signals(controls.stop, signals))
        bar = progress.add_task("opening", total=None, loss="–")

        def report(what: str, share: float) -> None:
            if controls.stopping:
                message = "interrupted while the model was opened; nothing was trained"
                raise Interrupted(message, signals[0])
            known = share >= 0
            progress.update(
                bar, description=what, total=1 if known else None, completed=max(share, 0)
            )

        records = stack.enter_context(
            closing(
                run(config, controls, folder=out_folder, resume=resume, until=until, report=report)
            )
        )
        for record in records:
            outcome.note(record)
            events(record)
            if isinstance(record, StepRecord) and record.step % 50 == 0:
                progress.update(bar, completed=record.step, loss=f"{record.loss:.3g}")
            elif isinstance(record, LoadedRecord):
                title = record.stage or record.title
                progress.reset(bar, total=record.goal, description=title, loss="–")
                for note in record.notes:
                    console.print(note, style="yellow")
            elif isinstance(record, ResumedRecord):
                console.print(f"resumed at step {record.step:,}")
                progress.update(bar, completed=record.step)
                for note in record.notes:
                    console.print(note, style="yellow")
            elif isinstance(record, NewsRecord):
                console.print(record.message, style="yellow")
            elif isinstance(record, NonFiniteRecord):
                failure = f"{record.message} {HELP}"
                controls.stop()
            elif isinstance(record, ErrorRecord):
                console.print(record.message, style="yellow")
                if controls.paused:  # nobody is here to lower a rate: the run is at its end
                    failure = record.message
                    controls.stop()
                unsaved = record.message
            elif isinstance(record, SavedRecord | CheckpointRecord):
                unsaved = ""
    if failure:
        raise LabError(failure)
    if outcome.stage:
        raise Interrupted("interrupted while the base was trained; nothing was saved", signals[0])
    facts = outcome.facts()
    facts["interrupted"] = signal.Signals(signals[0]).name if signals else None
    if not facts["steps"] and signals:
        raise Interrupted("interrupted before the first step", signals[0])
    if not facts["run"]:
        raise LabError("the run could not be kept: no folder could be made for it")
    if unsaved:
        raise LabError(unsaved)
    if not (variant := VARIANTS[config.variant]).factored:
        said = f"{variant.subject} has no factors to keep: its weights are not saved."
        console.print(said, style="yellow")
    return facts


@contextmanager
def _events(
    folder: Path | None, config: RunConfig, console: Console
) -> Iterator[Callable[[Record], None]]:
    """Where records go that become event files; a disk that refuses them does not end the run."""
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
            console.print(f"{folder}: event files end here ({reason}); the training goes on",
                          style="yellow")  # fmt: skip

    try:
        guarded(lambda: files.note_settings(config.model_dump(mode="json")))
        yield lambda record: None if refused else guarded(lambda: files.note(record))
    finally:
        guarded(files.close)


@contextmanager
def stop_on_signals(
    stop: Callable[[], None] = lambda: None, came: list[int] | None = None
) -> Iterator[list[int]]:
    """Ctrl-C, SIGTERM and a terminal that is closed call `stop`; those that came.

    A second one does not wait for what is being stopped. `came` is the list of another such block
    that this one lies in: where one has come there already, `stop` is called at once.
    """
    came = [] if came is None else came

    def heard(number: int, frame: FrameType | None) -> None:
        came.append(number)
        stop()
        if len(came) > 1:
            raise KeyboardInterrupt

    heeded = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        heeded.append(signal.SIGHUP)  # it is ignored under nohup
    old = {number: signal.getsignal(number) for number in heeded}
    for number in heeded:
        signal.signal(number, heard)
    if came:
        stop()
    try:
        yield came
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


@contextmanager
def _threads_heard() -> Iterator[None]:
    """What no thread caught goes into the run's log as well."""
    before = threading.excepthook

    def heard(arguments: threading.ExceptHookArgs) -> None:
        about = (arguments.exc_type, arguments.exc_value, arguments.exc_traceback)
        name = arguments.thread.name if arguments.thread else "a thread"
        text = "".join(traceback.format_exception(*about)).rstrip()
        log.error("uncaught in %s: %s", name, text)
        before(arguments)

    threading.excepthook = heard
    try:
        yield
    finally:
        threading.excepthook = before
