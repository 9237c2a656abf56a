"""Cursors driven by mouse events: values under the pointer, a mark with Δ, and a million steps."""

import time

import numpy as np
import pyqtgraph as pg
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication, QToolTip

from lora_lab.hyperparameters import Hyperparameters
from lora_lab.opening_records import LayerInfo, LoadedRecord
from lora_lab.records import (
    AppliedRecord,
    LayerSpectrum,
    SpectrumRecord,
    StepRecord,
    frozen_array,
)
from lora_lab.ui.panels.loss import LossPanel
from lora_lab.ui.widgets.cursor import nearest
from lora_lab.ui.widgets.plot import Plot


def pixel_of(plot, x, y):
    return plot.view.mapViewToScene(QPointF(x, y)).toPoint()


def hover(plot, place):
    """The mouse moves there, with no button held."""
    at = QPointF(place)
    event = QMouseEvent(
        QEvent.Type.MouseMove, at, plot.viewport().mapToGlobal(at), Qt.MouseButton.NoButton,
        Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier,
    )  # fmt: skip
    QApplication.sendEvent(plot.viewport(), event)


def plot_of(qtbot, log=False):
    plot = Plot("Two curves", "step", log_y=log)
    qtbot.addWidget(plot)
    plot.resize(600, 400)
    plot.show()
    x = np.arange(101.0)
    for name, y in (("a", 1 + x), ("b", 200 - x)):
        plot.addItem(pg.PlotCurveItem(x, np.log10(y) if log else y, name=name))
    plot.show_range((0, 100), (0, 3) if log else (0, 250))
    return plot


@pytest.mark.parametrize("log", [False, True])
def test_it_shows_the_value_of_each_curve_and_the_difference_to_the_mark(qtbot, log):
    plot = plot_of(qtbot, log)
    plot.curve_words = {"a": "alpha", "b": "beta"}
    middle = 1.5 if log else 125
    assert plot.cursor_lines.lines() == []
    hover(plot, pixel_of(plot, 40, middle))
    assert plot.cursor_lines.isVisible()
    assert plot.cursor_lines.lines() == ["step 40", "alpha  41.0", "beta  160"]
    qtbot.mouseClick(plot.viewport(), Qt.MouseButton.LeftButton, pos=pixel_of(plot, 40, middle))
    hover(plot, pixel_of(plot, 60, middle))
    ratios = (" (× 1.49)", " (× 0.875)") if log else ("", "")
    assert plot.cursor_lines.lines() == [
        "step 60   Δ step 20", f"alpha  61.0   Δ +20.0{ratios[0]}",
        f"beta  140   Δ −20.0{ratios[1]}",
    ]  # fmt: skip
    qtbot.mouseClick(plot.viewport(), Qt.MouseButton.LeftButton, pos=pixel_of(plot, 40, middle))
    hover(plot, pixel_of(plot, 60, middle))
    assert plot.cursor_lines.lines()[0] == "step 60"  # a click on the mark takes it away


def test_a_plot_whose_curves_have_no_words_shows_the_place(qtbot):
    plot = plot_of(qtbot)
    hover(plot, pixel_of(plot, 50, 125))
    assert plot.cursor_lines.lines()[0] == "step 50"
    assert len(plot.cursor_lines.lines()) == 2


def test_it_goes_with_the_pointer_and_a_drag_sets_no_mark(qtbot):
    plot = plot_of(qtbot)
    hover(plot, pixel_of(plot, 50, 125))
    QApplication.sendEvent(plot, QEvent(QEvent.Type.Leave))
    assert plot.cursor_lines.here is None
    assert plot.cursor_lines.isHidden()
    start = pixel_of(plot, 50, 125)
    qtbot.mousePress(plot.viewport(), Qt.MouseButton.LeftButton, pos=start)
    qtbot.mouseMove(plot.viewport(), start + QPoint(60, 0))
    qtbot.mouseRelease(plot.viewport(), Qt.MouseButton.LeftButton, pos=start + QPoint(60, 0))
    assert plot.cursor_lines.mark is None


def test_gaps_and_ends_have_no_value():
    points = {"a": (np.array([10, 20, 30]), np.array([1.0, np.nan, 3.0])), "b": (np.array([]),) * 2}
    assert nearest(points, 11) == {"a": 1.0}
    assert np.isnan(nearest(points, 21)["a"])
    assert np.isnan(nearest(points, 90)["a"])


def layer(norm):
    sigma = frozen_array([norm, 0.0])
    return LayerSpectrum("fc", sigma, 1, 1.0, 1.0, norm, 2, 8.0, 4.0)


def loss_panel(qtbot):
    panel = LossPanel()
    qtbot.addWidget(panel)
    panel.resize(900, 500)
    panel.show()
    hyper = Hyperparameters(rank=2, alpha=8)
    layers = (LayerInfo("fc", (8, 8), 1.0),)
    loaded = LoadedRecord("d", "", "digits", "lora", "b", "cpu", "float32", layers, 64, 8, 1000,
                          hyper, (), (), goal=1000)  # fmt: skip
    panel.standing.take(loaded)
    return panel


def test_a_click_on_an_edit_says_what_changed_and_how_far_delta_w_moved(qtbot):
    panel = loss_panel(qtbot)
    hyper = panel.standing.applied
    panel.receive([StepRecord(n, 1.0, 1e-3, n / 100) for n in range(1, 401)])
    panel.receive([
        SpectrumRecord(400, (layer(0.5),)),
        AppliedRecord(400, hyper, (("rank", 2, 1), ("alpha", 8.0, 4.0)), (), 0.1),
        StepRecord(401, 1.0, 1e-3, 4.01),
        SpectrumRecord(401, (layer(0.4),)),
        *(StepRecord(n, 1.0, 1e-3, n / 100) for n in range(402, 801)),
    ])  # fmt: skip
    panel.redraw()
    plot = panel.findChild(Plot)
    (_, _), (y0, y1) = plot.view.viewRange()
    place = pixel_of(plot, 400, (y0 + y1) / 2)
    qtbot.mouseClick(plot.viewport(), Qt.MouseButton.LeftButton, pos=place)
    for words in ("Edit after step 400", "r 2→1", "α 8→4",
                  "‖ΔW‖ 0.500 at step 400 → 0.400 at step 401 (−20"):  # fmt: skip
        assert words in QToolTip.text()
    assert plot.cursor_lines.mark is None
    away = pixel_of(plot, 600, (y0 + y1) / 2)
    qtbot.mouseClick(plot.viewport(), Qt.MouseButton.LeftButton, pos=away)
    assert plot.cursor_lines.mark is not None


def test_a_million_steps_pan_with_cursors_as_without(qtbot):
    """What the cursor adds to a redraw is little beside the redraw, whatever the length."""
    panel = loss_panel(qtbot)
    rng = np.random.default_rng(0)
    for start in range(1, 1_000_001, 50_000):
        loss = np.exp(rng.normal(-1, 0.4, 50_000))
        panel.receive([StepRecord(start + n, float(x), 1e-3, 0.0) for n, x in enumerate(loss)])
    plot = panel.findChild(Plot)
    panel.redraw()
    took = {False: [], True: []}
    for turn in range(60):
        for cursors in (False, True):
            plot.view.setXRange(turn * 9_000, turn * 9_000 + 400_000, padding=0)
            began = time.process_time()
            panel.redraw()
            if cursors:
                hover(plot, QPoint(300 + turn, 200))
            plot.viewport().repaint()
            took[cursors].append(time.process_time() - began)
            plot.cursor_lines.clear()
    p95 = {on: sorted(times)[int(0.95 * len(times))] for on, times in took.items()}
    assert p95[True] <= 1.6 * p95[False] + 2e-3, p95
