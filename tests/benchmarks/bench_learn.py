"""The pages that teach while they measure: the window's heartbeat, first marks, how long it takes.

    xvfb-run -a python tests/benchmarks/bench_learn.py [--seconds 60] [--pages dimension,race]

Each page is opened on the preset `digits` with what it asks by itself and begun, to its end or for
`--seconds`. A 16 ms precise timer measures by how much it is late. Before each page the same is
measured of a window that does nothing, since on a busy machine that is late as well. `cpu` is what
this process took of a core, which is less than the time that passed where others take the rest.
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

from PySide6.QtCore import QElapsedTimer, QEventLoop, Qt, QTimer
from PySide6.QtWidgets import QApplication

from lora_lab.presets import get_preset, list_presets
from lora_lab.ui.app import SWITCH_INTERVAL, make_window, new_session
from lora_lab.ui.shell.leaving import SAVE
from lora_lab.ui.style import theme

BEAT_MS = 16
IDLE = 5.0  # seconds
WAITING = 300.0  # seconds for a page that prepares


class Beats:
    """By how much a timer of 16 ms is late, in ms."""

    def __init__(self) -> None:
        self.late: list[float] = []
        self.clock = QElapsedTimer()
        self.timer = QTimer()
        self.timer.setTimerType(Qt.TimerType.PreciseTimer)
        self.timer.setInterval(BEAT_MS)
        self.timer.timeout.connect(self._on_beat)
        self.clock.start()
        self.timer.start()

    def _on_beat(self) -> None:
        self.late.append(self.clock.nsecsElapsed() / 1e6 - BEAT_MS)
        self.clock.restart()

    def words(self) -> str:
        """What was seen since the last call."""
        late, self.late = np.array(self.late or [0.0]), []
        p50, p99 = np.percentile(late, [50, 99])
        return f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, most {late.max():.1f} ms of {len(late)} beats"


def wait(app: QApplication, done, seconds: float) -> bool:
    until = perf_counter() + seconds
    while not done():
        app.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)
        if perf_counter() > until:
            return False
    return True


def marks(page) -> int:
    """How many dots or marks are drawn."""
    if hasattr(page, "lanes"):
        return page.now.steps if page.running else 0
    if hasattr(page.plot, "marks"):
        return len(page.plot.marks)
    return len([point for point in page.plot.points if point.dimension])


def measure(app: QApplication, beats: Beats, name: str, page, running, seconds: float) -> None:
    assert wait(app, page.button.isEnabled, WAITING), "it was not prepared"
    beats.words()
    process = psutil.Process()
    began, worked = perf_counter(), sum(process.cpu_times()[:2])
    page.button.click()
    wait(app, lambda: marks(page) > 0, seconds)
    first = perf_counter() - began
    first_cpu = sum(process.cpu_times()[:2]) - worked
    ended = wait(app, lambda: not running(page), seconds)
    took, cpu = perf_counter() - began, sum(process.cpu_times()[:2]) - worked
    print(f"{name}: while it measures {beats.words()}, load {os.getloadavg()[0]:.0f}")
    print(
        f"{name}: first marks after {first:.1f} s ({first_cpu:.1f} s of a core), "
        f"{'ended' if ended else 'not ended'} after {took:.0f} s ({cpu:.0f} s of a core)"
    )
    if not ended:
        page.stop()
        wait(app, lambda: not running(page), WAITING)
    page.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--pages", default="dimension,race,numbers")
    arguments = parser.parse_args()
    app = QApplication(sys.argv[:1])
    sys.setswitchinterval(SWITCH_INTERVAL)
    theme.apply(app, "light")
    window = make_window(new_session, list_presets())
    window.leaving.where = lambda: SAVE
    window.show()
    assert wait(app, lambda: window.flows is not None, WAITING)
    window.open(get_preset("digits").config)
    learn = window.flows.learn
    beats = Beats()
    assert wait(app, lambda: window.sessions.config is not None, WAITING)
    wait(app, lambda: False, 3.0)
    print(f"{os.cpu_count()} cores", flush=True)
    opened = {
        "dimension": (learn.start, lambda: learn.dimension, lambda p: bool(p.training)),
        "race": (learn.start_race, lambda: learn.race, lambda p: p.running),
        "numbers": (learn.start_numbers, lambda: learn.numbers, lambda p: bool(p.training)),
    }
    for name in arguments.pages.split(","):
        start, page, running = opened[name]
        beats.words()
        wait(app, lambda: False, IDLE)
        print(f"{name}: before it       {beats.words()}", flush=True)
        start()
        measure(app, beats, name, page(), running, arguments.seconds)
    window.left.connect(app.quit)
    QTimer.singleShot(0, window.leave)
    app.exec()


if __name__ == "__main__":
    main()
