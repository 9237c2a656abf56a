"""The lessons: a prediction before the run, the answer after it, stopped and closed."""

import pytest
from PySide6.QtCore import Qt

from lora_lab.lessons import LESSONS
from lora_lab.ui.learn.lessons_dialog import DONE, LessonsDialog

PLACE = {name: row for row, name in enumerate(LESSONS)}


@pytest.fixture
def page(qtbot):
    dialog = LessonsDialog()
    qtbot.addWidget(dialog)
    dialog.show()
    yield dialog
    dialog.finish()


def press(qtbot, page):
    qtbot.mouseClick(page.button, Qt.MouseButton.LeftButton)


def test_a_prediction_comes_before_the_run(qtbot, page):
    assert page.list.count() == len(LESSONS)
    assert not page.button.isEnabled()
    page.choices.button(0).click()
    assert page.button.isEnabled()


@pytest.mark.parametrize(("choice", "words"), [
    (1, "As you predicted"), (0, "It is otherwise: Nothing at all."),
])  # fmt: skip
def test_the_answer_is_measured_and_held_against_the_prediction(qtbot, page, choice, words):
    page.list.setCurrentRow(PLACE["why-b-is-zero"])
    page.choices.button(choice).click()
    press(qtbot, page)
    assert page.button.text() == "&Stop"
    qtbot.waitUntil(lambda: page.verdict.isVisible(), timeout=60_000)
    assert words in page.verdict.text()
    assert "‖B‖ = 0" in page.figures.text()
    assert page.why.text()
    assert page.list.currentItem().text().startswith(DONE)
    assert page.plot.shown()
    page.list.setCurrentRow(0)
    assert not page.verdict.isVisible()
    page.list.setCurrentRow(PLACE["why-b-is-zero"])
    assert page.verdict.isVisible(), "what was answered is still there"


def test_stop_and_another_lesson_end_a_run(qtbot, page):
    page.choices.button(0).click()
    press(qtbot, page)
    qtbot.waitUntil(lambda: bool(page.plot.shown()), timeout=60_000)
    press(qtbot, page)
    assert page.button.text() == "&Run it and see"
    press(qtbot, page)
    page.next_button.click()
    assert page.list.currentRow() == 1
    assert not page.progress.isVisible()
    assert page.answers == {}
