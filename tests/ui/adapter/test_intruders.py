"""Intruder dimensions from the menu: counted layer by layer, stopped, refused, told in words."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from lora_lab.measured import IntruderRecord
from lora_lab.records import ErrorRecord, State
from lora_lab.training.commands import CountIntruders


class Counting:
    """What the session says to each command: two intruders in fc1, fc3 too large."""

    def __init__(self, fails=""):
        self.asked, self.fails = [], fails

    def __call__(self, session, command):
        self.asked.append(command)
        if self.fails == command.layer:
            return ErrorRecord(
                session.step, "Layer fc2: W holds values that are NaN.", "", "CountIntruders"
            )
        asked = (command.layer, command.strongest, command.threshold)
        if command.layer == "fc3":
            return IntruderRecord(session.step, *asked, reason="too large")
        places = (1, 4) if command.layer == "fc1" else ()
        return IntruderRecord(session.step, *asked, 10, places, (0.2, 0.41)[: len(places)])


@pytest.fixture
def counting(fake_session, monkeypatch):
    made, old = Counting(), fake_session.serve

    def serve(session, command):
        if isinstance(command, CountIntruders):
            session.waiting.append(made(session, command))
        else:
            old(session, command)

    monkeypatch.setattr(fake_session, "serve", serve)
    return made


@pytest.fixture
def dialog(qtbot, window, presets, counting):
    window.open(presets[0].config)
    qtbot.waitUntil(lambda: window.state is State.PAUSED)
    window.commands.intruders.trigger()
    return window.flows.intruders.dialog


def rows(dialog):
    return dialog.table.cells.rows


def test_every_layer_is_counted_and_summed_up(qtbot, dialog, counting):
    assert not dialog.table.isVisible()
    dialog.strongest_box.setValue(12)
    dialog.threshold_box.setValue(0.6)
    qtbot.waitUntil(dialog.isActiveWindow)
    QTest.keyClick(dialog, Qt.Key.Key_U, Qt.KeyboardModifier.AltModifier)
    qtbot.waitUntil(lambda: len(counting.asked) == 3 and dialog.again_button.isEnabled())
    assert [c.layer for c in counting.asked] == ["fc1", "fc2", "fc3"]
    assert {(c.strongest, c.threshold) for c in counting.asked} == {(12, 0.6)}
    assert rows(dialog)[0] == ("fc1", "2 of 10", "1, 4", "0.200")
    assert "2 of 20 top-k directions are intruders" in dialog.message.text()
    assert "1 layer is too large" in dialog.message.text()
    assert not dialog.progress.isVisible()
    dialog.again_button.click()
    qtbot.waitUntil(lambda: len(counting.asked) == 6)


def test_stopping_keeps_what_was_counted(qtbot, dialog, counting):
    dialog.again_button.click()
    assert dialog.progress.isVisible()
    dialog.cancel_button.click()
    qtbot.waitUntil(lambda: dialog.again_button.isEnabled())
    assert len(counting.asked) == len(rows(dialog)) == 1
    assert "Stopped after 1 of 3" in dialog.message.text()


def test_a_layer_that_fails_ends_it_in_words(qtbot, dialog, counting):
    counting.fails = "fc2"
    dialog.again_button.click()
    qtbot.waitUntil(lambda: dialog.again_button.isEnabled())
    assert "NaN" in dialog.message.text()
    assert len(rows(dialog)) == 1


def test_another_model_takes_the_dialog_away(qtbot, window, dialog, presets):
    window.open(presets[1].config)
    qtbot.waitUntil(lambda: window.flows.intruders.dialog is None)
