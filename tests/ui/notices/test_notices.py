"""Notices: one place, from any thread, rate-limited, and the hooks given back."""

import sys
import threading

import pytest
from PySide6.QtCore import QTimer, qCritical

from lora_lab.ui.notices.notices import BURST, Notices
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
