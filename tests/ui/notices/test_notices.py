"""Notices: one place, from any thread, rate-limited, and the hooks given back."""

import sys
import threading
import time

import pytest
from PySide6.QtCore import QTimer, qCritical
from PySide6.QtWidgets import QToolButton, QWidget

from lora_lab.ui.notices.bar import NoticeBar
from lora_lab.ui.notices.notices import BURST, LETTERS, Notices
from tests.ui.seen import settle


@pytest.fixture
def notices(qtbot):
    made = Notices()
    yield made
    made.uninstall()


@pytest.fixture
def shown(notices):
    """The notices that are let through."""
    seen = []
    notices.shown.connect(seen.append)
    return seen


def test_a_storm_of_different_notices_is_cut(qtbot, notices, shown):
    for number in range(200):
        notices.warning(f"warning {number}")
    settle()
    assert len(shown) == BURST


def test_uncaught_exceptions_of_slots_and_threads_arrive(qtbot, notices, shown):
    notices.install()
    QTimer.singleShot(0, lambda: {}["missing"])
    qtbot.waitUntil(lambda: len(shown) == 1)
    assert shown[0].message.startswith("KeyError")
    assert "Traceback" in shown[0].details
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()
    settle()
    assert shown[1].message.startswith("ZeroDivisionError")


@pytest.mark.parametrize("text", ["a" * 5_000_000, "a\n" * 100_000, "a b " * 10**6])
def test_however_much_a_file_says_the_window_takes_its_turns(qtbot, notices, shown, text):
    around = QWidget()
    qtbot.addWidget(around)
    around.resize(800, 600)
    bar = NoticeBar(notices, around)
    qtbot.addWidget(bar.chip)
    around.show()
    settle()
    began = time.process_time()
    notices.error(text, "Traceback …")
    settle()
    bar.findChildren(QToolButton)[0].click()
    bar.fold()
    bar.unfold()
    settle()
    assert time.process_time() - began < 0.5
    (notice,) = shown
    assert len(notice.message) <= LETTERS
    assert text[:1000] in notice.details.replace("…", "") or len(text) > LETTERS
    assert notice.details.endswith("Traceback …")
    assert bar.height() < 600


def test_what_qt_finds_critical_arrives(qtbot, notices, shown):
    notices.install()
    qCritical("the sky is falling")
    settle()
    assert "the sky is falling" in shown[0].message


def test_the_hooks_are_given_back(notices):
    before = (sys.excepthook, threading.excepthook)
    notices.install()
    assert sys.excepthook is not before[0]
    notices.uninstall()
    assert (sys.excepthook, threading.excepthook) == before


def test_ctrl_c_is_not_a_notice(qtbot, notices, shown, monkeypatch):
    notices.install()
    left = []
    monkeypatch.setattr(sys, "__excepthook__", lambda *what: left.append(what[0]))
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    settle()
    assert left == [KeyboardInterrupt]
    assert shown == []
