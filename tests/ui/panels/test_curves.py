"""Further curves: each over steps, time, epochs and tokens, smoothed as the slider says."""

import numpy as np
import pytest
from PySide6.QtCore import Qt

from lora_lab.config import RunConfig
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.opening_records import DataRecord, LayerInfo, LoadedRecord
from lora_lab.records import PaceRecord, ResumedRecord, StepRecord
from lora_lab.ui.panels.curves import CURVES, CurvesPanel
from lora_lab.ui.widgets.smoothing import averaged
from tests.ui.seen import words

STEPS = 200


def data(rows):
    return DataRecord(path="x", form="text", train_rows=rows, validation_rows=0, rows=())


@pytest.fixture
def panel(qtbot):
    made = CurvesPanel()
    qtbot.addWidget(made)
    made.resize(800, 400)
    made.show()
    hyper = Hyperparameters(rank=2, alpha=8)
    made.standing.config = RunConfig(task="digits", batch_size=8)
    made.standing.take(
        LoadedRecord("d", "", "digits", "lora", "b", "cpu", "float32",
                     (LayerInfo("fc", (8, 8), 1.0),), 64, 8, STEPS, hyper, (), (), goal=STEPS)
    )  # fmt: skip
    return made


def feed(panel, tokens=100):
    """Two steps a second; measured at every tenth."""
    records = []
    for n in range(1, STEPS + 1):
        records.append(StepRecord(n, 2.0 / n, 1e-3, n / 2))
        if n % 10 == 0:
            pace = PaceRecord(n, n / 2, 1.0 + n / 100, 1e-3, tokens * n, 3_000_000_000)
            records.append(pace)
    panel.receive(records)
    panel.redraw()


def drawn(panel, name="measured"):
    return panel.plot.shown().get(name, (np.empty(0), np.empty(0)))


@pytest.mark.parametrize(
    ("typed", "first", "last"),
    [
        ("Training", (1, 2.0), (200, 0.01)), ("Learning", (1, 1e-3), (200, 1e-3)),
        ("Gradient", (10, 1.1), (200, 3.0)), ("Update", (10, 1e-3), (200, 1e-3)),
        ("Steps", (20, 2.0), (200, 2.0)), ("Tokens", (20, 200.0), (200, 200.0)),
        ("Memory", (10, 3.0), (200, 3.0)),
    ],
)  # fmt: skip
def test_every_curve(qtbot, panel, typed, first, last):
    feed(panel)
    qtbot.keyClicks(panel.curve_combo, typed)
    x, y = drawn(panel)
    y = 10.0**y if panel.plot.left.log else y
    assert (x[0], y[0]) == pytest.approx(first, rel=1e-5)
    assert (x[-1], y[-1]) == pytest.approx(last, rel=1e-5)
    assert panel.curve in CURVES


@pytest.mark.parametrize(
    ("typed", "end"),
    [("step", 200), ("minutes", 100 / 60), ("epoch", 200 / 4), ("million", 0.02)],
)
def test_every_axis(qtbot, panel, typed, end):
    """25 rows in batches of 8 are 4 steps an epoch, as the engine makes them."""
    panel.receive([data(25)])
    feed(panel)
    qtbot.keyClicks(panel.axis_combo, typed)
    x, _ = drawn(panel)
    assert x[-1] == pytest.approx(end, rel=1e-6)
    assert (np.diff(x) >= 0).all()
    assert panel.plot.x_label.startswith(typed)


def test_an_axis_that_is_not_known_says_why(qtbot, panel):
    feed(panel, tokens=0)
    qtbot.keyClicks(panel.axis_combo, "epoch")
    assert [text for text in words(panel) if "no epochs" in text]
    qtbot.keyClick(panel.axis_combo, Qt.Key.Key_End)
    assert [text for text in words(panel) if "No tokens are counted" in text]
    qtbot.keyClick(panel.axis_combo, Qt.Key.Key_Home)
    assert len(drawn(panel)[0])


def test_the_slider_smooths_by_tensorboards_rule(qtbot, panel):
    feed(panel)
    assert not len(drawn(panel, "smoothed")[0])
    panel.smooth_slider.setFocus()
    qtbot.keyClick(panel.smooth_slider, Qt.Key.Key_End)
    assert panel.smooth_slider.value() == 99
    x, y = drawn(panel, "smoothed")
    last, bias, expected = 0.0, 1.0, []
    for step in range(1, STEPS + 1):  # written out once more
        last = 0.99 * last + 0.01 * (2.0 / step)
        bias *= 0.99
        expected.append(last / (1 - bias))
    assert 10.0**y == pytest.approx(expected, rel=1e-4)
    assert len(x) == STEPS


def test_a_gap_stays_a_gap():
    assert np.isnan(averaged(np.array([1.0, np.nan, 1.0]), 0.5)).tolist() == [False, True, False]
    assert averaged(np.array([2.0, 4.0]), 0.0).tolist() == [2.0, 4.0]


def test_going_back_cuts_every_curve(panel):
    feed(panel)
    panel.receive([ResumedRecord(100, (0, STEPS))])
    panel.redraw()
    assert drawn(panel)[0][-1] == 100
    panel.receive([StepRecord(101, 1.0, 1e-3, 50.5), PaceRecord(110, 55.0, 1.0, 1e-3, 1, 1)])
    assert panel.figure_data()["step"].tolist()[-1] == 101


def test_it_is_closed_until_it_is_asked_for(window):
    panel = next(p for p in window.panels if p.key == "curves")
    assert not panel.isVisible()
    toggle = next(a for a in window.host.toggles() if a.text() == "Curves")
    toggle.trigger()
    assert panel.isVisibleTo(window)
