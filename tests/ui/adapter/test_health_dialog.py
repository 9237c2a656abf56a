"""Hints of the spectra in the window: offered quietly, measured, clipped on request, undone."""

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QToolButton

from lora_lab.measured import ClippedRecord, ClipRecord
from lora_lab.records import ErrorRecord, LayerSpectrum, SpectrumRecord, StepRecord, frozen_array
from lora_lab.training.commands import Clip, GoBack, MeasureClip
from tests.ui.conftest import SHAPES
from tests.ui.seen import named, words


def spectrum(step, **sigmas):
    layers = []
    for name in SHAPES:
        sigma = np.array(sigmas.get(name, [1.0, 0.9, 0.8, 0.7]), float)
        p = sigma / sigma.sum()
        effective, norm = float(np.exp(-(p * np.log(p)).sum())), float(np.linalg.norm(sigma))
        layers.append(
            LayerSpectrum(name, frozen_array(sigma), 4, 1.0, effective, norm, 4, 8.0, 2.0)
        )
    return SpectrumRecord(step, tuple(layers))


@pytest.fixture
def asked(intercept):
    return intercept(MeasureClip, Clip, GoBack)


def hints(window):
    return named(window, "Hints on the health of the spectra", QToolButton)


@pytest.fixture
def dialog(qtbot, window, asked, say):
    """Layer fc2 has a spike that has grown, fc3 two directions that are unused."""
    unused = [1.0, 0.9, 1e-5, 1e-5]
    say(StepRecord(200, 0.5, 1e-3, 1.0), spectrum(100, fc3=unused))
    assert hints(window).isHidden()

    def offered():
        say(spectrum(200, fc2=[30.0, 1, 1, 1], fc3=unused))
        return hints(window).text() == "3 hints…" and not hints(window).isHidden()

    qtbot.waitUntil(offered, timeout=20_000)
    hints(window).click()
    return window.flows.health.dialog


def test_each_hint_is_measured_at_its_clip_one_after_the_other(qtbot, dialog, asked, say):
    expected = [("fc2", 4, 1.0), ("fc2", 4, 1.0), ("fc3", 2, float("inf"))]
    for number, (layer, keep, ceiling) in enumerate(expected):
        qtbot.waitUntil(lambda count=number: len(asked) == count + 1, timeout=20_000)
        assert asked[-1] == MeasureClip(layer, keep, ceiling)
        assert dialog.busy
        say(ClipRecord(200, layer, keep, ceiling, 0.5 + number, 0.25))
    assert not dialog.busy
    assert "hints" in dialog.message.text().lower()
    said = dialog.summary()
    assert "σ₁ holds 99.7 % of ΔW’s energy" in said
    assert "2 of 4 directions are unused" in said
    assert "0.2500 → 0.5000" in said
    assert "0.2500 → 2.500" in said


def test_a_clip_asks_first_and_can_be_undone(qtbot, dialog, asked, say):
    for layer, keep, ceiling in (("fc2", 4, 1.0), ("fc2", 4, 1.0), ("fc3", 2, float("inf"))):
        say(ClipRecord(200, layer, keep, ceiling, 0.5, 0.25))
    del asked[:]
    questions = []
    dialog.confirm = lambda *texts: questions.append(texts)
    qtbot.mouseClick(dialog.clip_buttons[0], Qt.MouseButton.LeftButton)
    assert asked == []  # the answer was no
    assert "from 0.2500 to 0.5000 (+0.250)" in questions[0][1]
    dialog.confirm = lambda *texts: True
    qtbot.mouseClick(dialog.clip_buttons[2], Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: asked == [Clip("fc3", 2, float("inf"))], timeout=20_000)
    assert dialog.undo_button.isHidden()
    say(ClippedRecord(201, "fc3", 2, float("inf"), True))
    assert [text for text in words(dialog) if "clipped at step 201" in text]
    qtbot.mouseClick(dialog.undo_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: asked[-1] == GoBack(201, before_edit=True), timeout=20_000)
    assert dialog.undo_button.isHidden()


def test_a_refusal_is_shown(qtbot, dialog, say):
    say(ErrorRecord(200, "DoRA has no plain factors.", command="MeasureClip"))
    assert not dialog.busy
    assert "DoRA has no plain factors." in words(dialog)


def test_without_a_hint_it_says_so(qtbot, window, asked, say):
    say(StepRecord(200, 0.5, 1e-3, 1.0), spectrum(100), spectrum(200))
    window.flows.health.start()
    assert asked == []
    assert "No hint" in window.flows.health.dialog.message.text()
    assert hints(window).isHidden()


def test_the_edge_of_noise_is_drawn_and_named(qtbot, window, asked, say):
    from lora_lab.analysis.health import edge_of_noise

    say(StepRecord(200, 0.5, 1e-3, 1.0), spectrum(200))
    panel = next(p for p in window.panels if p.key == "spectrum")
    panel.choose_layer("fc1")
    panel.redraw()
    x, y = panel.views["bars"].plot.shown()["noise edge"]
    assert len(x) == 2
    sigma = np.array([1.0, 0.9, 0.8, 0.7])
    expected = float(np.linalg.norm(sigma)) * edge_of_noise(SHAPES["fc1"], 4)
    assert 10 ** y[0] == pytest.approx(expected, rel=1e-6)
    assert [text for text in words(panel) if "noise of the same size" in text]
