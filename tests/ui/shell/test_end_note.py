"""The end of a long run is a note of the desktop, where the person looks elsewhere and wants it."""

import pytest

from lora_lab.records import State, StateRecord
from lora_lab.ui.shell import end_note


@pytest.fixture
def away(qtbot, window, presets, monkeypatch):
    """A window behind another one, its run in training; `notes` are those of the desktop."""
    notes = []
    monkeypatch.setattr(end_note, "LONG", 0.0)
    monkeypatch.setattr(end_note, "notify", lambda *texts: notes.append(texts) or True)
    monkeypatch.setattr(end_note.QSystemTrayIcon, "isSystemTrayAvailable", lambda: False)
    monkeypatch.setattr(window, "isActiveWindow", lambda: False)
    window.open(presets[0].config)
    qtbot.waitUntil(lambda: window.state is State.PAUSED, timeout=20_000)
    window.commands.train.trigger()
    qtbot.waitUntil(lambda: window.state is State.RUNNING, timeout=20_000)
    window.notes = notes
    return window


def ends(qtbot, window, state=State.FINISHED, message=""):
    record = StateRecord(state, 70_000, message)
    window.sessions.shown.arrived.emit(record)


CASES = [
    (State.FINISHED, "", "Finished · ready to export at step 70,000"),
    (State.STOPPED, "It went no better.", "Stopped at step 70,000. It went no better."),
    (State.FAILED, "The device was lost.", "Failed at step 70,000. The device was lost."),
    (State.PAUSED, "The loss is not finite.", "Paused at step 70,000. The loss is not finite."),
]


@pytest.mark.parametrize(("state", "message", "text"), CASES)
def test_an_end_is_told(qtbot, away, state, message, text):
    ends(qtbot, away, state, message)
    qtbot.waitUntil(lambda: bool(away.notes), timeout=20_000)
    assert away.notes == [("Fake digits", text)]


def shown(qtbot, away):
    with qtbot.waitSignal(away.flows.end_note.shown, timeout=20_000) as told:
        ends(qtbot, away)
    return told.args


def test_not_a_pause_of_the_person(qtbot, away):
    ends(qtbot, away, State.PAUSED)
    away.commands.train.trigger()
    ends(qtbot, away, State.RUNNING)
    assert shown(qtbot, away)[0] == "Fake digits"
    qtbot.waitUntil(lambda: len(away.notes) == 1, timeout=20_000)


@pytest.mark.parametrize("reason", ["short", "switched off", "looked at"])
def test_nothing_is_told(qtbot, away, monkeypatch, reason):
    if reason == "short":
        monkeypatch.setattr(end_note, "LONG", 1e6)
    elif reason == "switched off":
        away.commands.end_note.trigger()
        assert not away.flows.end_note.on
    else:
        monkeypatch.setattr(away, "isActiveWindow", lambda: True)
    told = []
    away.flows.end_note.shown.connect(lambda *texts: told.append(texts))
    ends(qtbot, away)
    assert not told
    assert not away.notes


def test_the_choice_is_remembered(window):
    assert window.commands.end_note.isChecked()
    window.commands.end_note.trigger()
    assert not window.flows.end_note.on
    window.commands.end_note.trigger()
    assert window.flows.end_note.on
