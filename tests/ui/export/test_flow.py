"""An export from the button to its end: how far it is, cancelled, too late, and put away."""

from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, Qt

from lora_lab.config import changed
from lora_lab.exported import ExportedRecord, ExportingRecord, ExportReport, LayerCheck
from lora_lab.records import CancelledRecord, ErrorRecord, State, StateRecord
from lora_lab.training.commands import Export
from tests.ui.seen import named, words


@pytest.fixture
def asked(intercept):
    """Exports that the session was given; what becomes of them is said by the test."""
    return intercept(Export)


def begun(qtbot, window, asked, place):
    window.flows.export.start()
    dialog = window.flows.export.dialog
    dialog.folder_edit.setText(str(place))
    before = len(asked)
    dialog.export_button.click()
    qtbot.waitUntil(lambda: len(asked) == before + 1, timeout=20_000)
    return dialog


def done(place):
    report = ExportReport("peft", str(place), (LayerCheck("fc1", 8, 0.0),), 6, 27_412, "3f0a")
    return ExportedRecord(7, report)


def test_an_export_says_how_far_it_is_and_is_cancelled(
    qtbot, window, asked, say, sessions_made, tmp_path
):
    dialog = begun(qtbot, window, asked, tmp_path / "out")
    say(ExportingRecord(7, "Comparing", 0.25))
    assert (dialog.progress.bar.value(), dialog.progress.bar.maximum()) == (250, 1000)
    qtbot.waitUntil(dialog.progress.isVisible, timeout=20_000)
    dialog.progress.cancel_button.click()
    assert sessions_made[0].controls.is_cancelled(asked[0])
    assert dialog.progress.isVisible()  # it is not over yet, and does not claim to be
    assert not dialog.progress.cancel_button.isEnabled()
    say(ExportingRecord(7, "Comparing", 0.5))  # was on its way
    assert dialog.progress.bar.maximum() == 0
    assert dialog.busy
    say(CancelledRecord(7, "FindRate"))  # of another dialog
    assert dialog.busy
    say(CancelledRecord(7, "Export"))
    assert not dialog.busy
    assert dialog.progress.isHidden()
    assert [text for text in words(dialog) if "Cancelled" in text]
    dialog.export_button.click()  # ready for another try, which is not the one that was meant
    qtbot.waitUntil(lambda: len(asked) == 2, timeout=20_000)
    assert asked[1] == asked[0]
    assert not sessions_made[0].controls.is_cancelled(asked[1])
    assert dialog.progress.cancel_button.isEnabled()
    say(done(tmp_path / "out"))
    assert [text for text in words(dialog) if text.startswith("Written")]


def test_an_export_that_was_done_before_it_could_be_cancelled_says_so(
    qtbot, window, asked, say, tmp_path
):
    dialog = begun(qtbot, window, asked, tmp_path / "out")
    dialog.progress.cancel_button.click()
    say(done(tmp_path / "out"))
    assert not dialog.busy
    assert [text for text in words(dialog) if "before it could be cancelled" in text]
    assert named(dialog, "Path").text() == str(tmp_path / "out")


def test_a_dialog_that_is_closed_on_the_way_comes_back_as_it_was(
    qtbot, window, asked, say, tmp_path
):
    dialog = begun(qtbot, window, asked, tmp_path / "out")
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible()
    window.flows.export.start()
    assert window.flows.export.dialog is dialog
    assert dialog.isVisible()
    assert dialog.busy
    assert not dialog.export_button.isEnabled()
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    say(done(tmp_path / "out"))
    assert window.flows.export.dialog is None  # the next one begins afresh
    qtbot.waitUntil(lambda: window.notice_bar.notice is not None, timeout=20_000)
    assert window.notice_bar.notice.message == f"Exported to {tmp_path / 'out'}"


def test_an_export_that_goes_with_its_run_is_told_where_its_dialog_was_closed(
    qtbot, window, asked, presets, tmp_path
):
    dialog = begun(qtbot, window, asked, tmp_path / "out")
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    window.open(presets[1].config)
    qtbot.waitUntil(lambda: window.notice_bar.notice is not None, timeout=20_000)
    assert "Another run" in window.notice_bar.notice.message
    assert window.flows.export.dialog is None


@pytest.mark.parametrize("which", ["export", "merge"])
def test_what_another_session_says_refuses_nothing(
    qtbot, window, asked, say, presets, sessions_made, tmp_path, which
):
    sessions_made[0].merge_preview = lambda: StateRecord(State.PAUSED, 0)  # no answer
    if which == "export":
        begun(qtbot, window, asked, tmp_path / "out")
    else:
        window.flows.merge.start()
    dialog = getattr(window.flows, which).dialog
    window.open(changed(presets[1].config, model="broken"))
    qtbot.waitUntil(lambda: window.sessions.gave_up, timeout=20_000)
    assert dialog.busy
    say(ErrorRecord(7, "An edit was not applied."))
    assert dialog.busy
    command = {"export": "Export", "merge": "MergePreview"}[which]
    say(ErrorRecord(7, "The disk is full.", command=command))
    assert not dialog.busy


def test_what_an_old_session_says_on_its_way_out_refuses_nothing(
    qtbot, window, asked, presets, sessions_made, monkeypatch, tmp_path
):
    old = sessions_made[0]
    monkeypatch.setattr(old, "turn", lambda: None)  # it takes its time to end
    window.open(presets[1].config)
    qtbot.waitUntil(lambda: window.sessions.config is presets[1].config, timeout=20_000)
    shown = window.sessions.shown.session
    shown.serve = lambda command: None
    window.flows.export.start()
    dialog = window.flows.export.dialog
    dialog.folder_edit.setText(str(tmp_path / "out"))
    dialog.export_button.click()
    old.waiting.append(ErrorRecord(7, "The old run was not saved.", command="Export"))
    qtbot.waitUntil(lambda: window.notice_bar.notice is not None, timeout=20_000)
    assert window.notice_bar.notice.message == "The old run was not saved."
    assert dialog.busy
    shown.waiting.append(ErrorRecord(7, "It was not written.", command="Export"))
    qtbot.waitUntil(lambda: not dialog.busy, timeout=20_000)
    assert "It was not written." in words(dialog)
    monkeypatch.undo()


def test_the_library_is_asked_where_the_switch_says_so(qtbot, window, asked, say, tmp_path):
    """It is remembered, and off where the format has no library; the report names who proved."""
    dialog = begun(qtbot, window, asked, tmp_path / "one")
    assert not asked[-1].prove
    say(done(tmp_path / "one"))
    assert not [text for text in words(dialog) if text == "Proved by"]
    qtbot.mouseClick(dialog.prove_switch, Qt.MouseButton.LeftButton, pos=QPoint(8, 8))
    assert dialog.prove_switch.isChecked()
    for name, able in (("kohya", False), ("gguf", False), ("peft", True)):
        dialog.format_combo.setCurrentIndex(dialog.format_combo.findData(name))
        assert dialog.prove_switch.isEnabled() is able
        assert ("re-reading alone" in dialog.prove_switch.toolTip()) is not able
    dialog.close()
    dialog = begun(qtbot, window, asked, tmp_path / "two")
    assert dialog.prove_switch.isChecked()
    assert asked[-1].prove
    record = done(tmp_path / "two")
    proved = "peft 0.21.2 (largest error of ΔW 5.0e-08)"
    say(replace(record, report=replace(record.report, proved=proved)))
    assert [text for text in words(dialog) if text == proved]
