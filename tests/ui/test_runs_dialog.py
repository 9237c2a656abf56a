"""Runs in the window: listed, told of where they were cut off, resumed with their curve."""

import pytest

from lora_lab import paths
from lora_lab.config import changed
from lora_lab.presets import get_preset, list_presets
from lora_lab.records import State, StepRecord
from lora_lab.runs.folder import RunFolder
from lora_lab.runs.listing import summary_of
from lora_lab.runs.past import past_records
from lora_lab.training.controls import Controls
from lora_lab.training.run import run as train
from lora_lab.ui.app import new_session
from lora_lab.ui.main_window import MainWindow
from lora_lab.ui.runs_dialog import RunsDialog


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("LORA_LAB_HOME", str(tmp_path))
    return tmp_path


def cut_off(name, step=30, total=60):
    """A run that was closed at `step`, written as if its process had been killed."""
    preset = get_preset("digits").config
    config = changed(preset, max_steps=total, hyper={**preset.hyper.model_dump(), "rank": 3})
    controls, folder = Controls(config.hyper), paths.runs() / name
    losses = []
    for record in train(config, controls, folder=folder):
        if isinstance(record, StepRecord):
            losses.append(record.loss)
            if record.step == step:
                controls.stop()
    assert summary_of(folder).state == ("stopped" if step < total else "finished")
    RunFolder.at(folder).write_summary(state="running", step=step + 3, max_steps=total, loss=0.1)
    return folder, losses


@pytest.fixture
def lab(qtbot, home):
    made = MainWindow(new_session, list_presets())
    made.ask = lambda *texts: True
    made.show()
    yield made
    made.leave()
    qtbot.waitUntil(lambda: made.closed, timeout=20_000)
    made.deleteLater()


def test_a_run_that_was_cut_off_is_told_of_and_resumed(qtbot, lab):
    folder, losses = cut_off("cut")
    told = []
    lab.notices.shown.connect(told.append)
    lab.flows.runs.look_for_interrupted()
    qtbot.waitUntil(lambda: bool(told), timeout=10_000)
    assert "cut was interrupted at step 33" in told[0].message
    lab.commands.runs.trigger()
    dialog = lab.flows.runs.dialog
    qtbot.waitUntil(lambda: len(dialog.runs) == 1, timeout=10_000)
    assert dialog.chosen().interrupted
    assert "goes on at step 30" in dialog.told.text()
    assert "3 steps after it" in dialog.told.text()
    seen = []
    lab.sessions.stepped.connect(lambda record: seen.append(record.step))
    dialog.resume_button.click()
    qtbot.waitUntil(lambda: lab.sessions.step == 30 and lab.state is State.PAUSED, timeout=60_000)
    assert lab.sessions.wished.rank == 3
    assert "step 30 / 60" in lab.strip._step_label.text()
    lab.sessions.toggle()
    qtbot.waitUntil(lambda: lab.state is State.FINISHED, timeout=60_000)
    assert lab.sessions.step == 60
    found = list(past_records(folder / "metrics.jsonl", 60))
    steps = [r.step for r in found if isinstance(r, StepRecord)]
    assert steps == list(range(1, 61))
    assert [r.loss for r in found if isinstance(r, StepRecord)][:30] == losses


def test_a_run_that_is_open_or_done_cannot_be_resumed(qtbot, home):
    dialog = RunsDialog()
    qtbot.addWidget(dialog)
    assert not dialog.resume_button.isEnabled()
    assert "No runs yet" in dialog.told.text()
    folder, _ = cut_off("a")
    done, _ = cut_off("b", step=60)
    from lora_lab.runs.listing import list_runs

    live = RunFolder.at(folder)
    live.lock()
    dialog.show_runs(list_runs(paths.runs()))
    states = {}
    for row, run in enumerate(dialog.runs):
        dialog.table.selectRow(row)
        states[run.name] = (dialog.resume_button.isEnabled(), dialog.told.text())
    assert not states["a"][0]
    assert "is open" in states["a"][1]
    assert not states["b"][0]
    assert "come to its end" in states["b"][1]
    live.close()
    heard = []
    dialog.adapter_wished.connect(heard.append)
    dialog.table.selectRow(next(i for i, r in enumerate(dialog.runs) if r.path == str(done)))
    dialog.adapter_button.click()
    assert heard == [str(done / "adapter")]


def test_discarding_asks_and_moves_to_the_trash(qtbot, home, monkeypatch):
    from lora_lab.runs.listing import list_runs
    from lora_lab.ui import runs_dialog

    folder, _ = cut_off("a")
    dialog = RunsDialog()
    qtbot.addWidget(dialog)
    dialog.show_runs(list_runs(paths.runs()))
    moved = []
    monkeypatch.setattr(
        runs_dialog.QFile, "moveToTrash", lambda path: (moved.append(path), True)[1]
    )
    dialog.may_discard = lambda run: False
    dialog.discard_button.click()
    assert moved == []
    dialog.may_discard = lambda run: True
    dialog.discard_button.click()
    assert moved == [str(folder)]
    assert dialog.runs == ()
    monkeypatch.setattr(runs_dialog.QFile, "moveToTrash", lambda path: False)
    dialog.show_runs(list_runs(paths.runs()))
    dialog.discard_button.click()
    assert "could not be moved" in dialog.told.text()
    assert len(dialog.runs) == 1
