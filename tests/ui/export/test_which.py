"""What is exported is chosen in the dialog: a step by its loss, a dtype, or a merge into a base."""

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt

from lora_lab.exported import ExportedRecord, ExportReport, LayerCheck
from lora_lab.records import EvalRecord, FolderRecord, ResumedRecord, StepRecord
from lora_lab.runs.checkpoints import write_checkpoint
from lora_lab.training.commands import Export
from tests.ui.seen import named, words


@pytest.fixture
def asked(intercept):
    return intercept(Export)


def listed(dialog):
    combo = dialog.which.save_combo
    return [combo.itemText(row) for row in range(combo.count())]


@pytest.fixture
def dialog(qtbot, window, asked, say, tmp_path):
    """Of a run at step 70 whose best step was 40, with a checkpoint and one from before an edit."""
    run = tmp_path / "run"
    run.mkdir()
    for step, keep in ((50, True), (60, False)):
        write_checkpoint(run, step, {}, {"step": step}, keep)
    say(
        FolderRecord(1, str(run)),
        StepRecord(70, 0.5, 1e-3, 1.0),
        EvalRecord(40, True, 0.25, best=True),
        EvalRecord(60, True, 0.375),
        EvalRecord(60, False, 9.0),  # the adapter off: no loss of an export
        EvalRecord(70, True, 0.5),
    )
    window.flows.export.start()
    shown = window.flows.export.dialog
    qtbot.waitUntil(lambda: len(listed(shown)) == 4, timeout=20_000)
    return shown


def test_every_save_is_offered_with_its_loss(dialog):
    assert listed(dialog) == [
        "Last step 70 · validation loss 0.5000",
        "Best step 40 · validation loss 0.2500",
        "Checkpoint of step 60 · validation loss 0.3750",
        "Checkpoint of step 50, before an edit",
    ]
    assert dialog.which.save.at == "last"


@pytest.mark.parametrize(
    ("press", "at", "step"),
    [
        (lambda bot, box: bot.keyClicks(box, "Best"), "best", 40),
        (lambda bot, box: None, "last", 70),
        (lambda bot, box: bot.keyClick(box, Qt.Key.Key_End), "kept-000000050", 50),
    ],
)
def test_the_choice_is_what_the_session_is_asked_for(qtbot, dialog, asked, press, at, step):
    press(qtbot, dialog.which.save_combo)
    assert dialog.folder_edit.text().endswith(f"-step{step}")  # its name says so
    qtbot.mouseClick(dialog.export_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(asked), timeout=20_000)
    assert asked[0].at == at
    assert (asked[0].format, asked[0].dtype, asked[0].base) == ("peft", "", "")


def test_a_name_that_was_typed_stays_whatever_is_chosen(qtbot, dialog):
    dialog.folder_edit.selectAll()
    qtbot.keyClicks(dialog.folder_edit, "~/mine")
    qtbot.keyClicks(dialog.which.save_combo, "Best")
    assert dialog.folder_edit.text() == "~/mine"


def test_the_list_follows_the_run_and_keeps_the_choice(qtbot, dialog, say):
    qtbot.keyClicks(dialog.which.save_combo, "Best")
    say(StepRecord(80, 0.5, 1e-3, 1.0), EvalRecord(80, True, 0.125, best=True))
    qtbot.waitUntil(
        lambda: "Best step 80 · validation loss 0.1250" in listed(dialog), timeout=9_000
    )
    assert dialog.which.save.at == "best"
    assert dialog.folder_edit.text().endswith("-step80")
    say(ResumedRecord(50, (0, 100)))  # gone back: what came after does not hold
    qtbot.waitUntil(lambda: not [x for x in listed(dialog) if "80" in x], timeout=9_000)


@pytest.mark.parametrize(
    ("variant", "format", "name"),
    [("dora", "peft", "-r8-step70"), ("subspace", "merged", "-subspace-step70"),
     ("full", "merged", "-full-step70")],
)  # fmt: skip
def test_what_has_no_factors_is_proposed_merged_under_a_name_without_a_rank(
    window, asked, say, sessions_made, variant, format, name
):
    say(replace(sessions_made[0].loaded(), variant=variant), StepRecord(70, 0.5, 1e-3, 1.0))
    window.flows.export.start()
    dialog = window.flows.export.dialog
    assert dialog.which.format == format
    assert dialog.folder_edit.text().endswith(name)
    assert dialog.which.base_edit.isVisible() == (format == "merged")


def test_a_cast_and_a_merge_are_asked_for_in_the_same_dialog(qtbot, dialog, asked, say, tmp_path):
    which = dialog.which
    qtbot.keyClicks(which.type_combo, "bfl")
    dialog.folder_edit.setText(str(tmp_path / "cast"))
    qtbot.mouseClick(dialog.export_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(asked) == 1, timeout=20_000)
    assert asked[0].dtype == "bfloat16"
    report = ExportReport("peft", "x", (LayerCheck("fc1", 8, 0.0),), 6, 9, "3f", of_step=40,
                          validation_loss=0.25)  # fmt: skip
    say(ExportedRecord(70, report))
    assert named(dialog, "Of step").text() == "40   (validation loss 0.25)"
    assert not which.base_edit.isVisible()
    qtbot.keyClicks(which.format_combo, "merged")
    assert which.base_edit.isVisible()
    assert not which.type_combo.isVisible()  # a merged checkpoint has its base's dtype
    assert not dialog.prove_switch.isVisible()
    which.base_edit.selectAll()
    qtbot.keyClicks(which.base_edit, "~/models/base")
    qtbot.mouseClick(which.untie, Qt.MouseButton.LeftButton, pos=QPoint(8, 8))
    dialog.folder_edit.setText(str(tmp_path / "merged"))
    qtbot.mouseClick(dialog.export_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(asked) == 2, timeout=20_000)
    merge = asked[1]
    assert (merge.format, merge.base, merge.untie, merge.dtype) == (
        "merged", str(Path.home() / "models/base"), True, "",
    )  # fmt: skip
    merged = ExportReport("merged", "y", (LayerCheck("fc1", 0, 1e-9),), 0, 9, "")
    say(ExportedRecord(70, merged))
    assert [text for text in words(dialog) if text.startswith("Written and re-read: the base")]
    assert not named(dialog, "SHA-256").isVisible()
