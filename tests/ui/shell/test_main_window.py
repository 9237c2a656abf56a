"""The window on fake sessions: swap, fail, stop, close, export, layout and keys."""

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit, QToolButton

from lora_lab import paths
from lora_lab.config import changed
from lora_lab.records import CountsRecord, State
from lora_lab.training.commands import Export
from lora_lab.training.opening import New
from lora_lab.ui.shell.main_window import MainWindow
from lora_lab.ui.style.figures import share_words
from lora_lab.ui.style.settings import kept
from lora_lab.ui.train.setup import what_learns
from tests.ui.seen import buttons, named, settle, words


@pytest.fixture
def opened(qtbot, window, presets):
    """The window with `digits` ready."""
    window.open(presets[0].config)
    qtbot.waitUntil(lambda: window.state is State.PAUSED, timeout=20_000)
    return window


def train(qtbot, window):
    window.commands.train.trigger()
    qtbot.waitUntil(
        lambda: window.state is State.RUNNING and window.sessions.step > 10, timeout=20_000
    )


def test_the_first_paint_starts_no_session_by_itself(window, sessions_made):
    assert sessions_made == []
    assert not window.commands.train.isEnabled()


def test_code_is_asked_about_whatever_way_it_comes(opened, presets, sessions_made, monkeypatch):
    """The docks, the queue, old settings and a resumed run all open here."""
    asked = []
    monkeypatch.setattr(opened, "may_run", lambda factory: asked.append(factory) or not factory)
    strange = changed(presets[0].config, factory="evilmod:net")
    assert opened.begin(New(strange)) == 0
    assert asked == ["evilmod:net"]
    assert len(sessions_made) == 1
    assert opened.setup_dock.config.factory == ""


def test_code_that_is_nowhere_is_said(qtbot, opened, presets, sessions_made):
    with qtbot.waitSignal(opened.notices.posted) as heard:
        assert opened.open(changed(presets[0].config, factory="no_module_of_a_test:net")) == 0
    assert "no_module_of_a_test" in heard.args[0].message
    assert len(sessions_made) == 1


def test_it_opens_ready_at_step_0(opened):
    assert opened.strip.state_label.text() == "Ready"
    assert opened.commands.train.isEnabled()
    assert not opened.commands.stop.isEnabled()
    assert opened.windowTitle().startswith("Fake digits")


@pytest.mark.parametrize("where", ["window", "preset_combo", "rank slider", "button", "radio"])
def test_space_trains_and_pauses_wherever_the_focus_is(qtbot, opened, where):
    targets = {
        "window": opened,
        "preset_combo": opened.setup_dock.preset_combo,
        "rank slider": opened.hyper_dock.sliders["rank"].slider,
        "button": opened.panels[0].findChildren(QToolButton)[0],
        "radio": buttons(opened.hyper_dock)["keep ΔW"],
    }
    opened.activateWindow()
    qtbot.waitActive(opened)
    targets[where].setFocus()
    QTest.keyClick(targets[where], Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: opened.state is State.RUNNING, timeout=20_000)
    assert opened.commands.train.text() == "Pause"
    QTest.keyClick(targets[where], Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: opened.state is State.PAUSED, timeout=20_000)


def test_space_in_a_text_is_a_space(qtbot, opened):
    opened.activateWindow()
    qtbot.waitActive(opened)
    edit = QLineEdit(opened)
    edit.show()
    edit.setFocus()
    QTest.keyClick(edit, Qt.Key.Key_Space)
    turns = opened.sessions.shown.session.turns
    qtbot.waitUntil(lambda: opened.sessions.shown.session.turns > turns + 2)
    assert edit.text() == " "
    assert opened.state is State.PAUSED


def test_edits_reach_the_controls_and_come_back_as_applied(qtbot, opened, sessions_made):
    train(qtbot, opened)
    opened.hyper_dock.sliders["rank"].edit.setValue(4)
    qtbot.waitUntil(lambda: sessions_made[-1].hyper.rank == 4, timeout=20_000)
    qtbot.waitUntil(
        lambda: "discarded 3.2 %" in opened.hyper_dock.sliders["rank"].note(), timeout=20_000
    )


def test_the_adapter_switch(qtbot, opened, sessions_made):
    opened.commands.adapter.trigger()
    qtbot.waitUntil(lambda: not sessions_made[-1].hyper.enabled, timeout=20_000)
    assert opened.commands.adapter.text() == "Adapter off"


def test_another_preset_takes_over_only_when_it_is_ready(qtbot, opened, sessions_made):
    train(qtbot, opened)
    asked = []
    opened.ask = lambda *texts: asked.append(texts) or True
    opened.setup_dock.choose_preset("known-rank")
    assert len(asked) == 1
    qtbot.waitUntil(lambda: opened.windowTitle().startswith("Fake known-rank"), timeout=20_000)
    qtbot.waitUntil(lambda: sessions_made[0].ended, timeout=20_000)
    assert sessions_made[0].saves is True
    assert opened.strip.state_label.text() == "Ready"


def test_whoever_says_no_keeps_training(qtbot, opened, sessions_made):
    train(qtbot, opened)
    opened.ask = lambda *texts: False
    opened.setup_dock.choose_preset("known-rank")
    assert len(sessions_made) == 1
    assert opened.setup_dock.preset_combo.currentData() == "digits"
    assert opened.state is State.RUNNING


def test_a_checkpoint_that_fails_leaves_the_old_run_going(qtbot, opened, sessions_made):
    train(qtbot, opened)
    opened.open(changed(opened.setup_dock.config, model="/somewhere/broken.pt"))
    qtbot.waitUntil(lambda: opened.notice_bar.notice is not None, timeout=20_000)
    assert "truncated" in opened.notice_bar.notice.message
    qtbot.waitUntil(lambda: not opened.sessions.opening, timeout=20_000)
    step = opened.sessions.step
    qtbot.waitUntil(lambda: opened.sessions.step > step, timeout=20_000)
    assert opened.setup_dock.config.model is None
    assert not sessions_made[0].ended


def test_a_first_open_that_fails_leaves_a_usable_window(qtbot, window, presets):
    window.open(changed(presets[0].config, model="broken.pt"))
    qtbot.waitUntil(lambda: window.notice_bar.notice is not None, timeout=20_000)
    qtbot.waitUntil(lambda: window.strip.state_label.text() == "Nothing is open", timeout=20_000)
    assert not window.commands.train.isEnabled()
    window.setup_dock.choose_preset("digits")
    qtbot.waitUntil(lambda: window.state is State.PAUSED, timeout=20_000)


def test_restart_takes_the_settings_of_both_docks(qtbot, opened, sessions_made):
    opened.hyper_dock.sliders["alpha"].edit.setValue(4)
    opened.setup_dock.fixed.controls["seed"].setValue(7)
    assert opened.setup_dock.restart_button.isVisible()
    opened.setup_dock.restart_button.click()
    qtbot.waitUntil(lambda: len(sessions_made) == 2 and sessions_made[0].ended, timeout=20_000)
    assert sessions_made[1].config.seed == 7
    assert sessions_made[1].config.hyper.alpha == 4
    assert not opened.setup_dock.restart_button.isVisible()


def test_a_preset_that_needs_data_asks_for_its_folder(qtbot, opened, sessions_made, tmp_path):
    opened.setup_dock.choose_folder = lambda: ""
    opened.setup_dock.choose_preset("mnist-tutorial")
    assert opened.setup_dock.preset_combo.currentData() == "digits"
    opened.setup_dock.choose_folder = lambda: str(tmp_path)
    opened.setup_dock.choose_preset("mnist-tutorial")
    qtbot.waitUntil(lambda: sessions_made[-1].config.data == str(tmp_path), timeout=20_000)


def test_stop_ends_the_run_says_where_it_is_kept_and_serves_on(qtbot, opened, sessions_made):
    train(qtbot, opened)
    commands = opened.commands
    commands.stop.trigger()
    qtbot.waitUntil(lambda: opened.state is State.STOPPED, timeout=20_000)
    qtbot.waitUntil(lambda: opened.notice_bar.notice is not None, timeout=20_000)
    step = sessions_made[0].step
    said = opened.notice_bar.notice.message
    qtbot.waitUntil(
        lambda: "/runs/fake/adapter" in opened.notice_bar.notice.message, timeout=20_000
    )
    assert f"step {step:,}" in said
    assert opened.strip.state_label.text() == "Stopped"
    assert commands.train.text() == "Continue training…"
    assert not commands.stop.isEnabled()
    for action in (commands.export, commands.evaluate, commands.adapter, commands.save):
        assert action.isEnabled(), action.text()
    commands.adapter.trigger()
    qtbot.waitUntil(lambda: not sessions_made[0].hyper.enabled, timeout=20_000)
    commands.train.trigger()
    qtbot.waitUntil(lambda: opened.sessions.step > step, timeout=20_000)
    assert opened.state is State.RUNNING
    goal = step + opened.sessions.config.max_steps
    assert named(opened.strip, "Step").text().endswith(f" / {goal:,}")
    assert len(sessions_made) == 1


def test_a_run_that_is_replaced_does_not_leave_the_export_waiting(qtbot, opened, tmp_path):
    opened.flows.export.start()
    dialog = opened.flows.export.dialog
    dialog.folder_edit.setText(str(tmp_path / "out"))
    old, asked = opened.sessions.shown.session, []
    old.serve = asked.append  # it is never answered
    dialog.export_button.click()
    qtbot.waitUntil(lambda: len(asked) == 1, timeout=20_000)
    opened.setup_dock.choose_preset("known-rank")
    qtbot.waitUntil(lambda: not dialog.busy, timeout=20_000)
    assert [text for text in words(dialog) if "Another run" in text]
    assert old.controls.is_cancelled(asked[0])  # what is said not to be written is not


@pytest.mark.parametrize("place", range(7))
def test_a_closed_dock_is_reopened_by_its_menu_entry(qtbot, opened, place):
    dock, entry = opened.host.docks[place], opened.host.toggles()[place]
    dock.close()
    assert not dock.isVisible()
    entry.trigger()
    assert dock.isVisible()


def test_setup_takes_the_height_of_its_text_and_the_sliders_the_rest(qtbot, opened):
    upper, lower = opened.setup_dock, opened.hyper_dock
    qtbot.waitUntil(
        lambda: upper.widget().height() == upper.widget().sizeHint().height(), timeout=20_000
    )
    assert lower.widget().height() >= lower.widget().sizeHint().height()
    opened.setup_dock.fixed.controls["seed"].setValue(7)  # the restart button appears
    qtbot.waitUntil(lambda: opened.setup_dock.restart_button.isVisible(), timeout=20_000)
    qtbot.waitUntil(
        lambda: upper.widget().height() == upper.widget().sizeHint().height(), timeout=20_000
    )


def test_export_shows_what_was_measured_and_asks_before_replacing(qtbot, opened, tmp_path):
    opened.flows.export.start()
    dialog = opened.flows.export.dialog
    dialog.folder_edit.setText(str(tmp_path / "out"))
    dialog.export_button.click()
    qtbot.waitUntil(lambda: not dialog.busy, timeout=20_000)
    assert [text for text in words(dialog) if "untrained" in text]
    train(qtbot, opened)
    dialog.export_button.click()
    qtbot.waitUntil(lambda: not dialog.busy, timeout=20_000)
    assert named(dialog, "Largest relative error of ΔW").text().startswith("1.2e-08")
    assert named(dialog, "Tensors").text().startswith("6")
    assert (
        named(dialog, "To use it").text()
        == f'PeftModel.from_pretrained(base, "{tmp_path / "out"}")'
    )
    assert (tmp_path / "out" / "adapter_config.json").exists()
    asked = []
    dialog.ask_to_replace = lambda folder: asked.append(folder)
    dialog.export_button.click()
    assert asked == [tmp_path / "out"]
    assert not dialog.busy


def test_a_format_of_one_file_gets_its_ending(qtbot, opened, tmp_path):
    train(qtbot, opened)
    opened.flows.export.start()
    dialog = opened.flows.export.dialog
    dialog.folder_edit.setText(str(tmp_path / "out"))
    for name, suffix in (("gguf", ".gguf"), ("kohya", ".safetensors"), ("peft", "")):
        dialog.format_combo.setCurrentIndex(dialog.format_combo.findData(name))
        assert dialog.folder_edit.text() == str(tmp_path / f"out{suffix}")
    with qtbot.waitSignal(dialog.export_requested, timeout=20_000) as heard:
        dialog.export_button.click()
    assert heard.args == [Export(str(tmp_path / "out"))]
    assert not dialog.component_combo.isVisible()


def test_closing_while_training_asks_then_saves(qtbot, opened, sessions_made):
    train(qtbot, opened)
    opened.ask = lambda *texts: False
    opened.close()
    assert opened.isVisible()
    assert opened.state is State.RUNNING
    opened.ask = lambda *texts: True
    with qtbot.waitSignal(opened.left, timeout=20_000):
        opened.close()
        assert opened.isVisible()
        assert opened.strip.state_label.text() == "Saving…"
    assert not opened.isVisible()
    assert sessions_made[0].saves is True


def test_the_layout_is_kept(qtbot, opened, presets, fake_session):
    spectrum = next(d for d in opened.host.docks if d.objectName() == "panel_spectrum")
    spectrum.close()
    with qtbot.waitSignal(opened.left, timeout=20_000):
        opened.close()
    assert paths.settings_file().exists()
    again = MainWindow(fake_session, presets)
    closed = {d.objectName(): d.isHidden() for d in again.host.docks}
    assert closed["panel_spectrum"]
    assert not closed["panel_loss"]
    again.commands.reset_layout.trigger()
    hidden = [dock.objectName() for dock in again.host.docks if dock.isHidden()]
    assert set(hidden) == {
        "runs",
        "panel_directions",
        "panel_mix",
        "panel_curves",
    }  # when asked for
    again.leave()
    again.deleteLater()


def test_a_wider_window_is_room_for_the_plots(qtbot, opened):
    """The settings keep their width: the one they came with, and one that was dragged."""
    host, setup = opened.host, opened.setup_dock
    loss = next(dock for dock in host.docks if dock.objectName() == "panel_loss")
    shipped = setup.width()
    for drag in (0, 200):
        if drag:
            host.resizeDocks([setup, loss], [shipped + drag, 500], Qt.Orientation.Horizontal)
            qtbot.waitUntil(lambda: setup.width() > shipped + 10, timeout=20_000)
        width = setup.width()
        for size in (1900, 1300):
            opened.resize(size, 900)
            qtbot.waitUntil(lambda size=size: host.width() == size, timeout=20_000)
            qtbot.waitUntil(lambda width=width: setup.width() == width, timeout=20_000)


def test_a_taller_window_is_room_for_the_plots(qtbot, opened):
    """The list of runs keeps the height it came with."""
    runs = opened.runs_dock
    opened.host.bring_up(runs)
    settle()  # it is resized once it lies among the others
    qtbot.waitUntil(
        lambda: opened.host.height() / 4 < runs.height() < opened.host.height() / 2, timeout=20_000
    )
    height = runs.height()
    for size in (1400, 900):
        opened.resize(1400, size)
        qtbot.waitUntil(lambda size=size: opened.height() == size, timeout=20_000)
        qtbot.waitUntil(lambda: runs.height() == height, timeout=20_000)


def test_every_menu_entry_does_something(opened):
    for menu in opened.commands.menus:
        for action in menu.actions():
            if action.isSeparator() or action.menu():
                continue
            assert action.receivers("2triggered(bool)") or action.isCheckable(), action.text()


@pytest.mark.parametrize("scheme", ["dark", "light", "system"])
def test_the_scheme_is_chosen_and_kept(opened, scheme):
    opened.commands.schemes[scheme].trigger()
    assert kept("scheme") == scheme


def test_the_help_pages_open(qtbot, opened):
    opened.commands.about.trigger()
    opened.commands.shortcuts.trigger()
    for dialog in opened.findChildren(type(opened)) + opened.children():
        if hasattr(dialog, "reject"):
            dialog.reject()


def test_controls_have_names_for_those_who_cannot_see(opened):
    from PySide6.QtWidgets import QAbstractSpinBox, QComboBox, QSlider

    for kind in (QComboBox, QSlider, QAbstractSpinBox):
        for widget in opened.findChildren(kind):
            assert widget.accessibleName(), widget


@pytest.mark.parametrize(
    ("adapter", "base", "said"),
    [(6_794, 2_807_010, "6,794 parameters, 0.242 %"), (1_832, 17_226, "1,832 parameters, 10.6 %")],
)
def test_what_learns_is_told_as_the_tutorial_tells_it(fake_session, presets, adapter, base, said):
    loaded = replace(fake_session(presets[0].config).loaded(), base_parameters=base)
    assert said in what_learns(loaded, CountsRecord(0, adapter, base, ()))
    assert share_words(adapter / base) in what_learns(loaded, CountsRecord(0, adapter, base, ()))


def test_a_figure_that_needs_more_room_cuts_nothing_off_and_moves_the_divider_once(qtbot, opened):
    opened.resize(900, 600)
    dock = opened.hyper_dock
    rate, column = dock.sliders["learning_rate"], dock.widget()
    opened.host.resizeDocks([dock], [10], Qt.Orientation.Horizontal)
    rate.set_applied(4e-6)
    settle()
    before = dock.width()
    rate.set_applied(1.23456e-06)
    qtbot.waitUntil(lambda: dock.width() > before)
    settle()
    assert column.widget().width() <= column.viewport().width()
    grown = dock.width()
    for value in (4e-6, 1.23456e-06, 4e-6):  # as while somebody drags the slider
        rate.set_applied(value)
        settle()
        assert dock.width() == grown
