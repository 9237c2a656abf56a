"""The page Rank or numbers?: price, live marks, two tasks and one's own, stop, and refusals."""

import pytest
from PySide6.QtCore import Qt

from lora_lab.config import changed
from lora_lab.intrinsic import equal_count, methods
from lora_lab.presets import get_preset
from lora_lab.ui.learn.numbers_dialog import HARD, OWN, NumbersDialog


@pytest.fixture
def page(qtbot, monkeypatch):
    monkeypatch.setattr(equal_count, "STEPS", 15)
    few = {
        methods.PLAIN: methods.Method((1, 2), 5), methods.SUBSPACE: methods.Method((16, 64), 1),
    }  # fmt: skip
    monkeypatch.setattr(methods, "METHODS", few)
    monkeypatch.setattr(equal_count, "METHODS", few)
    dialog = NumbersDialog(lambda: changed(get_preset("digits").config, batch_size=7))
    dialog.seeds.setValue(1)
    qtbot.addWidget(dialog)
    dialog.show()
    yield dialog
    dialog.finish()


def ready(qtbot, page):
    qtbot.waitUntil(lambda: page.button.isEnabled(), timeout=60_000)


def press(qtbot, page):
    qtbot.mouseClick(page.button, Qt.MouseButton.LeftButton)


def choose(page, task):
    page.task_box.setCurrentIndex(page.task_box.findData(task))
    page.task_box.activated.emit(page.task_box.currentIndex())


def test_the_price_comes_before_and_one_click_ends_in_the_sentence(qtbot, page):
    ready(qtbot, page)
    assert "15 steps" in page.price.text()
    press(qtbot, page)
    assert page.button.text() == "&Stop"
    qtbot.waitUntil(lambda: len(page.plot.marks) > 1, timeout=60_000)
    qtbot.waitUntil(lambda: not page.training, timeout=60_000)
    assert page.plot.result is not None
    assert page.sentence.text() == page.plot.result.sentence()
    assert {m.method for m in page.plot.marks} == {methods.PLAIN, methods.SUBSPACE}
    easy = page.plot
    choose(page, HARD)
    assert page.plot is not easy
    assert not page.plot.marks
    choose(page, "digits")
    assert page.plot is easy, "what was measured is still there"
    assert page.sentence.text() == easy.result.sentence()


def test_stop_keeps_what_was_measured(qtbot, page):
    ready(qtbot, page)
    press(qtbot, page)
    qtbot.waitUntil(lambda: len(page.plot.marks) > 0, timeout=60_000)
    qtbot.keyClick(page, Qt.Key.Key_Escape)
    assert not page.training
    assert page.isVisible()
    assert page.plot.marks
    qtbot.keyClick(page, Qt.Key.Key_Escape)
    assert not page.isVisible()


def test_what_is_open_is_the_third_task(qtbot, page):
    choose(page, OWN)
    ready(qtbot, page)
    press(qtbot, page)
    qtbot.waitUntil(lambda: not page.training, timeout=60_000)
    assert page.plot.result is not None


@pytest.mark.parametrize(("config", "words"), [
    (None, "Open a model first"),
    (changed(get_preset("digits").config, model="/nowhere/net.safetensors"), "net.safetensors"),
    (get_preset("known-rank").config, "no model to start from"),
])  # fmt: skip
def test_what_cannot_be_compared_is_said_with_the_reason(qtbot, config, words):
    dialog = NumbersDialog(lambda: config)
    qtbot.addWidget(dialog)
    choose(dialog, OWN)
    dialog.show()
    qtbot.waitUntil(lambda: words in dialog.price.text(), timeout=60_000)
    assert not dialog.button.isEnabled()
    dialog.finish()
