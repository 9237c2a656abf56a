"""Verbs on runs that train in the background: begin one, watch one by a line of text, end one."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lora_lab.cli.console import err, one_line, out, plain_errors, print_json
from lora_lab.cli.interrupts import stop_on_signals
from lora_lab.errors import Cancelled, ConfigError, Interrupted, LabError
from lora_lab.opening_records import LoadedRecord, OpeningRecord
from lora_lab.records import (
    AppliedRecord,
    ErrorRecord,
    EvalRecord,
    NewsRecord,
    NonFiniteRecord,
    Record,
    ResumedRecord,
    State,
    StateRecord,
    StepRecord,
)

if TYPE_CHECKING:
    from lora_lab.engine.remote import RemoteSession
    from lora_lab.training.opening import Opening

LOOK = 0.05  # seconds between two looks
SPEED = 3.0  # seconds that the speed is taken over
BEGUN = (State.RUNNING, State.FINISHED, State.STOPPED, State.PAUSED)
Run = Annotated[Path, typer.Argument(help="Run folder, or the name of one in the runs folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


class LiveLine:
    """How a run stands, in one line."""

    def __init__(self) -> None:
        self.state, self.what, self.message = State.LOADING, "", ""
        self.step = self.goal = 0
        self.loss: float | None = None  # of a step; none was made yet
        self.held_out = math.nan
        self._recent: deque[tuple[int, float]] = deque()

    def take(self, record: Record) -> str:
        """Follow a record; what is worth a line of its own."""
        match record:
            case StepRecord():
                self.step, self.loss = record.step, record.loss
                self._recent.append((record.step, record.seconds))
                while record.seconds - self._recent[0][1] > SPEED:
                    self._recent.popleft()
            case LoadedRecord():
                self.goal, self.what = record.goal, record.stage
                self._recent.clear()
            case OpeningRecord():
                self.what = record.what
            case ResumedRecord():
                self.step, self.goal = record.step, record.stage[-1] if record.stage else self.goal
            case EvalRecord() if record.enabled:
                self.held_out = record.loss
            case StateRecord() if record.state is not State.CLOSED:
                self.state, self.message = record.state, record.message
                self.goal = record.goal or self.goal
                if record.state is State.LOADING:
                    return ""
                return f"{record.state.value} at step {record.step:,}" + (
                    f": {record.message}" if record.message else ""
                )
            case AppliedRecord() if record.changes:
                moves = (f"{name} {before} → {after}" for name, before, after in record.changes)
                return f"step {record.step:,}: {', '.join(moves)}"
            case NewsRecord() | NonFiniteRecord() | ErrorRecord():
                return record.message
        return ""

    def words(self) -> str:
        if self.state is State.LOADING:
            return f"{self.what or 'loading'}…"
        parts = [f"step {self.step:,} / {self.goal:,}"]
        if self.loss is not None:
            parts.append(f"loss {self.loss:.4g}")
        if self.held_out == self.held_out:
            parts.append(f"validation {self.held_out:.4g}")
        if self.state is not State.RUNNING:
            return " · ".join([*parts, self.state.value])
        if speed := self._speed():
            parts += [f"{speed:.3g} steps/s", f"{_clock((self.goal - self.step) / speed)} left"]
        return " · ".join(parts)

    def _speed(self) -> float:
        if len(self._recent) < 2:
            return 0.0
        (first, began), (last, ended) = self._recent[0], self._recent[-1]
        return (last - first) / (ended - began) if ended > began else 0.0


def begin_detached(opening: Opening, as_json: bool) -> None:
    """Begin a run in the background and leave it once it trains; raises LabError where it cannot.

    Ctrl-C before that ends it.
    """
    from lora_lab.engine.openings import with_folder
    from lora_lab.engine.remote import begin
    from lora_lab.training.parallel.place import place_here

    if place_here() is not None:
        raise ConfigError("--detach is for one process. Start it without torchrun.")
    session = begin(with_folder(opening), paused=False)
    with stop_on_signals(lambda: session.request_close(save=False)) as signals:
        line = follow(session, lambda line: line.state in BEGUN)
    if signals:
        raise Interrupted("interrupted while the run was begun; it was ended", signals[0])
    if line.state not in BEGUN:
        raise LabError(line.message or "The engine has ended before it had begun.")
    if as_json:
        print_json({"run": str(session.run), "pid": session.pid, "background": True})
        return
    name = session.run.name
    out.print(f"run {session.run}")
    err.print(f"It trains in the background, process {session.pid}. lora-lab attach {name} shows "
              f"it, lora-lab stop {name} ends it.")  # fmt: skip


def attach(run: Run) -> None:
    """Show a run that trains in the background by a line of text; Ctrl-C leaves it to itself."""
    with plain_errors():
        from lora_lab.engine import remote

        path = found(run)
        session = remote.attach(path, watch=True)
        with stop_on_signals(session.let_go) as signals:
            line = follow(session, lambda line: False)
        if signals:
            name = path.name
            err.print(f"{name} continues in the background; lora-lab stop {name} ends it.")
            raise typer.Exit(128 + signals[0])
        if session.lost or line.state is State.FAILED:
            again = f" lora-lab resume {path.name} continues it." if session.lost else ""
            raise LabError(f"{line.message}{again}")
        err.print(f"{path.name} has ended at step {line.step:,}.")


def stop(
    run: Annotated[
        Path | None, typer.Argument(help="Run folder, or the name of one in the runs folder.")
    ] = None,
    queue: Annotated[
        bool, typer.Option("--queue", help="The window's queue, which runs without the window.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """End a run that trains in the background at the step in hand; it is saved.

    With --queue its other runs keep waiting.
    """
    with plain_errors():
        from lora_lab.engine import remote
        from lora_lab.runs.saves import resumable

        if queue is (run is not None):
            raise ConfigError("Say which run, or --queue.")
        if run is None:
            _stop_queue(as_json)
            return
        path = found(run)
        with stop_on_signals() as signals:
            try:
                session = remote.end(path, lambda: bool(signals))
            except Cancelled as error:
                raise Interrupted(str(error), signals[0]) from None
        facts: dict[str, Any] = {"run": str(path), "step": session.step, "saved": resumable(path)}
        if as_json:
            print_json(facts)
        elif facts["saved"] is None:
            out.print(f"{path.name} ended before its first checkpoint.")
        else:
            words = f"{path.name} stopped after step {session.step:,} and saved; continue it with"
            out.print(f"{words} lora-lab resume {path.name}")


def _stop_queue(as_json: bool) -> None:
    from lora_lab import paths
    from lora_lab.runs.queue_kept import STARTS, STOP, ask_for, is_heard, is_kept, withdraw

    folder = paths.user_data() / "queue"
    if not is_kept(folder):
        raise LabError("No queue runs in the background.")
    ask_for(folder, STOP)
    until = time.monotonic() + STARTS
    with stop_on_signals() as signals:
        while is_kept(folder):
            if signals:
                words = "The queue was asked to end, and may still be saving its run."
                raise Interrupted(words, signals[0])
            if time.monotonic() > until and not is_heard(folder):
                withdraw(folder)
                raise LabError(
                    "The queue's process does not answer: it may stand at a question in its "
                    "terminal. Answer it there, or end it there by Ctrl-C."
                )
            time.sleep(LOOK)
    if as_json:
        print_json({"queue": str(folder)})
    else:
        out.print("The queue has ended; what waits is kept for the window or lora-lab queue.")


def follow(
    session: RemoteSession,
    enough: Callable[[LiveLine], bool],
    heard: Callable[[Record], object] = lambda record: None,
) -> LiveLine:
    """Show a session until it ends or `enough(line)`; then it is left to itself.

    `heard` receives every record.
    """
    line = LiveLine()
    session.start()
    try:
        with one_line() as show:
            while True:
                ended = session.join(LOOK)
                for record in session.drain():
                    heard(record)
                    if words := line.take(record):
                        err.print(words)
                if ended or enough(line):
                    return line
                if err.is_terminal or line.state is State.RUNNING:
                    show(line.words())
    finally:
        session.let_go()
        session.join()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


def found(run: Path) -> Path:
    """A folder as it was given, or the run of this name among the lab's own."""
    from lora_lab import paths

    return run if run.exists() or run.is_absolute() else paths.runs() / run


def in_background() -> set[str]:
    """The real paths of the runs that train in the background now."""
    from lora_lab.engine.places import live_places

    with suppress(OSError):
        return set(live_places())
    return set()
