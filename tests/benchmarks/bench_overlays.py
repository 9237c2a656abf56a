"""Redraw, pan and zoom of the loss panel with ten other runs behind the one that trains.

    xvfb-run -a python tests/benchmarks/bench_overlays.py [runs] [steps]

Each run has a training curve of `steps` points and a validation of a hundredth of them. A frame is
the panel's own redraw and the paint that it causes.
"""

import os
import sys
from time import perf_counter

import numpy as np
from pyqtgraph import PlotWidget
from PySide6.QtWidgets import QApplication

from lora_lab.opening_records import LoadedRecord
from lora_lab.records import StepRecord
from lora_lab.ui.panels import PANELS
from lora_lab.ui.panels.overlays import Overlay
from lora_lab.ui.preview import samples
from lora_lab.ui.style import theme

FRAMES = 200


def overlay(place: int, steps: int, rng: np.random.Generator) -> Overlay:
    """A run that has learned, with noise as of small batches."""
    made = Overlay(f"/runs/{place}", f"run {place}", place)
    at = np.arange(1, steps + 1)
    made.train.extend(at, np.exp(rng.normal(0, 0.3, steps) - at / steps * (1 + place)))
    made.validation.extend(at[::100], np.exp(-at[::100] / steps * (1 + place)) + 0.1)
    return made


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    steps = int(sys.argv[2]) if len(sys.argv) > 2 else 100_000
    app = QApplication(sys.argv[:1])
    theme.apply(app, "light")
    rng = np.random.default_rng(0)
    panel = PANELS["loss"]()
    panel.resize(900, 500)
    panel.show()
    panel.standing.take(next(r for r in samples("digits", 10) if isinstance(r, LoadedRecord)))
    panel.receive([StepRecord(i, float(v), 1e-3, 0.0) for i, v in
                   enumerate(np.exp(rng.normal(0, 0.4, steps)), 1)])  # fmt: skip
    panel.set_overlays([overlay(place, steps, rng) for place in range(runs)])
    panel.redraw()
    app.processEvents()
    view, count = panel.findChild(PlotWidget).getViewBox(), [steps]

    def live(_: int) -> None:
        count[0] += 100
        panel.receive([StepRecord(count[0] - 99 + i, 0.1, 1e-3, 0.0) for i in range(100)])

    def pan(i: int) -> None:
        view.setXRange(i * steps / 400, i * steps / 400 + steps / 2, padding=0)

    def zoom(i: int) -> None:
        width = steps * 0.97**i
        view.setXRange(steps / 2 - width / 2, steps / 2 + width / 2, padding=0)

    print(f"{runs} runs × {steps:,} points, {os.cpu_count()} cores, {app.platformName()}, 900×500")
    for name, change in (("live", live), ("pan", pan), ("zoom", zoom)):
        times = []
        for i in range(FRAMES):
            change(i)
            began = perf_counter()
            panel.redraw()
            app.processEvents()
            times.append(1000 * (perf_counter() - began))
        p50, p95 = np.percentile(times, [50, 95])
        print(f"{name:5} frame: p50 {p50:.1f}, p95 {p95:.1f}, max {max(times):.1f} ms")


if __name__ == "__main__":
    main()
