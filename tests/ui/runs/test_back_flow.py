"""Undoing in the window: back to a save, a branch with its parent behind it, help after a NaN."""

import math

import pytest
from PySide6.QtCore import Qt

from lora_lab.config import changed
from lora_lab.presets import get_preset
from lora_lab.records import NonFiniteRecord, State
from lora_lab.runs.listing import list_runs, summary_of
from lora_lab.tasks.digits import DigitsTask
from lora_lab.ui.widgets.plot import Plot
from tests.ui.seen import buttons, curve, named, words


@pytest.fixture
def lab(qtbot, lab):
    lab.open(changed(get_preset("digits").config, max_steps=400_000, schedule="constant"))
    qtbot.waitUntil(lambda: lab.state is State.PAUSED, timeout=60_000)
    return lab


def pause_after(qtbot, lab, steps):
    """Train on for at least so many steps, then pause."""
    goal = lab.sessions.step + steps
    lab.commands.train.trigger()
    qtbot.waitUntil(lambda: lab.sessions.step >= goal, timeout=60_000)
    lab.commands.train.trigger()
    qtbot.waitUntil(lambda: lab.state is State.PAUSED, timeout=20_000)
    return lab.sessions.step


def test_the_last_edit_is_undone_with_the_steps_after_it(qtbot, lab):
    at = pause_after(qtbot, lab, 60)
    rank = lab.hyper_dock.requested.rank
    lab.hyper_dock.request(rank=rank + 3)
    after = pause_after(qtbot, lab, 60)
    assert lab.hyper_dock.requested.rank == rank + 3
    lab.commands.undo_edit.trigger()
    qtbot.waitUntil(lambda: lab.sessions.step == at, timeout=20_000)
    qtbot.waitUntil(lambda: lab.hyper_dock.requested.rank == rank, timeout=20_000)
    assert lab.hyper_dock.requested.rank == rank
    assert lab.state is State.PAUSED
    loss = lab.panels[0]
    qtbot.waitUntil(lambda: curve(loss, "train")[0][-1] == at, timeout=20_000)
    assert loss.marks.words() == []
    assert pause_after(qtbot, lab, 20) > at
    assert after > at


def test_nothing_to_undo_is_said(qtbot, lab):
    pause_after(qtbot, lab, 20)
    lab.commands.undo_edit.trigger()
    qtbot.waitUntil(lambda: lab.notice_bar.notice is not None, timeout=20_000)
    assert "No setting was changed" in lab.notice_bar.notice.message


def test_a_branch_begins_at_a_save_with_its_parent_behind_it(qtbot, lab):
    at = pause_after(qtbot, lab, 80)
    parent = lab.sessions.folder
    qtbot.waitUntil(lambda: bool(list(parent.glob(f"checkpoints/step-*{at}"))), timeout=30_000)
    lab.hyper_dock.request(learning_rate=1e-4)
    lab.commands.go_back.trigger()
    dialog = lab.flows.back.dialog
    assert dialog.steps[0] == at
    dialog.table.selectRow(0)
    dialog.branch_button.click()
    qtbot.waitUntil(lambda: lab.sessions.folder != parent, timeout=60_000)
    qtbot.waitUntil(lambda: lab.state is State.PAUSED, timeout=20_000)
    assert lab.sessions.step == at
    qtbot.waitUntil(lambda: list(lab.flows.overlays.shown) == [str(parent)], timeout=30_000)
    pause_after(qtbot, lab, 20)
    child = summary_of(lab.sessions.folder)
    assert (child.parent, child.parent_step) == (parent.name, at)
    assert lab.hyper_dock.requested.learning_rate == pytest.approx(1e-4)
    lab.commands.runs.trigger()
    qtbot.waitUntil(lambda: len(lab.runs_dock.model.runs) == 2, timeout=30_000)
    shown = [lab.runs_dock.model.index(row, 1).data() for row in range(2)]
    assert shown == [parent.name, f"↳ {child.name}"]


def poison(monkeypatch, call):
    """The loss of one step is no number, once."""
    calls, honest = [0], DigitsTask.loss

    def loss(self, model, batch):
        calls[0] += 1
        return honest(self, model, batch) * (math.nan if calls[0] == call else 1.0)

    monkeypatch.setattr(DigitsTask, "loss", loss)


@pytest.mark.parametrize(
    "remedy", ["Lower the learning rate", "Clip gradients", "Revert to a checkpoint"]
)
def test_a_nan_pauses_and_each_remedy_is_one_click(qtbot, lab, monkeypatch, remedy):
    poison(monkeypatch, 40)  # of the calls, of which a measurement may be one
    broken = []
    lab.sessions.on(NonFiniteRecord, broken.append)
    rate = lab.hyper_dock.requested.learning_rate
    lab.commands.train.trigger()
    qtbot.waitUntil(lambda: lab.notice_bar.notice is not None, timeout=60_000)
    notice = lab.notice_bar.notice
    assert notice.severity == "error"
    assert f"Step {broken[0].step} was not applied" in notice.message
    assert "float32" in notice.message
    qtbot.waitUntil(lambda: lab.state is State.PAUSED, timeout=20_000)
    loss = lab.panels[0]
    loss.redraw()
    marks = named(loss, "Loss over steps", Plot).shown()["not finite"]
    assert len(marks[0]) == 1  # a mark, and the line is not filtered
    (button,) = [b for text, b in buttons(lab.notice_bar).items() if text.startswith(remedy)]
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    if remedy == "Revert to a checkpoint":
        assert lab.flows.back.dialog.isVisible()
        lab.flows.back.dialog.reject()
    elif remedy == "Lower the learning rate":
        qtbot.waitUntil(lambda: lab.hyper_dock.requested.learning_rate < rate / 2, timeout=20_000)
    else:
        qtbot.waitUntil(lambda: lab.hyper_dock.requested.max_grad_norm == 1.0, timeout=20_000)
    step = lab.sessions.step
    assert pause_after(qtbot, lab, 30) >= step + 30
    assert len(list_runs(lab.sessions.folder.parent)) == 1


def test_a_branch_that_was_not_opened_puts_nothing_behind_the_next_run(
    qtbot, window, presets, sessions_made, tmp_path
):
    window.open(presets[0].config)
    qtbot.waitUntil(lambda: window.state is State.PAUSED, timeout=20_000)
    window.sessions.folder = tmp_path
    window.sessions.toggle()
    qtbot.waitUntil(lambda: window.sessions.running, timeout=20_000)
    window.ask = lambda *texts: False
    window.flows.back.branch(3)
    assert len(sessions_made) == 1
    requested = []
    window.flows.overlays.request = lambda *what: requested.append(what)
    window.ask = lambda *texts: True
    window.open(presets[1].config)
    qtbot.waitUntil(lambda: window.sessions.config is presets[1].config, timeout=20_000)
    assert requested == []


def test_a_remedy_is_for_the_run_that_needed_it(qtbot, window, presets):
    window.open(presets[0].config)
    qtbot.waitUntil(lambda: window.state is State.PAUSED, timeout=20_000)
    record = NonFiniteRecord(40, "loss", "", "It broke.", (), ("lower_rate",), 39, math.nan)
    window.sessions.shown.arrived.emit(record)
    qtbot.waitUntil(lambda: window.notice_bar.notice is not None, timeout=20_000)
    window.open(presets[1].config)
    qtbot.waitUntil(lambda: window.sessions.config is presets[1].config, timeout=20_000)
    rate = window.hyper_dock.requested.learning_rate
    bar = window.notice_bar
    (button,) = [
        b for text, b in buttons(bar).items() if text.startswith("Lower the learning rate")
    ]
    button.click()
    qtbot.waitUntil(lambda: any("no longer open" in text for text in words(bar)), timeout=20_000)
    assert window.hyper_dock.requested.learning_rate == rate
