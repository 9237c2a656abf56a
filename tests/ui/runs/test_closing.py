"""Closing the window over a run: asked once, ended rightly whatever happens while it asks."""

import sys

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

from lora_lab.engine.places import live_place, live_places
from lora_lab.records import State
from lora_lab.runs.listing import summary_of
from lora_lab.ui.shell.leaving import CONTINUE, SAVE, STAY
from tests.engine.here import StartingHere
from tests.ui.runs.moving import LONG, steps_on

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="has no sockets of this kind")


def test_closing_again_while_it_asks_asks_once(qtbot, training):
    asked = []
    training.leaving.where = lambda: asked.append(training.close()) or STAY
    training.close()
    assert len(asked) == 1
    training.close()
    assert len(asked) == 2, "but the next time it asks again"


@pytest.mark.parametrize("answer", [CONTINUE, SAVE], ids=["continue", "save"])
def test_a_run_that_ends_while_it_asks_is_closed_with_the_window(qtbot, training, answer):
    lab = training

    def where():
        lab.sessions.shown.session.close()
        qtbot.waitUntil(lambda: not lab.sessions.running, **LONG)
        return answer

    lab.leaving.where = where
    lab.close()
    qtbot.waitUntil(lambda: lab.closed, **LONG)
    qtbot.waitUntil(lambda: live_places() == {})


def test_a_signal_closes_the_window_that_asks(qtbot, training):
    lab, run = training, training.sessions.folder
    seen = []

    def leave():  # as SIGTERM does, which the desktop sends at its end
        seen.append(QApplication.activeModalWidget() is not None)
        lab.leave()

    lab.leaving.where = lab.leaving.ask_where
    # The application's quit ends the dialog's loop, and for a test every loop that is to come.
    lab.left.connect(lambda: QApplication.activeModalWidget().reject())
    QTimer.singleShot(0, lab, leave)
    lab.close()
    qtbot.waitUntil(lambda: lab.closed, **LONG)
    assert seen == [True]
    assert summary_of(run).state == "stopped"


@pytest.fixture
def slow_start(monkeypatch):
    """An engine that takes its time."""
    monkeypatch.setattr(StartingHere, "ready", lambda self: False)


def starting(qtbot, lab):
    lab.commands.background.trigger()
    assert lab.flows.background.busy
    assert len(live_places()) == 1


def test_a_move_is_given_up_while_the_engine_starts(qtbot, training, slow_start):
    starting(qtbot, training)
    training.commands.background.trigger()
    qtbot.waitUntil(lambda: live_places() == {}, **LONG)
    assert not training.flows.background.busy
    steps_on(qtbot, training)
    assert not training.sessions.apart


def test_saving_and_closing_while_the_engine_starts_ends_both(qtbot, training, slow_start):
    starting(qtbot, training)
    training.leaving.where = lambda: SAVE
    training.close()
    qtbot.waitUntil(lambda: training.closed, **LONG)
    qtbot.waitUntil(lambda: live_places() == {}, **LONG)
    assert summary_of(training.sessions.folder).state == "stopped"


def test_closing_while_the_engine_starts_waits_for_it_and_staying_does_not(qtbot, training):
    lab, answers = training, [CONTINUE, STAY]
    ready = StartingHere.ready
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StartingHere, "ready", lambda self: False)
        starting(qtbot, lab)
        lab.leaving.where = lambda: answers.pop(0)
        lab.close()
        lab.close()
        patch.setattr(StartingHere, "ready", ready)
        qtbot.waitUntil(lambda: lab.sessions.apart and lab.state is State.RUNNING, **LONG)
    assert not answers
    steps_on(qtbot, lab)
    lab.leaving.where = lambda: CONTINUE
    lab.close()
    qtbot.waitUntil(lambda: lab.closed, **LONG)
    assert live_place(lab.sessions.folder) is not None
