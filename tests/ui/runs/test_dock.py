"""Runs in the window: listed, told of where they were cut off, opened again with their curves."""

import json
import shutil
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QItemSelectionModel, Qt, QTimer
from PySide6.QtWidgets import QFileDialog, QProgressBar

from lora_lab import paths
from lora_lab.config import changed
from lora_lab.errors import CheckpointError
from lora_lab.presets import get_preset
from lora_lab.records import State, StepRecord
from lora_lab.runs.folder import RunFolder
from lora_lab.runs.listing import RunSummary, list_runs, summary_of
from lora_lab.runs.past import past_records
from lora_lab.training.controls import Controls
from lora_lab.training.opening import New, Resume
from lora_lab.training.run import run as train
from lora_lab.ui.panels.class_bars import ClassBars
from lora_lab.ui.panels.counts import Share
from lora_lab.ui.runs.compare_dialog import differing
from lora_lab.ui.runs.dock import RunsDock
from lora_lab.ui.runs.model import NAME, NOTE, SHOWN, STEP, with_ancestry
from tests.ui import seen


def cut_off(name, step=30, total=60):
    """A run that was closed at `step`, written as if its process had been killed."""
    preset = get_preset("digits").config
    config = changed(preset, max_steps=total, hyper={**preset.hyper.model_dump(), "rank": 3})
    controls, folder = Controls(config.hyper), paths.runs() / name
    losses = []
    for record in train(New(config, folder), controls):
        if isinstance(record, StepRecord):
            losses.append(record.loss)
            if record.step == step:
                controls.stop()
    assert summary_of(folder).state == ("stopped" if step < total else "finished")
    RunFolder.at(folder).write_summary(state="running", step=step + 3, max_steps=total, loss=0.1)
    return folder, losses


@pytest.fixture
def looks_often(monkeypatch):
    monkeypatch.setattr("lora_lab.ui.runs.flow.OTHERS_MS", 50)


@pytest.fixture
def dock(qtbot):
    made = RunsDock()
    qtbot.addWidget(made)
    return made


def choose(dock, *names):
    """Select the rows of these runs, as clicks with Ctrl would."""
    selection = dock.table.selectionModel()
    selection.clear()
    flags = selection.SelectionFlag.Select | selection.SelectionFlag.Rows
    for row, run in enumerate(dock.model.runs):
        if run.name in names:
            selection.select(dock.table.model().mapFromSource(dock.model.index(row, NAME)), flags)


def listed(qtbot, lab, count):
    lab.commands.runs.trigger()
    qtbot.waitUntil(lambda: len(lab.runs_dock.model.runs) == count, timeout=30_000)
    return lab.runs_dock


def progress(dock):
    return seen.named(dock, "Progress", QProgressBar)


def said(lab):
    """What stands in the one place where errors are shown."""
    notice = lab.notice_bar.notice
    return notice.message if notice is not None else ""


def test_a_run_that_was_cut_off_is_told_of_and_resumed(qtbot, lab):
    folder, losses = cut_off("cut")
    told = []
    lab.notices.shown.connect(told.append)
    lab.flows.runs.look_for_interrupted()
    qtbot.waitUntil(lambda: bool(told), timeout=30_000)
    assert "cut was interrupted at step 33" in told[0].message
    dock = listed(qtbot, lab, 1)
    assert [run.interrupted for run in dock.selected()] == [True]
    assert "resumes at step 30" in dock.about.text()
    assert "3 steps after it" in dock.about.text()
    dock.open_button.click()
    qtbot.waitUntil(lambda: lab.sessions.step == 30 and lab.state is State.PAUSED, timeout=60_000)
    assert lab.sessions.standing.requested.rank == 3
    assert "step 30 / 60" in seen.named(lab.strip, "Step").text()
    lab.sessions.toggle()
    qtbot.waitUntil(lambda: lab.state is State.FINISHED, timeout=60_000)
    assert lab.sessions.step == 60
    found = list(past_records(folder / "metrics.jsonl", 60))
    steps = [r.step for r in found if isinstance(r, StepRecord)]
    assert steps == list(range(1, 61))
    assert [r.loss for r in found if isinstance(r, StepRecord)][:30] == losses


def test_of_two_runs_that_were_cut_off_the_second_is_counted(qtbot, lab):
    cut_off("cut")
    cut_off("other")
    told = []
    lab.notices.shown.connect(told.append)
    lab.flows.runs.look_for_interrupted()
    qtbot.waitUntil(lambda: bool(told), timeout=30_000)
    assert told[0].message.endswith("was interrupted at step 33. Also interrupted: 1.")


@pytest.mark.parametrize("words", ["Resume it", "Save its adapter", "Move it to trash"])
def test_what_was_cut_off_is_offered_at_the_start(qtbot, lab, monkeypatch, words):
    from lora_lab.ui.runs import trash

    folder, _ = cut_off("cut")
    lab.flows.runs.look_for_interrupted()
    bar = lab.notice_bar
    qtbot.waitUntil(lambda: bar.notice is not None, timeout=30_000)
    buttons = seen.buttons(bar)
    offered = {"Resume it", "Save its adapter", "Move it to trash", "Show all runs"}
    assert set(buttons) == {"Details", "Dismiss", *offered}
    moved = []
    monkeypatch.setattr(trash, "move_to_trash", lambda p: not moved.append(p))
    lab.flows.runs.agrees = lambda runs: True
    (folder / "adapter" / "adapter_model.safetensors").unlink()
    qtbot.mouseClick(buttons[words], Qt.MouseButton.LeftButton)
    if words == "Resume it":
        qtbot.waitUntil(lambda: lab.sessions.step == 30, timeout=60_000)
    elif words == "Save its adapter":
        kept = folder / "adapter" / "adapter_model.safetensors"
        qtbot.waitUntil(lambda: summary_of(folder).state == "stopped", timeout=60_000)
        assert kept.is_file()
        assert summary_of(folder).step == 30
    else:
        qtbot.waitUntil(lambda: moved == [str(folder)], timeout=20_000)


def test_a_run_that_has_come_to_its_end_opens_with_its_plots(qtbot, lab):
    _, losses = cut_off("done", step=60)
    RunFolder.at(paths.runs() / "done").write_summary(
        state="finished", step=60, max_steps=60, loss=losses[-1]
    )
    dock = listed(qtbot, lab, 1)
    assert dock.open_button.text() == "Open"
    assert "opens with its plots" in dock.about.text()
    qtbot.keyClick(dock.table, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: lab.state is State.FINISHED, timeout=60_000)
    loss = next(panel for panel in lab.panels if panel.key == "loss")
    qtbot.waitUntil(lambda: 60 in seen.curve(loss, "train")[0], timeout=30_000)
    _, shown = seen.curve(loss, "train")
    assert sorted(shown) == pytest.approx(sorted(losses), rel=1e-6)
    lab.sessions.toggle()  # as many steps again
    qtbot.waitUntil(lambda: lab.sessions.step == 120, timeout=60_000)


def test_a_run_that_is_open_cannot_be_opened_packed_or_discarded(qtbot, home, dock):
    assert not dock.open_button.isEnabled()
    assert "No runs yet" in dock.about.text()
    folder, _ = cut_off("a")
    cut_off("b")
    live = RunFolder.at(folder)
    live.lock()
    dock.show_runs(list_runs(paths.runs()))
    able = {}
    for name in ("a", "b"):
        choose(dock, name)
        acts = (dock.open_button, dock.menu.pack, dock.menu.discard, dock.menu.keep)
        able[name] = [act.isEnabled() for act in acts]
    live.close()
    assert able == {"a": [False] * 4, "b": [True] * 4}
    heard = []
    dock.adapter_requested.connect(heard.append)
    dock.menu.adapter.trigger()
    assert heard == [str(paths.runs() / "b" / "adapter")]


def test_a_run_that_has_ended_here_stays_open_and_out_of_the_trash(
    qtbot, looks_often, lab, monkeypatch
):
    from lora_lab.ui.runs import trash

    lab.open(changed(get_preset("digits").config, max_steps=20))
    qtbot.waitUntil(lambda: lab.state is State.PAUSED, timeout=60_000)
    lab.commands.train.trigger()
    qtbot.waitUntil(lambda: lab.state is State.FINISHED, timeout=60_000)
    qtbot.waitUntil(lambda: lab.sessions.folder is not None, timeout=20_000)
    dock = listed(qtbot, lab, 1)
    qtbot.waitUntil(lambda: dock.model.runs[0].state == "finished", timeout=30_000)
    dock.show_runs([replace(dock.model.runs[0], state="running")])  # as before the last save
    assert dock.model.runs[0].state == "running"
    qtbot.waitUntil(lambda: dock.model.runs[0].state == "finished", timeout=30_000)
    assert "is open, here" in dock.about.text()
    assert not dock.open_button.isEnabled()
    assert not dock.menu.discard.isEnabled()
    moved = []
    monkeypatch.setattr(trash, "move_to_trash", lambda path: not moved.append(path))
    lab.flows.runs.agrees = lambda runs: True
    dock.discard_requested.emit(dock.selected())  # as the notice of the start may, much later
    qtbot.waitUntil(lambda: "Close it there first" in said(lab), timeout=20_000)
    assert moved == []


def test_discarding_asks_and_moves_to_the_trash(qtbot, lab, monkeypatch):
    from lora_lab.ui.runs import trash

    folder, _ = cut_off("a")
    dock = listed(qtbot, lab, 1)
    moved = []

    def move(path):
        moved.append(path)
        folder.rename(folder.parent.parent / "trash")
        return True

    monkeypatch.setattr(trash, "move_to_trash", lambda path: False)
    lab.flows.runs.agrees = lambda runs: False
    qtbot.keyClick(dock.table, Qt.Key.Key_Delete)
    assert folder.exists()
    lab.flows.runs.agrees = lambda runs: True
    qtbot.keyClick(dock.table, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: "could not be moved" in said(lab), timeout=30_000)
    monkeypatch.setattr(trash, "move_to_trash", move)
    qtbot.keyClick(dock.table, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: not dock.model.runs, timeout=30_000)
    assert moved == [str(folder)]


def test_the_window_lives_while_runs_are_moved_and_a_cancel_comes_between_two(
    qtbot, lab, monkeypatch
):
    from lora_lab.ui.runs import trash

    folders = [cut_off(name)[0] for name in ("a", "b")]
    dock = listed(qtbot, lab, 2)
    choose(dock, "a", "b")
    moved, reached, may_go = [], threading.Event(), threading.Event()

    def move(path):
        reached.set()
        may_go.wait(60)
        moved.append(Path(path))
        shutil.rmtree(path)
        return True

    monkeypatch.setattr(trash, "move_to_trash", move)
    lab.flows.runs.agrees = lambda runs: True
    dock.menu.discard.trigger()
    qtbot.waitUntil(reached.is_set, timeout=30_000)
    qtbot.waitUntil(lambda: "to the trash" in dock.about.text(), timeout=30_000)
    assert dock.cancel_button.isVisible()
    dock.cancel_button.click()
    assert not dock.cancel_button.isVisible()
    may_go.set()
    qtbot.waitUntil(lambda: len(dock.model.runs) == 1, timeout=30_000)
    assert len(moved) == 1
    assert moved[0] in folders
    assert dock.model.runs[0].path == str(next(f for f in folders if f not in moved))


def test_each_work_ends_its_own_bar_alone(qtbot, lab, home, monkeypatch):
    """A run is packed while another one is read to be shown behind, and one reading fails."""
    from lora_lab.ui.runs import files_flow, overlays_flow

    cut_off("a")
    dock = listed(qtbot, lab, 1)
    path, may_go = dock.model.runs[0].path, threading.Event()

    def pack(run, target, report):
        report("Packing", 0.5)
        may_go.wait(60)
        report("Packing", 0.75)
        return target

    def read(path, place, report):
        report("Reading", -1)
        raise CheckpointError("It cannot be read.")

    monkeypatch.setattr(files_flow, "pack", pack)
    monkeypatch.setattr(overlays_flow, "read_overlay", read)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a: (str(home / "never.zip"), ""))
    dock.menu.pack.trigger()
    bar = progress(dock)
    qtbot.waitUntil(lambda: bar.value() == 500, timeout=30_000)
    dock.overlay_requested.emit(path, True)
    qtbot.waitUntil(lambda: "cannot be read" in said(lab), timeout=30_000)
    with qtbot.waitSignal(dock.model.modelReset, timeout=30_000):
        dock.refresh_requested.emit()
    assert dock.cancel_button.isVisible()
    assert bar.isVisible()
    assert bar.value() == 500
    assert dock.about.text() == "Packing"
    may_go.set()
    qtbot.waitUntil(lambda: not dock.cancel_button.isVisible(), timeout=30_000)
    assert "resumes at step 30" in dock.about.text()


def test_a_run_of_another_task_goes_when_its_task_goes(qtbot, lab):
    """A loss of digits among those of known-rank is another figure on the same axis."""
    folder, _ = cut_off("a")
    dock = listed(qtbot, lab, 1)
    dock.overlay_requested.emit(str(folder), True)
    shown = lab.flows.overlays.shown
    qtbot.waitUntil(lambda: list(shown) == [str(folder)], timeout=30_000)
    for preset, kept in (("digits", [str(folder)]), ("known-rank", [])):
        before = lab.sessions.id
        lab.open(get_preset(preset).config)
        qtbot.waitUntil(lambda before=before: lab.sessions.id != before, timeout=60_000)
        qtbot.waitUntil(lambda: lab.state is State.PAUSED, timeout=60_000)
        assert list(shown) == kept


@pytest.mark.parametrize("which", ["packing", "reading"])
def test_what_nobody_foresaw_ends_the_bar_and_is_told(qtbot, lab, home, monkeypatch, which):
    from lora_lab.ui.runs import files_flow, overlays_flow

    cut_off("a")
    dock = listed(qtbot, lab, 1)
    caught, may_go = [], threading.Event()
    monkeypatch.setattr(threading, "excepthook", caught.append)

    def stumble(*arguments):
        arguments[-1]("On the way", 0.5)
        may_go.wait(60)
        raise ZeroDivisionError(which)

    monkeypatch.setattr(files_flow, "pack", stumble)
    monkeypatch.setattr(overlays_flow, "read_overlay", stumble)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a: (str(home / "never.zip"), ""))
    path = dock.model.runs[0].path
    if which == "packing":
        dock.menu.pack.trigger()
    else:
        dock.overlay_requested.emit(path, True)
    qtbot.waitUntil(lambda: dock.about.text() == "On the way", timeout=30_000)
    may_go.set()
    qtbot.waitUntil(progress(dock).isHidden, timeout=30_000)
    assert dock.about.text() != "On the way"
    if which == "reading":
        dock.overlay_requested.emit(path, True)  # it may be asked for again
    else:
        dock.menu.pack.trigger()
    qtbot.waitUntil(lambda: [str(one.exc_value) for one in caught] == [which] * 2, timeout=30_000)
    qtbot.waitUntil(progress(dock).isHidden, timeout=30_000)


def test_the_end_of_a_run_of_another_window_is_seen(qtbot, lab, monkeypatch):
    """Its folder is written by another process; nothing of it is said here."""
    folder, _ = cut_off("a")
    other = RunFolder.at(folder)
    other.lock()  # as long as it is held, the run is live
    dock = listed(qtbot, lab, 1)
    assert dock.model.runs[0].state == "running"
    (timer,) = [t for t in lab.flows.runs.findChildren(QTimer) if t.isActive() and
                not t.isSingleShot()]  # fmt: skip
    timer.setInterval(50)
    other.write_summary(state="finished", step=60, max_steps=60, loss=0.1)
    other.close()
    qtbot.waitUntil(lambda: dock.model.runs[0].state == "finished", timeout=30_000)


def test_names_take_the_room_that_notes_can_spare(qtbot, dock):
    long = [f"20261124-182034-a-model-whose-name-is-long-{end}" for end in "ab"]
    runs = [RunSummary(name, name, "finished", "digits", "lora", 4, 4.0, 9, 9, 0.1, 0.1, 1.0, "")
            for name in long]  # fmt: skip
    dock.resize(1500, 300)
    dock.show()
    dock.show_runs(runs)
    width = dock.table.fontMetrics().horizontalAdvance
    header = dock.table.horizontalHeader()
    assert header.sectionSize(NAME) >= width(long[0]) + 20
    header.resizeSection(NAME, 60)  # by hand
    dock.show_runs(runs)
    assert header.sectionSize(NAME) == 60
    narrow = RunsDock()
    qtbot.addWidget(narrow)
    narrow.resize(600, 300)
    narrow.show()
    narrow.show_runs(runs)
    assert narrow.table.horizontalHeader().sectionSize(NOTE) >= 20


def test_a_name_and_a_note_are_written_in_place(qtbot, lab):
    folder, _ = cut_off("a")
    dock = listed(qtbot, lab, 1)
    dock.menu.rename.trigger()
    editor = dock.table.findChild(type(dock.filter))
    assert editor.text() == "a"
    editor.selectAll()
    qtbot.keyClicks(editor, "the good one")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: summary_of(folder).label == "the good one", timeout=20_000)
    qtbot.waitUntil(lambda: dock.model.runs[0].label == "the good one", timeout=30_000)
    dock.model.setData(dock.model.index(0, NOTE), "α was  too high\n")
    qtbot.waitUntil(lambda: dock.model.runs[0].note == "α was too high", timeout=30_000)
    assert summary_of(folder).label == "the good one"
    assert json.loads((folder / "label.json").read_text("utf-8"))["note"] == "α was too high"
    dock.filter.setText("good")
    assert dock.table.model().rowCount() == 1
    dock.filter.setText("bad")
    assert dock.table.model().rowCount() == 0


def test_what_is_being_typed_outlives_a_new_reading_of_the_folder(qtbot, home, dock):
    cut_off("a")
    runs = list_runs(paths.runs())
    dock.show()
    dock.show_runs(runs)
    dock.menu.note.trigger()
    editor = dock.table.findChild(type(dock.filter))
    qtbot.keyClicks(editor, "not yet whole")
    dock.show_runs([])
    assert editor.text() == "not yet whole"
    assert dock.model.runs == runs
    with qtbot.waitSignal(dock.refresh_requested, timeout=20_000):
        qtbot.keyClick(editor, Qt.Key.Key_Escape)
    dock.show_runs([])
    assert dock.model.runs == []


def test_a_run_goes_into_a_zip_and_comes_back_from_it(qtbot, lab, monkeypatch, tmp_path):
    cut_off("a")
    dock = listed(qtbot, lab, 1)
    target = tmp_path / "sent.zip"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a: (str(target), ""))
    dock.menu.pack.trigger()
    qtbot.waitUntil(target.exists, timeout=30_000)
    assert any(name.endswith("metrics.jsonl") for name in zipfile.ZipFile(target).namelist())
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a: (str(target), ""))
    dock.menu.unpack.trigger()
    qtbot.waitUntil(lambda: len(dock.model.runs) == 2, timeout=30_000)
    choose(dock, "a-2")
    qtbot.waitUntil(lambda: "resumes at step 30" in dock.about.text(), timeout=30_000)
    target.write_bytes(target.read_bytes()[:-40])
    dock.menu.unpack.trigger()
    qtbot.waitUntil(lambda: "not a whole zip" in said(lab), timeout=30_000)
    assert lab.notice_bar.notice.severity == "error"


def test_branches_stand_below_the_run_they_came_from(home, dock):
    cut_off("a")
    base = summary_of(paths.runs() / "a")
    names = ["c", "b", "a", "x", "y"]
    parents = {"b": "a", "c": "b", "x": "y", "y": "x"}
    runs = [type(base)(**{**vars(base), "name": n, "parent": parents.get(n, "")}) for n in names]
    assert [(depth, run.name) for depth, run in with_ancestry(runs)] == [
        (0, "a"), (1, "b"), (2, "c"), (0, "x"), (1, "y"),
    ]  # fmt: skip
    dock.show_runs(runs)
    shown = [dock.model.index(row, NAME).data() for row in range(3)]
    assert shown == ["a", "↳ b", "   ↳ c"]
    choose(dock, "b")
    assert "Branch of a at step 0" in dock.about.text()


def test_a_new_reading_of_a_thousand_runs_keeps_the_place_and_what_is_selected(qtbot, home, dock):
    base = vars(summary_of(cut_off("a")[0]))
    runs = [
        RunSummary(**{**base, "name": f"r{n}", "path": f"/r{n}", "parent": f"r{n - 1}"})
        for n in range(1100)
    ]
    dock.show()
    dock.show_runs(runs)
    dock.table.selectAll()
    dock.table.selectionModel().setCurrentIndex(
        dock.table.model().index(510, NOTE), QItemSelectionModel.SelectionFlag.NoUpdate
    )
    changes = []
    dock.table.selectionModel().selectionChanged.connect(lambda *rows: changes.append(rows))
    dock.show_runs(runs)
    assert len(changes) <= 2, "they are selected at once: each for itself takes ten milliseconds"
    assert len(dock.selected()) == 1100
    at = dock.table.currentIndex()
    assert (at.row(), at.column()) == (510, NOTE)


def test_columns_sort_by_what_they_mean(home, dock):
    cut_off("a")
    base = vars(summary_of(paths.runs() / "a"))
    steps = {"a": 900, "b": 1_000, "c": 20}
    runs = [type(summary_of(paths.runs() / "a"))(**{**base, "name": n, "step": s})
            for n, s in steps.items()]  # fmt: skip
    dock.show_runs(runs)
    dock.table.sortByColumn(STEP, Qt.SortOrder.AscendingOrder)
    order = [dock.table.model().index(row, NAME).data() for row in range(3)]
    assert order == ["c", "a", "b"]


def test_runs_that_are_ticked_stand_behind_the_present_one(qtbot, lab):
    """In the loss and the spectrum, each with a line of its own; unticked they are gone."""
    folders = [cut_off(name)[0] for name in ("a", "b")]
    lab.open(changed(get_preset("digits").config, max_steps=50))
    qtbot.waitUntil(lambda: lab.state is State.PAUSED, timeout=60_000)
    dock = listed(qtbot, lab, 2)
    for row in range(2):
        index = dock.model.index(row, SHOWN)
        dock.model.setData(index, Qt.CheckState.Checked, Qt.ItemDataRole.CheckStateRole)
    shown = lab.flows.overlays.shown
    qtbot.waitUntil(lambda: len(shown) == 2, timeout=30_000)
    styles = {(o.color, o.pen().style()) for o in shown.values()}
    assert len(styles) == 2
    assert {o.path for o in shown.values()} == {str(folder) for folder in folders}
    assert all(o.train.last_step == 30 and o.spectrum is not None for o in shown.values())
    lab.commands.train.trigger()  # before the first step ΔW is zero, and no spectrum is drawn
    qtbot.waitUntil(lambda: lab.state is State.FINISHED, timeout=60_000)
    loss, spectrum = lab.panels[0], lab.panels[1]
    assert {"a, train, smoothed", "b, train, smoothed"} <= set(loss.figure_data()["curve"])
    for panel in lab.panels:
        panel.redraw()
    assert {"a", "b"} <= set(spectrum.views["bars"].plot.shown())
    counts, before_after = (
        next(panel for panel in lab.panels if panel.key == key)
        for key in ("counts", "before_after")
    )
    (_, share), _ = counts.findChild(Share).others
    assert share == pytest.approx(1374 / 17_226, rel=0.01)  # rank 3
    (_, shares), _ = before_after.findChild(ClassBars).others
    assert len(shares) == 10
    assert all(0 <= share <= 1 for share in shares)
    dock.model.setData(
        dock.model.index(0, SHOWN), Qt.CheckState.Unchecked, Qt.ItemDataRole.CheckStateRole
    )
    qtbot.waitUntil(lambda: len(counts.findChild(Share).others) == 1, timeout=20_000)
    assert len(shown) == 1
    spectrum.redraw()
    drawn = spectrum.views["bars"].plot.shown()
    assert sorted({"a", "b"} & set(drawn)) == [run.name for run in shown.values()]


def test_settings_that_differ_stand_side_by_side(qtbot, lab):
    from lora_lab.ui.runs.compare_dialog import CompareRunsDialog

    cut_off("a")
    cut_off("b", total=90)
    dock = listed(qtbot, lab, 2)
    choose(dock, "a", "b")
    assert dock.about.text() == "2 runs selected."
    dock.compare_button.click()
    dialog = lab.findChild(CompareRunsDialog)
    rows = {row[0]: row[1:] for row in dialog.rows}
    assert set(rows["steps"]) == {"60", "90"}
    assert "learning rate" not in rows
    dialog.reject()


@pytest.mark.parametrize(
    ("action", "ending", "words"),
    [("recipe", ".py", "LoraConfig"), ("report", ".html", "<svg")],
)
def test_a_script_and_a_page_are_written_of_a_run(
    qtbot, lab, monkeypatch, tmp_path, action, ending, words
):
    cut_off("a")
    dock = listed(qtbot, lab, 1)
    target = tmp_path / "written"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a: (str(target), ""))
    getattr(dock.menu, action).trigger()
    written = target.with_suffix(ending)
    qtbot.waitUntil(written.exists, timeout=30_000)
    assert words in written.read_text("utf-8")
    qtbot.waitUntil(progress(dock).isHidden, timeout=20_000)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a: (str(tmp_path / "no" / "x"), ""))
    getattr(dock.menu, action).trigger()
    qtbot.waitUntil(lambda: "was not written" in said(lab), timeout=30_000)


@pytest.mark.parametrize("does", ["open_button", "keep"])
def test_code_that_a_run_names_is_asked_about(qtbot, lab, monkeypatch, does):
    """The run may come out of somebody else's zip."""
    folder, _ = cut_off("a")
    about = json.loads((folder / "config.json").read_text("utf-8"))
    about["config"]["factory"] = "somebodys:net"
    (folder / "config.json").write_text(json.dumps(about), "utf-8")
    dock, asked, opened = listed(qtbot, lab, 1), [], []
    lab.flows.runs.may_run = lambda factory: asked.append(factory)
    monkeypatch.setattr(lab.sessions, "open", lambda *a: opened.append(a))
    getattr(dock, does).click() if does == "open_button" else getattr(dock.menu, does).trigger()
    qtbot.waitUntil(lambda: asked == ["somebodys:net"], timeout=20_000)
    assert opened == []
    qtbot.waitUntil(progress(dock).isHidden, timeout=20_000)


def test_a_run_is_read_beside_the_window_and_the_last_that_is_asked_for_is_opened(
    qtbot, lab, monkeypatch
):
    folders = [str(cut_off(name)[0]) for name in ("a", "b")]
    dock, go, read = listed(qtbot, lab, 2), threading.Event(), Resume.at

    def at(path):
        assert threading.current_thread() is not threading.main_thread()
        go.wait(20)
        return read(path)

    opened = []
    monkeypatch.setattr(Resume, "at", at)
    monkeypatch.setattr(lab.flows.runs, "_open", lambda opening: opened.append(opening.path))
    for folder in folders:
        lab.flows.runs.open_run(folder)
    assert progress(dock).isVisibleTo(dock)
    go.set()
    qtbot.waitUntil(lambda: opened == [Path(folders[1])], timeout=20_000)
    qtbot.waitUntil(progress(dock).isHidden, timeout=20_000)
    assert opened == [Path(folders[1])]


def test_a_list_of_thousands_is_compared_in_short():
    frozen = [f"h.{i}.q" for i in range(60_000)]
    ((_, first, second),) = differing([{"frozen_layers": frozen}, {"frozen_layers": frozen[:2]}])
    assert first.endswith("h.19.q, … + 59,980")
    assert second == "h.0.q, h.1.q"
