"""What an engine of its own process costs and how soon it answers; prints figures, asserts no time.

    python tests/benchmarks/bench_engine.py [--seconds 10] [--edits 100]

Door: 2,000 records a second into a window that drains each 33 ms; gaps, and its share of a core.
Edits: from the slider to the echo, while digits trains flat out. Move: out of a window and back in
mid-run. Re-attach: from a new connection to the first moving point. Heartbeat: how late a timer of
16 ms comes in the window that trains itself, and in one whose run is elsewhere.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtWidgets import QApplication

from lora_lab.config import changed
from lora_lab.engine.remote import RemoteSession, attach, begin
from lora_lab.presets import get_preset, list_presets
from lora_lab.records import AppliedRecord, State, StateRecord, StepRecord
from lora_lab.runs.metrics import read_metrics
from lora_lab.training.opening import New
from lora_lab.ui.app import SWITCH_INTERVAL, make_window, new_session
from lora_lab.ui.session.bridge import SessionBridge

RATE = 2000  # records a second
PACED = """
import sys, time
from pathlib import Path
from tests.benchmarks.bench_engine import serve_paced
serve_paced(Path(sys.argv[1]), float(sys.argv[2]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=10.0, help="of each stretch")
    parser.add_argument("--edits", type=int, default=100)
    arguments = parser.parse_args()
    app = QApplication.instance() or QApplication([])
    with tempfile.TemporaryDirectory() as home:
        os.environ["LORA_LAB_HOME"] = home
        runs = Path(home) / "runs"
        runs.mkdir()
        print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        door(app, runs / "paced", arguments.seconds)
        edits_and_attach(runs / "edits", arguments.edits)
        window(app, arguments.seconds)


def wait(app: Any, condition: Any, seconds: float = 180.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise SystemExit("what was waited for never came")
        app.processEvents()
        time.sleep(0.001)


def digits(steps: int = 10**8) -> Any:
    return changed(get_preset("digits").config, max_steps=steps)


def run_events(seconds: float) -> None:
    """As the application would; its own `quit` asks every window to close."""
    loop = QEventLoop()
    QTimer.singleShot(int(seconds * 1000), loop.quit)
    loop.exec()


# -- the door -----------------------------------------------------------------------------------


def serve_paced(run: Path, seconds: float) -> None:
    """A host whose session says so many steps a second, in batches of 20 ms."""
    from lora_lab.engine.host import Host
    from lora_lab.engine.places import new_place
    from tests.engine.hosted import ScriptedSession

    class Paced(ScriptedSession):
        def start(self) -> None:
            super().start()
            threading.Thread(target=self.pace, daemon=True).start()

        def pace(self) -> None:
            began, said = time.perf_counter(), 0
            while (now := time.perf_counter() - began) < seconds:
                due = int(now * RATE)
                with self.lock:  # as a loop does: nothing wakes the door for a step
                    self.records += [StepRecord(n + 1, 0.1, 1e-3, now) for n in range(said, due)]
                said = due
                time.sleep(0.02)
            cpu = time.process_time()
            self.say(StateRecord(State.FINISHED, said, f"{cpu}"))

    place = new_place(run)
    lock = place.take(run)
    host = Host(place, lambda message, wake: Paced(digits(), False, wake), lambda words: None)
    host.serve()
    place.clear()
    lock.release()


class There:
    """The face of `engine.start.Starting`, of a process of this benchmark."""

    pid = 0

    def __init__(self, run: Path) -> None:
        from lora_lab.engine.places import new_place

        self.place = new_place(run)

    def wait(self, gives_up: Any) -> None:
        while not self.place.door.exists():
            time.sleep(0.005)


def door(app: Any, run: Path, seconds: float) -> None:
    process = subprocess.Popen([sys.executable, "-c", PACED, str(run), str(seconds)])
    opening = New(digits(), run)
    session = RemoteSession(run, config=opening.config, starting=There(run), opening=opening)  # type: ignore[arg-type]
    bridge, steps, ages = SessionBridge(session), [], []

    class Collector:
        key, dirty = "bench", False

        def receive(self, records: Any) -> None:
            new = [r.step for r in records if isinstance(r, StepRecord)]
            steps.extend(new)
            if new:
                ages.append(len(new))

        def redraw(self) -> None: ...
        def isVisible(self) -> bool:
            return False

    bridge.show_on([Collector()])
    bridge.start()
    wait(app, lambda: bool(steps))
    cpu, began = time.process_time(), time.perf_counter()
    run_events(seconds + 2)
    used = (time.process_time() - cpu) / (time.perf_counter() - began)
    whole = steps == list(range(1, len(steps) + 1))
    print(f"door: {len(steps):,} records of {RATE}/s, {'no gap' if whole else 'A GAP'}; "
          f"window {100 * used:.1f} % of a core")  # fmt: skip
    bridge.request_close()
    wait(app, lambda: bridge.ended)
    process.wait(30)


# -- edits and re-attaching ---------------------------------------------------------------------


def edits_and_attach(run: Path, count: int) -> None:
    session = begin(New(digits(), run), paused=False)
    session.start()
    step = until(session, lambda r: isinstance(r, StepRecord) and r.step > 200).step
    took = []
    for number in range(count):
        began = time.perf_counter()
        alpha = 4.0 + 0.01 * (number % 50 + 1)
        session.controls.set_hyper(changed(session.controls.hyper, alpha=alpha))
        until(session, lambda r, a=alpha: isinstance(r, AppliedRecord) and r.hyper.alpha == a)
        took.append(1000 * (time.perf_counter() - began))
        time.sleep(0.02)
    p50, p95 = np.percentile(took, [50, 95])
    print(f"edit applied and echoed: p50 {p50:.1f} ms, p95 {p95:.1f}, most {max(took):.1f}")
    session.let_go()
    session.join()
    again = []
    for _ in range(10):
        began = time.perf_counter()
        other = attach(run)
        other.start()
        until(other, lambda r: isinstance(r, StateRecord) and r.state is State.RUNNING)
        until(other, lambda r: isinstance(r, StepRecord))
        again.append(1000 * (time.perf_counter() - began))
        step = other.step
        other.let_go()
        other.join()
    print(f"re-attached to the first moving point at step {step:,}: "
          f"median {np.median(again):.0f} ms, most {max(again):.0f}")  # fmt: skip
    last = attach(run)
    last.start()
    until(last, lambda r: isinstance(r, StepRecord))
    last.close()


def until(session: Any, condition: Any, seconds: float = 180.0) -> Any:
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        for record in session.drain():
            if condition(record):
                return record
        time.sleep(0.001)
    raise SystemExit("what was waited for never came")


# -- the window ---------------------------------------------------------------------------------


def lateness(seconds: float) -> np.ndarray:
    """By how much a timer of 16 ms comes late, in ms."""
    late: list[float] = []
    last = [time.perf_counter()]

    def beat() -> None:
        now = time.perf_counter()
        late.append(1000 * (now - last[0]) - 16.0)
        last[0] = now

    timer = QTimer(interval=16)
    timer.timeout.connect(beat)
    timer.start()
    run_events(seconds)
    timer.stop()
    return np.maximum(np.array(late[5:]), 0.0)


def window(app: Any, seconds: float) -> None:
    sys.setswitchinterval(SWITCH_INTERVAL)
    made = make_window(new_session, list_presets())
    made.ask = lambda *texts: True
    made.resize(1366, 740)
    made.show()
    wait(app, lambda: made.flows is not None)
    made.open(digits())
    wait(app, lambda: made.state is State.PAUSED)
    made.commands.train.trigger()
    wait(app, lambda: made.sessions.step > 500)
    beats = {"in the window": lateness(seconds)}
    stands: list[float] = []

    def moved(out: bool) -> float:
        began = time.perf_counter()
        stands.clear()
        made.commands.background.trigger()
        wait(app, lambda: made.sessions.moving)
        still = time.perf_counter()
        wait(app, lambda: made.sessions.apart is out and made.state is State.RUNNING)
        step = made.sessions.step
        wait(app, lambda: made.sessions.step > step)
        stands.append(time.perf_counter() - still)
        return time.perf_counter() - began

    took = moved(True)
    print(f"moved out in {took:.1f} s, of which it stood for {stands[0]:.1f} s")
    beats["in a process of its own"] = lateness(seconds)
    took = moved(False)
    print(f"moved back in {took:.1f} s, of which it stood for {stands[0]:.1f} s")
    run = made.sessions.folder
    made.leave()
    wait(app, lambda: made.closed)
    steps = [r["step"] for r in read_metrics(run / "metrics.jsonl") if r["record"] == "StepRecord"]
    whole = steps == list(range(1, len(steps) + 1))
    print(f"moved: {len(steps):,} steps, {'each once' if whole else 'NOT EACH ONCE'}")
    for name, late in beats.items():
        p50, p99 = np.percentile(late, [50, 99])
        print(f"heartbeat, training {name}: p50 {p50:.1f} ms, p99 {p99:.1f}, most {late.max():.1f}")


if __name__ == "__main__":
    main()
