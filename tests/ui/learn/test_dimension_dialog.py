"""The page How many numbers?: from a click to the sentence, stopped, and closed half-way."""

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from lora_lab.config import changed
from lora_lab.intrinsic import runs
from lora_lab.presets import get_preset
from lora_lab.ui.learn.dimension_dialog import DimensionDialog


@pytest.fixture
def page(qtbot, monkeypatch):
    monkeypatch.setattr(runs, "SMALL_STEPS", 30)
    dialog = DimensionDialog(lambda: get_preset("digits").config)
    qtbot.addWidget(dialog)
    dialog.show()
    yield dialog
    dialog.finish()


def ready(qtbot, page):
    qtbot.waitUntil(lambda: page.button.isEnabled(), timeout=20_000)


def press(qtbot, page):
    qtbot.mouseClick(page.button, Qt.MouseButton.LeftButton)


def test_the_price_is_said_before_and_the_sentence_comes_after_one_click(qtbot, page):
    ready(qtbot, page)
    assert "72 runs of 30 steps over 17,226 weights" in page.price.text()
    page.seeds.setValue(1)
    page.seeds.editingFinished.emit()
    qtbot.waitUntil(lambda: "24 runs" in page.price.text(), timeout=20_000)
    press(qtbot, page)
    assert page.training
    assert page.button.text() == "&Stop"
    qtbot.waitUntil(lambda: len(page.plot.points) > 4, timeout=20_000)
    qtbot.waitUntil(lambda: not page.training, timeout=60_000)
    assert "reach 90 %" in page.sentence.text()
    assert page.plot.result is not None
    assert page.button.text() == "&Measure it here"


def test_stop_keeps_what_was_measured(qtbot, page):
    ready(qtbot, page)
    press(qtbot, page)
    qtbot.waitUntil(lambda: len(page.plot.points) > 6, timeout=20_000)
    press(qtbot, page)
    assert not page.training
    assert "Stopped" in page.price.text()
    assert len(page.plot.points) > 6


def test_escape_stops_first_and_closes_then(qtbot, page):
    ready(qtbot, page)
    press(qtbot, page)
    qtbot.keyClick(page, Qt.Key.Key_Escape)
    assert not page.training
    assert page.isVisible()
    qtbot.keyClick(page, Qt.Key.Key_Escape)
    assert not page.isVisible()


def test_closing_half_way_leaves_nothing_running(qtbot, page):
    ready(qtbot, page)
    press(qtbot, page)
    page.close()
    assert not page.training


def test_by_the_loss_counts_from_the_start(qtbot, page):
    ready(qtbot, page)
    page.measure_box.setCurrentIndex(1)
    page.measure_box.activated.emit(1)
    page.start_box.setCurrentIndex(1)
    page.start_box.activated.emit(1)
    page.seeds.setValue(1)
    page.seeds.editingFinished.emit()
    qtbot.waitUntil(lambda: "12 runs" in page.price.text(), timeout=20_000)
    press(qtbot, page)
    qtbot.waitUntil(lambda: not page.training, timeout=60_000)
    assert "a loss has no 90 %" in page.details.text()


def test_a_model_that_was_opened_meanwhile_is_priced_once_the_page_is_in_front(qtbot):
    at_hand = []
    page, other = DimensionDialog(lambda: at_hand[-1] if at_hand else None), QWidget()
    for widget in (page, other):
        qtbot.addWidget(widget)
        widget.show()
    assert "Open a model first" in page.price.text()
    other.activateWindow()
    qtbot.waitUntil(lambda: not page.isActiveWindow(), timeout=20_000)
    at_hand.append(get_preset("digits").config)
    page.activateWindow()
    ready(qtbot, page)
    assert "runs of" in page.price.text()
    page.finish()


@pytest.mark.parametrize(("config", "words"), [
    (None, "Open a model first"),
    (changed(get_preset("digits").config, model="/nowhere/net.safetensors"), "net.safetensors"),
])  # fmt: skip
def test_what_cannot_be_measured_is_said_with_the_reason(qtbot, config, words):
    dialog = DimensionDialog(lambda: config)
    qtbot.addWidget(dialog)
    dialog.show()
    qtbot.waitUntil(lambda: words in dialog.price.text(), timeout=20_000)
    assert not dialog.button.isEnabled()
    dialog.finish()


@pytest.mark.parametrize(("typed", "seeds", "why"), [
    ("5", 5, ""), ("99", 3, "above"), ("1,000", 3, "above"), ("0", 3, "below"), ("2.5", 3, "whole"),
])  # fmt: skip
def test_seeds_are_taken_as_typed_or_refused_with_the_reason(qtbot, page, typed, seeds, why):
    ready(qtbot, page)
    page.seeds.lineEdit().selectAll()
    QTest.keyClicks(page.seeds.lineEdit(), typed)
    QTest.keyClick(page.seeds, Qt.Key.Key_Return)
    assert page.seeds.value() == seeds
    assert why in page.seeds.reason
    assert bool(why) == bool(page.seeds.reason)


def test_a_wheel_that_rolls_by_changes_nothing(qtbot, page):
    ready(qtbot, page)
    boxes = (page.start_box, page.measure_box, page.seeds)
    before = [box.text() if box is page.seeds else box.currentText() for box in boxes]
    for box in boxes:
        place = QPointF(box.rect().center())
        none = (Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier)
        turn = (QPoint(0, 0), QPoint(0, -120), *none, Qt.ScrollPhase.NoScrollPhase, False)
        QApplication.sendEvent(box, QWheelEvent(place, QPointF(box.mapToGlobal(place)), *turn))
    assert [box.text() if box is page.seeds else box.currentText() for box in boxes] == before
