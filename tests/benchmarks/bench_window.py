"""The window while a model trains flat out with all panels open: heartbeat, edits, memory.

    xvfb-run -a python tests/benchmarks/bench_window.py [--seconds 30] [--model FOLDER --data FILE]

Without a model it is the preset `digits`; a model is one of language. Panels that stand behind
others as tabs are taken out, so that every one of them is in sight and drawn.

A 16 ms precise timer measures by how much it is late; every second a slider edit is made and timed
until the engine has applied it and the panels have drawn what it echoed. Memory is read after ten
seconds and at the end (600 seconds are the figure of the README).
"""

import argparse
import os
import sys
import tempfile
from time import perf_counter

import numpy as np
import psutil

os.environ["OMP_WAIT_POLICY"] = "passive"
os.environ["LORA_LAB_HOME"] = tempfile.mkdtemp()

from PySide6.QtCore import QElapsedTimer, Qt, QTimer
from PySide6.QtWidgets import QApplication

from lora_lab.config import changed
from lora_lab.opening_records import LoadedRecord
from lora_lab.presets import get_preset, list_presets, starting_config
from lora_lab.records import AppliedRecord, StepRecord
from lora_lab.ui.app import SWITCH_INTERVAL, make_window, new_session
from lora_lab.ui.shell.leaving import SAVE
from lora_lab.ui.shell.main_window import MainWindow
from lora_lab.ui.style import theme

BEAT_MS = 16
WARM_UP = 10.0  # seconds that are not counted: imports, first allocations


class Measurement:
    """Heartbeat, edits and memory of one window."""

    def __init__(self, window: MainWindow, seconds: float) -> None:
        self.window, self.seconds = window, seconds
        self.lateness: list[float] = []
        self.delays: list[float] = []
        self.memory: list[int] = []
        self.steps = 0
        self.asked = None
        self.requested = None
        self.clock = QElapsedTimer()
        self.beat = QTimer(window)
        self.beat.setTimerType(Qt.TimerType.PreciseTimer)
        self.beat.setInterval(BEAT_MS)
        self.beat.timeout.connect(self.on_beat)
        self.edits = QTimer(window)
        self.edits.setInterval(1000)
        self.edits.timeout.connect(self.edit)
        window.sessions.on(LoadedRecord, self.start)
        window.sessions.on(StepRecord, self.on_step)
        window.sessions.on(AppliedRecord, self.on_applied)

    def start(self, _record: object) -> None:
        self.window.sessions.toggle()
        self.began = perf_counter()
        self.clock.start()
        self.beat.start()
        QTimer.singleShot(int(1000 * WARM_UP), self.count)
        QTimer.singleShot(int(1000 * (WARM_UP + self.seconds)), self.end)

    def count(self) -> None:
        self.lateness.clear()
        self.first_step = self.steps
        self.memory.append(psutil.Process().memory_info().rss)
        self.edits.start()

    def on_beat(self) -> None:
        self.lateness.append(self.clock.nsecsElapsed() / 1e6 - BEAT_MS)
        self.clock.restart()

    def on_step(self, record: object) -> None:
        self.steps = record.step

    def edit(self) -> None:
        """Move α and, every fifth time, the rank, through the widgets' own door."""
        hyper = self.window.hyper_dock.requested
        number = len(self.delays)
        values = {"alpha": 2.0 + number % 7}
        if number % 5 == 4:
            values["rank"] = 2 + number % 6
        self.requested = changed(hyper, **values)
        self.asked = perf_counter()
        self.window.sessions.standing.request(self.requested)

    def on_applied(self, record: object) -> None:
        if self.asked is not None and record.hyper is self.requested:
            asked, self.asked = self.asked, None
            # Behind the drawing of this tick, which is in hand now.
            QTimer.singleShot(0, lambda: self.delays.append(1000 * (perf_counter() - asked)))

    def end(self) -> None:
        self.memory.append(psutil.Process().memory_info().rss)
        self.window.leave()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--model")
    parser.add_argument("--data")
    arguments = parser.parse_args()
    seconds = arguments.seconds
    app = QApplication(sys.argv[:1])
    sys.setswitchinterval(SWITCH_INTERVAL)
    theme.apply(app, "light")
    window = make_window(new_session, list_presets())
    window.leaving.where = lambda: SAVE
    window.left.connect(app.quit)
    measured = Measurement(window, seconds)
    for dock in window.host.docks:
        if dock.isVisibleTo(window.host) and window.host.tabifiedDockWidgets(dock):
            dock.setFloating(True)
    endless = {"max_steps": 1_000_000_000}
    config = changed(get_preset("digits").config, **endless)
    if arguments.model:
        own = {"model": arguments.model, "data": arguments.data}
        config = starting_config("causal_lm", **own, **endless)
    window.painted.connect(lambda: window.open(config))
    window.show()
    app.exec()
    late, delays = np.clip(measured.lateness, 0, None), measured.delays
    p50, p95, p99 = np.percentile(late, [50, 95, 99])
    first, last = measured.memory
    steps = measured.steps
    what = arguments.model or "digits"
    print(f"{what} flat out, {os.cpu_count()} cores, {app.platformName()}, {seconds:.0f} s, "
          f"{(steps - measured.first_step) / seconds:,.3g} steps/s")  # fmt: skip
    print(f"heartbeat lateness: p50 {p50:.1f}, p95 {p95:.1f}, p99 {p99:.1f}, max {late.max():.1f} "
          f"ms over {len(late):,} beats")  # fmt: skip
    print(f"edit applied and drawn: median {np.median(delays):.0f}, max {max(delays):.0f} ms "
          f"over {len(delays)} edits")  # fmt: skip
    print(f"resident memory: {first / 2**20:.0f} → {last / 2**20:.0f} MiB "
          f"({(last - first) / 2**20:+.1f})")  # fmt: skip


if __name__ == "__main__":
    main()
