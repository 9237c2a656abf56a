"""Frames of the loss panel with a million steps, and of every view of 210 layers' spectra.

    xvfb-run -a python tests/benchmarks/bench_redraw.py [steps]

Each frame is the panel's own redraw and the paint that it causes.
"""

import os
import sys
from dataclasses import replace
from time import perf_counter, thread_time

import numpy as np
import psutil
from pyqtgraph import PlotWidget
from PySide6.QtWidgets import QApplication

from lora_lab.hyperparameters import Hyperparameters
from lora_lab.opening_records import LayerInfo, LoadedRecord
from lora_lab.records import LayerSpectrum, SpectrumRecord, StepRecord, frozen_array
from lora_lab.ui.panels import PANELS
from lora_lab.ui.preview import samples
from lora_lab.ui.style import theme

CHUNK = 2_000
FRAMES = 200
LAYERS, RANK = 210, 16  # SmolLM2-135M, every linear layer
SPECTRA = 600  # recorded before the first frame


def frames(app, panel, change) -> np.ndarray:
    """Milliseconds of `FRAMES` frames, with `change(i)` before each: (2, frames), clock and CPU.

    On a machine that does other things besides, the second says what a frame costs.
    """
    times = []
    for i in range(FRAMES):
        change(i)
        began, worked = perf_counter(), thread_time()
        panel.redraw()
        panel.repaint()
        app.processEvents()
        times.append((1000 * (perf_counter() - began), 1000 * (thread_time() - worked)))
    return np.array(times).T


def tell(name: str, times: np.ndarray) -> None:
    clock, cpu = times
    p50, p95 = np.percentile(clock, [50, 95])
    said = f"p50 {p50:.1f}, p95 {p95:.1f}, max {clock.max():.1f} ms"
    print(f"{name:16} frame: {said}; CPU p95 {np.percentile(cpu, 95):.1f}")


def spectrum_of(step: int, rng: np.random.Generator) -> SpectrumRecord:
    decays = np.linspace(0.1, 0.5, LAYERS)
    rows = []
    for place, decay in enumerate(decays):
        sigma = np.exp(-decay * np.arange(RANK)) * (step / 1000) * rng.uniform(0.9, 1.1)
        norm = float(np.linalg.norm(sigma))
        rows.append(
            LayerSpectrum(
                f"model.layers.{place // 7}.part_{place % 7}.proj", frozen_array(sigma),
                RANK, 2.0, 3.0, norm, RANK, 2.0 * RANK, 2.0,
            )
        )  # fmt: skip
    return SpectrumRecord(step, tuple(rows))


def spectra(app: QApplication, sample: LoadedRecord) -> None:
    """Every view, with a new spectrum before each frame."""
    rng = np.random.default_rng(0)
    panel = PANELS["spectrum"]()
    panel.resize(900, 500)
    panel.show()
    layers = tuple(
        LayerInfo(row.name, (576, 576), 20.0, max_rank=576) for row in spectrum_of(1, rng).layers
    )
    hyper = Hyperparameters(rank=RANK, alpha=2 * RANK)
    panel.standing.take(replace(sample, layers=layers, hyper=hyper, max_rank=576))
    step = [0]

    def measured(_: int) -> None:
        step[0] += 10
        panel.receive([spectrum_of(step[0], rng)])

    for i in range(SPECTRA):
        measured(i)
    print(f"{LAYERS} layers of rank {RANK}, {SPECTRA} spectra sent")
    for layer in ("", layers[3].name):
        panel.choose_layer(layer)
        for view in ("bars", "multiples", "heat", "time", "energy"):
            panel.choose_view(view)
            panel.redraw()
            app.processEvents()
            tell(f"{view}, {'one' if layer else 'all'}", frames(app, panel, measured))


def main() -> None:
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    app = QApplication(sys.argv[:1])
    theme.apply(app, "light")
    panel = PANELS["loss"]()
    panel.resize(900, 500)
    panel.show()
    loaded = next(r for r in samples("digits", 10) if isinstance(r, LoadedRecord))
    panel.standing.take(loaded)
    rng = np.random.default_rng(0)
    losses = np.exp(rng.normal(0, 0.4, steps) - np.linspace(0, 6, steps))
    before = psutil.Process().memory_info().rss
    began = perf_counter()
    for start in range(0, steps, CHUNK):
        chunk = losses[start : start + CHUNK].tolist()
        panel.receive([StepRecord(start + i + 1, v, 1e-3, 0.0) for i, v in enumerate(chunk)])
    collecting = perf_counter() - began
    grown = psutil.Process().memory_info().rss - before
    panel.redraw()
    app.processEvents()
    count = [steps]

    def live(_: int) -> None:
        count[0] += 100
        panel.receive([StepRecord(count[0] - 99 + i, 0.01, 1e-3, 0.0) for i in range(100)])

    view = panel.findChild(PlotWidget).getViewBox()

    def pan(i: int) -> None:
        view.setXRange(i * steps / 400, i * steps / 400 + steps / 2, padding=0)

    def zoom(i: int) -> None:
        width = steps * 0.97**i
        view.setXRange(steps / 2 - width / 2, steps / 2 + width / 2, padding=0)

    print(f"{steps:,} steps, {os.cpu_count()} cores, {app.platformName()}, 900×500")
    print(f"collected at {1e6 * collecting / steps:.1f} µs a step, {grown / 2**20:.0f} MiB more")
    for name, change in (("live", live), ("pan", pan), ("zoom", zoom)):
        tell(f"loss, {name}", frames(app, panel, change))
    panel.close()
    spectra(app, loaded)


if __name__ == "__main__":
    main()
