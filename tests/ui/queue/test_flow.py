"""The queue on the real engine: runs follow each other in the window, and lie behind the next."""

import threading
from pathlib import Path

import pytest
from PySide6.QtTest import QTest

from lora_lab.presets import get_preset, list_presets
from lora_lab.records import State
from lora_lab.runs.listing import summary_of
from lora_lab.runs.queue import ABORTED, DONE, RUNNING, WAITING
from lora_lab.ui.app import make_window, new_session
from lora_lab.ui.shell.leaving import SAVE
from tests.ui.seen import curve


@pytest.fixture
def open_lab(qtbot):
    """A window as `lora-lab` opens it; all of them are closed and joined at the end."""
    made = []

    def open_one(preset):
        lab = make_window(new_session, list_presets())
        lab.leaving.where = lambda: SAVE
        lab.ask = lambda *texts: True
        with qtbot.waitSignal(lab.painted):
            lab.show()
        made.append(lab)
        lab.open(get_preset(preset).config)
        qtbot.waitUntil(lambda: lab.state is State.PAUSED, timeout=60_000)
        lab.commands.queue.trigger()
        return lab, lab.flows.queue

    yield open_one
    for lab in made:
        shut(qtbot, lab)
        lab.deleteLater()


def shut(qtbot, lab):
    lab.leave()
    qtbot.waitUntil(lambda: lab.closed, timeout=20_000)


def line_up(flow, **texts):
    builder = flow.dialog.builder
    for name, text in texts.items():
        edit = getattr(builder, f"{name}_edit")
        edit.clear()
        QTest.keyClicks(edit, text)
    builder.add_button.click()


def states(flow):
    return [item.state for item in flow.runner.queue.items]


def test_two_runs_follow_each_other_and_lie_behind_the_next(qtbot, open_lab):
    lab, flow = open_lab("known-rank")
    line_up(flow, rank="1, 4, 33", alpha="2r", steps="120")
    assert flow.dialog.builder.reasons.text().startswith("r 33: rank 33 is above")
    flow.dialog.start_button.click()
    qtbot.waitUntil(lambda: states(flow) == [DONE, DONE], timeout=60_000)
    first, second = flow.runner.queue.items
    assert [item.parameters for item in (first, second)] == [80, 320]
    assert second.best < first.best
    qtbot.waitUntil(lambda: len(lab.flows.overlays.shown) == 1, timeout=20_000)
    (overlay,) = lab.flows.overlays.shown.values()
    assert (overlay.path, overlay.name) == (first.run, "r 1 · α 2 · lr 0.01")
    assert overlay.train.last_step == 120
    assert overlay.validation.last_step == 120
    behind, _ = curve(lab.panels[0], f"{overlay.name}, train, smoothed")
    assert behind[-1] == 120  # the loss panel draws it
    assert lab.hyper_dock.requested.rank == 4  # the docks show the one that ran last
    shut(qtbot, lab)
    assert [summary_of(Path(i.run)).best for i in (first, second)] == [first.best, second.best]
    assert not [t for t in threading.enumerate() if t.name.startswith("lora-lab")]


def test_aborted_closed_and_opened_again_it_goes_on_where_it_was(qtbot, open_lab):
    lab, flow = open_lab("digits")
    line_up(flow, rank="2, 3, 5", steps="100000")
    flow.dialog.start_button.click()
    qtbot.waitUntil(lambda: flow.runner.queue.items[0].step > 30, timeout=60_000)
    flow.dialog.table.selectRow(2)
    flow.dialog.up_button.click()
    flow.dialog.abort_button.click()
    qtbot.waitUntil(lambda: states(flow) == [ABORTED, RUNNING, WAITING], timeout=60_000)
    aborted = flow.runner.queue.items[0]
    assert summary_of(Path(aborted.run)).state == "stopped"
    qtbot.waitUntil(lambda: flow.runner.queue.items[1].step > 30, timeout=60_000)
    assert [i.config.hyper.rank for i in flow.runner.queue.items] == [2, 5, 3]
    shut(qtbot, lab)

    lab, flow = open_lab("known-rank")
    assert states(flow) == [ABORTED, WAITING, WAITING]
    cut_off = flow.runner.queue.items[1]
    assert cut_off.resumes
    flow.dialog.start_button.click()
    qtbot.waitUntil(lambda: flow.runner.queue.items[1].step > cut_off.step, timeout=60_000)
    assert flow.runner.queue.items[1].run == cut_off.run  # no second folder
    assert lab.hyper_dock.requested.rank == 5
