"""kill -9 of windows that watch a run, and of engines that train one, against what was left alone.

    python tests/reliability/engine_campaign.py [--windows 100] [--engines 100] [--seed 0]

Windows are real ones, without a display; each finds the run again, sees it move, and is killed at a
random moment. The run must have every step once. Engines are killed at random moments and the run
is resumed in another one; in the end every loss must be that of a run that was left alone, bit for
bit. Processes are forked from one that has the libraries loaded, so that a kill takes a second.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from lora_lab.config import changed
from lora_lab.engine.places import Place, live_place, live_places, new_place
from lora_lab.engine.remote import RemoteSession, end
from lora_lab.presets import get_preset
from lora_lab.records import State, StateRecord, StepRecord
from lora_lab.runs.listing import summary_of
from lora_lab.runs.metrics import read_metrics
from lora_lab.runs.saves import resumable
from lora_lab.training.opening import New, Opening, Resume

CONTEXT = multiprocessing.get_context("forkserver")
LOADED = ["lora_lab.engine.process", "lora_lab.training.run", "lora_lab.tasks.digits", "torch",
          "torch._dynamo", "lora_lab.ui.app", "lora_lab.ui.shell.flows"]  # fmt: skip
PATIENCE = 120.0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--windows", type=int, default=100, help="that are killed")
    parser.add_argument("--engines", type=int, default=100, help="that are killed, at most")
    parser.add_argument("--steps", type=int, default=60_000, help="of the run of killed engines")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    arguments = parser.parse_args()
    for kind, count in (("windows", arguments.windows), ("engines", arguments.engines)):
        if not count:
            continue
        with tempfile.TemporaryDirectory() as folder:
            prepare(Path(folder))
            if kind == "windows":
                figures = kill_windows(count, arguments.seed)
            else:
                figures = kill_engines(count, arguments.steps, arguments.seed)
        print(f"Killed {kind}, seed {arguments.seed}:")
        for name, value in figures.items():
            print(f"  {name:<44} {value}")
    print("passed: no step is missing, none came twice, and every loss is the same")


def prepare(folder: Path) -> None:
    os.environ |= {
        "LORA_LAB_HOME": str(folder), "OMP_NUM_THREADS": "1", "QT_QPA_PLATFORM": "offscreen",
    }  # fmt: skip
    (folder / "runs").mkdir(parents=True, exist_ok=True)
    CONTEXT.set_forkserver_preload(LOADED)


def kill_windows(count: int, seed: int) -> dict[str, Any]:
    """Windows come, see the run move, and are killed; raises AssertionError."""
    clock, run = random.Random(seed), Path(os.environ["LORA_LAB_HOME"]) / "runs" / "watched"
    engine, session = engine_of(New(digits(10**8), run))
    seen: list[float] = []
    try:
        until(session, lambda r: isinstance(r, StepRecord) and r.step >= 10)
        session.let_go()
        session.join()
        for _ in range(count):
            seen.append(window_that_is_killed(run, clock.uniform(0.0, 0.3)))
            assert engine.is_alive(), "a killed window took the engine with it"
        end(run)
        engine.join(60)
    finally:
        bury(engine, session)
    steps = [step for step, _ in losses(run)]
    assert steps == list(range(1, len(steps) + 1)), "a step is missing or came twice"
    assert summary_of(run).state == "stopped"
    assert resumable(run) == len(steps)
    seen.sort()
    return {
        "killed": count, "steps, each once": f"{len(steps):,}",
        "seconds to the first moving point, p50": f"{seen[len(seen) // 2]:.3f}",
        "seconds to the first moving point, at most": f"{seen[-1]:.3f}",
    }  # fmt: skip


def kill_engines(count: int, steps: int, seed: int) -> dict[str, Any]:
    """The same run in one engine after the other; raises AssertionError."""
    clock, runs = random.Random(seed), Path(os.environ["LORA_LAB_HOME"]) / "runs"
    whole, cut = runs / "whole", runs / "cut"
    finish(New(digits(steps), whole))
    opening: Opening = New(digits(steps), cut)
    killed, lost = 0, 0
    while killed < count and summary_or_none(cut) != "finished":
        engine, session = engine_of(opening)
        first = resumable(cut) if cut.exists() else None
        try:
            waited = until(
                session,
                lambda r, first=first: ended(r) or (resumable(cut) or 0) > (first or 0),
            )
            if not ended(waited):
                time.sleep(clock.uniform(0.0, 0.5))
                os.kill(engine.pid or 0, signal.SIGKILL)
                killed += 1
                engine.join()
                session.join()
                lost += session.lost
        finally:
            bury(engine, session)
        assert live_place(cut) is None
        opening = Resume.at(cut)
    if summary_of(cut).state != "finished":
        finish(opening)
    a, b = losses(whole), losses(cut)
    assert [step for step, _ in b] == list(range(1, steps + 1)), "a step is missing"
    assert a == b, "the run that was killed is another one"
    return {
        "killed": killed, "of which the session said so": lost,
        "steps, each with the loss of the whole run": f"{len(b):,}",
    }  # fmt: skip


def summary_or_none(run: Path) -> str:
    return summary_of(run).state if (run / "config.json").exists() else ""


def ended(record: Any) -> bool:
    return isinstance(record, StateRecord) and record.state in (
        State.FINISHED, State.FAILED, State.CLOSED,
    )  # fmt: skip


def finish(opening: Opening) -> None:
    engine, session = engine_of(opening)
    try:
        last = until(session, ended)
        assert last.state is State.FINISHED, last
        session.close()
        engine.join(60)
    finally:
        bury(engine, session)


class Forked:
    """The face of `engine.start.Starting`, of a process that was forked."""

    def __init__(self, place: Place, process: BaseProcess) -> None:
        self.place, self.process, self.pid = place, process, process.pid

    def wait(self, gives_up: Any) -> None:
        until_time = time.monotonic() + PATIENCE
        while not self.place.door.exists():
            assert self.process.is_alive(), "the engine did not start"
            assert time.monotonic() < until_time, "the engine did not start in time"
            time.sleep(0.01)


def engine_of(opening: Opening) -> tuple[BaseProcess, RemoteSession]:
    """A new engine that opens it, trains, and is edited by the session."""
    run = opening.path if isinstance(opening, Resume) else opening.folder
    assert run is not None
    place = new_place(run)
    place.clear()
    process = CONTEXT.Process(target=serve, args=(str(run), os.environ["LORA_LAB_HOME"]))
    process.start()
    session = RemoteSession(
        run, config=opening.config, starting=Forked(place, process), opening=opening, paused=False
    )  # type: ignore[arg-type]
    session.start()
    return process, session


def serve(run: str, home: str) -> None:
    from lora_lab.engine.process import main as engine

    os.environ["LORA_LAB_HOME"] = home  # what forks was begun with another
    os.setsid()
    sys.argv = ["engine", run]
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    engine()


def bury(engine: BaseProcess, session: RemoteSession) -> None:
    session.let_go()
    session.join()
    if engine.is_alive():
        engine.kill()
    engine.join()


def window_that_is_killed(run: Path, after: float) -> float:
    """The seconds that a new window takes to see the run move; it is dead then."""
    ours, theirs = CONTEXT.Pipe()
    window = CONTEXT.Process(target=look, args=(str(run), os.environ["LORA_LAB_HOME"], theirs))
    window.start()
    theirs.close()
    try:
        limit, seen = time.monotonic() + PATIENCE, "nothing"
        while isinstance(seen, str):
            left = limit - time.monotonic()
            words = f"a window did not see the run move; it said: {seen}"
            assert ours.poll(max(0.0, left)), words
            seen = ours.recv()
        took = seen
        time.sleep(after)
    finally:
        window.kill()
        window.join()
        ours.close()
    return took


def look(run: str, home: str, told: Connection) -> None:
    """A window that shows the run, until it is killed."""
    os.environ["LORA_LAB_HOME"] = home
    from PySide6.QtCore import QTimer
    from PySide6.QtWidgets import QApplication

    from lora_lab.presets import list_presets
    from lora_lab.ui.app import make_window, new_session

    app = QApplication.instance() or QApplication([])
    window = make_window(new_session, list_presets())
    began, first, done = [0.0], [0], [False]

    def attach() -> None:
        began[0] = time.perf_counter()
        window.flows.runs.open_run(run)

    def say() -> None:
        sessions = window.sessions
        told.send(f"after {time.perf_counter() - began[0]:.0f} s {sessions.state} at step "
                  f"{sessions.step}, opening: {sessions.opening}, notice: "
                  f"{window.notice_bar.notice}")  # fmt: skip

    def watch() -> None:
        first[0] = first[0] or window.sessions.step
        if not done[0] and window.sessions.step > first[0] > 0:
            done[0] = True
            told.send(time.perf_counter() - began[0])

    timer = QTimer(window, interval=5)
    timer.timeout.connect(watch)
    window.painted.connect(lambda: QTimer.singleShot(0, attach))
    window.show()
    timer.start()
    tell = QTimer(window, interval=5000)
    tell.timeout.connect(lambda: done[0] or say())
    tell.start()
    app.exec()


def until(session: RemoteSession, condition: Any) -> Any:
    limit = time.monotonic() + 10 * PATIENCE
    while time.monotonic() < limit:
        for record in session.drain():
            if condition(record):
                return record
        time.sleep(0.005)
    raise AssertionError("what was waited for never came")


def digits(steps: int) -> Any:
    return changed(get_preset("digits").config, max_steps=steps, autosave_seconds=0.05)


def losses(run: Path) -> list[tuple[int, float]]:
    records = read_metrics(run / "metrics.jsonl")
    return [(r["step"], r["loss"]) for r in records if r["record"] == "StepRecord"]


if __name__ == "__main__":
    main()
    with suppress(OSError):
        assert not live_places()
