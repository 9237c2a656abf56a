"""A thousand runs in their dock, and one of a million steps opened again, in a real window.

    xvfb-run -a python tests/benchmarks/bench_runs.py [--runs 1000] [--steps 1000000] [--rounds 5]

The list is timed from its request until the dock has painted it; the run from the request until
its loss is drawn, beside the same run of a few steps: the rest is what any model takes to open.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtWidgets import QApplication

from lora_lab import paths
from lora_lab.config import changed
from lora_lab.presets import get_preset, list_presets
from lora_lab.records import State, StepRecord
from lora_lab.runs import checkpoints
from lora_lab.runs.metrics import read_metrics, step_line
from lora_lab.training.controls import Controls
from lora_lab.training.opening import New
from lora_lab.training.run import run
from lora_lab.ui.app import SWITCH_INTERVAL, make_window, new_session
from lora_lab.ui.shell.leaving import SAVE
from lora_lab.ui.shell.main_window import MainWindow
from lora_lab.ui.style import theme

SHORT = 200  # steps of the run that all of them are copies of


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=1_000_000, help="of the long run")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["LORA_LAB_HOME"] = home
        short, long = make_runs(paths.runs(), arguments.runs, arguments.steps)
        app = QApplication([])
        sys.setswitchinterval(SWITCH_INTERVAL)
        theme.apply(app, "light")
        window = make_window(new_session, list_presets())
        window.leaving.where = lambda: SAVE
        window.resize(1280, 800)
        window.painted.connect(lambda: window.open(get_preset("digits").config))
        window.show()
        until(lambda: window.state is State.PAUSED)
        print(f"QT_QPA_PLATFORM {app.platformName()}, {os.cpu_count()} cores")
        tell(f"{arguments.runs:,} runs listed", [listed(window) for _ in range(arguments.rounds)])
        window.runs_dock.hide()
        pairs = [(opened(window, short), opened(window, long)) for _ in range(arguments.rounds)]
        for steps, times in zip((SHORT, arguments.steps), zip(*pairs, strict=True), strict=True):
            tell(f"a run of {steps:,} steps opened", times)
        window.leave()
        until(lambda: window.closed)


def make_runs(folder: Path, count: int, steps: int) -> tuple[Path, Path]:
    """Copies of one run that ended; the last of them has made many more steps."""
    first = folder / "0000"
    config = changed(get_preset("digits").config, max_steps=SHORT)
    for _ in run(New(config, first), Controls(config.hyper)):
        pass
    for number in range(1, count):
        shutil.copytree(first, folder / f"{number:04}")
    long = folder / f"{count - 1:04}"
    ends = [row for row in read_metrics(long / "metrics.jsonl") if row["record"] == "StateRecord"]
    with (long / "metrics.jsonl").open("w") as file:
        for step in range(1, steps + 1):
            file.write(step_line(StepRecord(step, 1.0 / step, 1e-3, step / 1000)))
        file.write(json.dumps({**ends[-1], "step": steps}) + "\n")
    found = checkpoints.latest(long)
    facts = {**found.facts, "step": steps, "batches": steps, "leg": [0, steps]}
    checkpoints.write_checkpoint(long, steps, found.tensors, facts)
    return first, long


def listed(window: MainWindow) -> float:
    """Seconds from the request for the list until it is painted."""
    dock = window.runs_dock
    dock.hide()
    dock.model.show([])
    settled = time.perf_counter() + 1.0  # what the round before has begun comes to its end
    until(lambda: time.perf_counter() > settled)
    began = time.perf_counter()
    window.commands.runs.trigger()
    until(lambda: dock.model.rowCount() > 1)
    dock.table.viewport().repaint()
    return time.perf_counter() - began


def opened(window: MainWindow, folder: Path) -> float:
    """Seconds from the request for a run until its curves stand there."""
    began = time.perf_counter()
    window.flows.runs.open_run(str(folder))
    until(lambda: window.sessions.folder == folder and not window.sessions.opening)
    window.repaint()
    return time.perf_counter() - began


def until(holds: Callable[[], bool]) -> None:
    """Run the window's own loop, which leaves the other threads their turn, until `holds`."""
    loop, look = QEventLoop(), QTimer()
    look.timeout.connect(lambda: loop.quit() if holds() else None)
    look.start(1)
    loop.exec()
    look.stop()


def tell(what: str, times: Sequence[float]) -> None:
    print(f"{what:36} median {statistics.median(times):.2f} s, worst {max(times):.2f} s")


if __name__ == "__main__":
    main()
