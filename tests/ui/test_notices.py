"""Notices: one place, from any thread, rate-limited, and the hooks given back."""

import sys
import threading

import pytest
from PySide6.QtCore import QTimer, qCritical
from PySide6.QtWidgets import QVBoxLayout, QWidget

from lora_lab.ui.notices import BURST, NoticeBar, Notices


@pytest.fixture
def notices(qtbot):
    made = Notices()
    yield made
    made.uninstall()


@pytest.fixture
def bar(qtbot, notices):
    made = NoticeBar(notices)
    qtbot.addWidget(made)
    return made


def flush(qtbot):
    qtbot.wait(20)


def test_an_error_is_shown_with_details_until_it_is_dismissed(qtbot, notices, bar):
    assert bar.isHidden()
    notices.error("The checkpoint is truncated.", "Traceback …")
    flush(qtbot)
    assert not bar.isHidden()
    assert "truncated" in bar.accessibleName()
    assert bar._details.isHidden()
    bar._details_button.click()
    assert not bar._details.isHidden()
    bar.dismiss()
    assert bar.isHidden()


def test_errors_wait_their_turn_and_news_give_way(qtbot, notices, bar):
    notices.news("Saved.")
    flush(qtbot)
    notices.error("first")
    notices.error("second")
    notices.news("not important now")
    flush(qtbot)
    assert bar.notice.message == "first"
    assert bar._more.text() == "1 more"
    bar.dismiss()
    assert bar.notice.message == "second"
    bar.dismiss()
    assert bar.isHidden()


def test_an_equal_notice_is_counted(qtbot, notices, bar):
    for _ in range(500):
        notices.error("Disk full")
    flush(qtbot)
    assert bar.notice.times == 500
    assert "×500" in bar._message.text()
    bar.dismiss()
    assert bar.isHidden()


def test_what_happens_again_is_shown_again_whatever_was_said_between(qtbot, notices, bar):
    notices.error("Disk full")
    flush(qtbot)
    bar.dismiss()
    notices.news("Saved.")
    notices.error("Disk full")
    flush(qtbot)
    assert (bar.notice.message, bar.notice.times) == ("Disk full", 2)
    bar.dismiss()
    notices.warning("Something else")
    notices.error("Disk full")
    notices.error("Disk full")
    flush(qtbot)
    assert bar.notice.message == "Something else"
    assert bar._more.text() == "1 more"
    bar.dismiss()
    assert bar.notice.message == "Disk full"


def test_a_storm_of_different_notices_is_cut(qtbot, notices, bar):
    shown = []
    notices.shown.connect(shown.append)
    for number in range(200):
        notices.warning(f"warning {number}")
    flush(qtbot)
    assert len(shown) == BURST


def test_uncaught_exceptions_of_slots_and_threads_arrive(qtbot, notices, bar):
    notices.install()
    QTimer.singleShot(0, lambda: {}["missing"])
    flush(qtbot)
    assert bar.notice.message.startswith("KeyError")
    assert "Traceback" in bar.notice.details
    bar.dismiss()
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()
    flush(qtbot)
    assert bar.notice.message.startswith("ZeroDivisionError")


def test_what_qt_finds_critical_arrives(qtbot, notices, bar):
    notices.install()
    qCritical("the sky is falling")
    flush(qtbot)
    assert "the sky is falling" in bar.notice.message


def test_the_hooks_are_given_back(notices):
    before = (sys.excepthook, threading.excepthook)
    notices.install()
    assert sys.excepthook is not before[0]
    notices.uninstall()
    assert (sys.excepthook, threading.excepthook) == before


def test_ctrl_c_is_not_a_notice(qtbot, notices, bar, monkeypatch):
    notices.install()
    left = []
    monkeypatch.setattr(sys, "__excepthook__", lambda *what: left.append(what[0]))
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    flush(qtbot)
    assert left == [KeyboardInterrupt]
    assert bar.isHidden()


def test_news_moves_nothing_and_what_stays_takes_its_place(qtbot, notices):
    around, content = QWidget(), QWidget()
    qtbot.addWidget(around)
    bar = NoticeBar(notices)
    column = QVBoxLayout(around)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(0)
    column.addWidget(bar)
    column.addWidget(content, 1)
    around.resize(400, 300)
    around.show()
    notices.news("Saved.")
    flush(qtbot)
    assert bar.isVisible()
    assert content.geometry() == around.rect()
    assert bar.geometry().bottom() == around.rect().bottom()
    around.resize(500, 200)
    flush(qtbot)
    assert (bar.width(), bar.geometry().bottom()) == (500, 199)
    notices.error("Disk full", "Traceback …")
    flush(qtbot)
    assert bar.geometry().top() == 0
    assert content.geometry().top() == bar.height()
    bar.dismiss()
    flush(qtbot)
    assert content.geometry() == around.rect()
    notices.news("Saved again.")
    flush(qtbot)
    assert content.geometry() == around.rect()
    assert bar.geometry().bottom() == around.rect().bottom()
