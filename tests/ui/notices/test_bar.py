"""The bar: one notice after the other, over what is around; what stays folds, and none is lost."""

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QLabel, QLineEdit, QVBoxLayout, QWidget

from lora_lab.ui.notices.bar import NoticeBar
from lora_lab.ui.notices.notices import Notices
from tests.ui.seen import buttons, named, settle, words


@pytest.fixture
def notices(qtbot):
    return Notices()


@pytest.fixture
def bar(qtbot, notices):
    """In a window whose focus is elsewhere."""
    around = QWidget()
    qtbot.addWidget(around)
    made = NoticeBar(notices, around)
    around.resize(400, 300)
    elsewhere = QLineEdit(around)
    around.show()
    elsewhere.setFocus()
    yield made
    made.chip.deleteLater()


def more(bar):
    """How many wait, as it is written in the bar."""
    return bar.findChild(QLabel, "notice_more").text()


def test_an_error_is_shown_with_details_until_it_is_dismissed(qtbot, notices, bar):
    assert bar.isHidden()
    notices.error("The checkpoint is truncated.", "Traceback …")
    settle()
    assert not bar.isHidden()
    assert "truncated" in bar.accessibleName()
    assert named(bar, "Details of the notice").isHidden()
    buttons(bar)["Details"].click()
    assert not named(bar, "Details of the notice").isHidden()
    bar.dismiss()
    assert bar.isHidden()


def test_errors_wait_their_turn_and_news_wait_for_them(qtbot, notices, bar):
    notices.news("Saved.")
    settle()
    notices.error("first")
    notices.error("second")
    notices.news("Exported.")
    settle()
    assert bar.notice.message == "first"
    assert more(bar) == "1 more"
    said = []
    while not bar.isHidden():
        said.append(bar.notice.message)
        bar.dismiss()
    assert said == ["first", "second", "Saved.", "Exported."]


def test_news_is_followed_by_newer_news_at_once(qtbot, notices, bar):
    notices.news("Copied the loss.")
    notices.news("Copied the spectrum.")
    settle()
    assert bar.notice.message == "Copied the spectrum."


@pytest.fixture
def soon(monkeypatch):
    """Nothing stays for long."""
    monkeypatch.setattr("lora_lab.ui.notices.bar.STAY_MS", 40)
    monkeypatch.setattr("lora_lab.ui.notices.bar.NEWS_MS", 40)


def test_an_error_that_is_not_dismissed_folds_and_is_not_lost(qtbot, notices, bar, soon):
    notices.error("Disk full", "Traceback …")
    notices.warning("The rate is high")
    notices.news("Saved.")
    settle()
    assert bar.chip.isHidden()
    shown = set()
    qtbot.waitUntil(lambda: shown.add(bar.notice and bar.notice.message) or bar.isHidden())
    assert shown >= {"Disk full", "Saved."}, "both fold into one button, and news is told"
    assert not bar.chip.isHidden()
    assert bar.chip.text() == "Error: Disk full  +1"
    assert bar.chip.accessibleName() == "Error: Disk full"
    bar.chip.click()
    assert (bar.notice.message, bar.notice.details) == ("Disk full", "Traceback …")
    assert bar.chip.isHidden()
    bar.dismiss()
    assert bar.notice.message == "The rate is high"
    bar.dismiss()
    assert bar.isHidden()
    assert bar.chip.isHidden()


def test_what_comes_while_others_are_folded_is_shown_first(qtbot, notices, bar):
    notices.error("old")
    settle()
    bar.fold()
    assert bar.isHidden()
    notices.news("Saved.")
    settle()
    assert bar.notice.message == "Saved."
    assert not bar.chip.isHidden(), "news unfolds nothing"
    notices.error("new")
    settle()
    assert bar.notice.message == "new"
    assert more(bar) == "1 more"
    assert bar.chip.isHidden()


def test_what_is_folded_and_happens_again_is_counted_there(qtbot, notices, bar, monkeypatch):
    monkeypatch.setattr("lora_lab.ui.notices.notices.SAME_FOR", 0.0)
    notices.error("Disk full")
    settle()
    bar.fold()
    for _ in range(3):
        notices.error("Disk full")
    settle()
    assert bar.isHidden()
    assert bar.chip.text() == "Error: Disk full"
    bar.chip.click()
    assert bar.notice.times == 4
    assert "Disk full  (×4)" in words(bar)


def test_the_count_only_grows(notices, bar, monkeypatch):
    for _ in range(3):
        notices.error("Disk full")
    settle()
    monkeypatch.setattr("lora_lab.ui.notices.notices.SAME_FOR", 0.0)  # a while later
    for expected in (4, 5):
        notices.error("Disk full")
        settle()
        assert bar.notice.times == expected
        assert f"Disk full  (×{expected})" in words(bar)


def test_news_that_was_followed_by_other_news_can_be_news_again(qtbot, notices, bar):
    for message in ("Copied the loss.", "Copied the spectrum.", "Copied the loss."):
        notices.news(message)
        settle()
        assert bar.notice.message == message


def test_what_finds_no_room_to_wait_is_in_the_log(qtbot, notices, bar, caplog, monkeypatch):
    monkeypatch.setattr("lora_lab.ui.notices.bar.WAITING_LIMIT", 1)
    for number in range(3):
        notices.error(f"error {number}")
    settle()
    assert more(bar) == "1 more"
    assert [record.getMessage() for record in caplog.records] == [
        "too many notices wait; not shown: error 2"
    ]


def test_an_ampersand_of_a_message_is_no_key(qtbot, notices, bar):
    notices.error("R&D is not a folder")
    settle()
    bar.fold()
    assert bar.chip.text() == "Error: R&&D is not a folder"
    assert bar.chip.shortcut().isEmpty()


def test_nothing_folds_under_the_eyes_of_who_reads_it(qtbot, notices, bar, soon):
    elsewhere = bar.parentWidget().findChild(QLineEdit)
    notices.error("Disk full", "Traceback …")
    settle()
    buttons(bar)["Details"].click()
    elsewhere.setFocus()
    patience = bar.findChild(QTimer)
    with qtbot.waitSignal(patience.timeout):
        pass
    assert not bar.isHidden(), "the details are open"
    buttons(bar)["Details"].click()
    buttons(bar)["Dismiss"].setFocus()
    with qtbot.waitSignal(patience.timeout):
        pass
    assert not bar.isHidden(), "somebody is at its buttons"
    elsewhere.setFocus()
    qtbot.waitUntil(bar.isHidden)
    assert not bar.chip.isHidden()


def test_an_equal_notice_is_counted(qtbot, notices, bar):
    for _ in range(500):
        notices.error("Disk full")
    settle()
    assert bar.notice.times == 500
    assert "Disk full  (×500)" in words(bar)
    bar.dismiss()
    assert bar.isHidden()


def test_what_happens_again_is_shown_again_whatever_was_said_between(qtbot, notices, bar):
    notices.error("Disk full")
    settle()
    bar.dismiss()
    notices.news("Saved.")
    notices.error("Disk full")
    settle()
    assert (bar.notice.message, bar.notice.times) == ("Disk full", 2)
    bar.dismiss()
    notices.warning("Something else")
    notices.error("Disk full")
    notices.error("Disk full")
    settle()
    assert bar.notice.message == "Something else"
    assert more(bar) == "1 more"
    bar.dismiss()
    assert bar.notice.message == "Disk full"


def test_what_was_said_before_the_window_came_lies_at_its_foot(qtbot, notices):
    around = QWidget()
    qtbot.addWidget(around)
    bar = NoticeBar(notices, around)
    notices.error("The settings could not be read.")
    settle()
    around.resize(1000, 700)
    around.show()
    assert (bar.x(), bar.width()) == (0, 1000)
    assert bar.geometry().bottom() == around.rect().bottom()


def test_no_notice_moves_what_lies_around(qtbot, notices):
    around, content = QWidget(), QWidget()
    qtbot.addWidget(around)
    column = QVBoxLayout(around)
    column.setContentsMargins(0, 0, 0, 0)
    column.addWidget(content)
    bar = NoticeBar(notices, around)
    around.resize(400, 300)
    around.show()

    def lies():
        """At the foot, in its whole width, above the rest, and as tall as it needs to be."""
        assert bar.isVisible()
        assert content.geometry() == around.rect()
        assert (bar.x(), bar.width()) == (0, around.width())
        assert bar.geometry().bottom() == around.rect().bottom()
        assert bar.height() >= bar.layout().heightForWidth(bar.width())
        assert around.childAt(bar.geometry().center()) in (bar, *bar.findChildren(QWidget))

    notices.news("Saved.")
    settle()
    lies()
    around.resize(500, 200)
    settle()
    lies()
    notices.error("Disk full: " + 40 * "all of it ", "Traceback …")
    settle()
    lies()
    tall = bar.height()
    buttons(bar)["Details"].click()
    settle()
    lies()
    assert bar.height() > tall
    bar.dismiss()
    assert bar.notice.message == "Saved.", "it was cut short by the error"
    lies()
    one_line = bar.height()
    notices.warning("It was cut off.", actions=(("Resume it", bool), ("Show all", bool)))
    settle()
    lies()
    offered = [buttons(bar)[name] for name in ("Resume it", "Show all")]
    assert [bar.rect().contains(button.geometry()) for button in offered] == [True, True]
    assert [button.height() >= button.sizeHint().height() for button in offered] == [True, True]
    around.resize(offered[0].fontMetrics().horizontalAdvance("It was cut off.") + 170, 300)
    settle()
    for _ in range(9):  # and now the count has no room in the line
        notices.warning("It was cut off.")
    settle()
    lies()
    assert bar.height() > one_line


def test_what_was_said_of_a_run_goes_with_it(qtbot, notices, bar):
    notices.news("The run is at step 322.", of_run=True)
    notices.run_left.emit()  # before it is shown: the order of what is posted is kept
    settle()
    assert bar.isHidden()
    notices.news("The run is at step 322.", of_run=True)  # the same of the next run is new
    settle()
    assert bar.notice.message == "The run is at step 322."
    assert bar.notice.times == 1
    notices.error("first")
    notices.news("Gradients are clipped.", of_run=True)
    notices.news("Exported.")
    settle()
    notices.run_left.emit()
    settle()
    assert bar.notice.message == "first"
    bar.dismiss()
    assert bar.notice.message == "Exported."
    bar.dismiss()
    assert bar.isHidden()
