"""Everything by keyboard: no mouse and no call but keys, sent to whatever has the focus."""

import json
from functools import partial

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QLabel, QPlainTextEdit, QWidget

from lora_lab.presets import list_presets
from lora_lab.records import State
from lora_lab.ui.app import make_window, new_session
from lora_lab.ui.help.about import about_page, shortcuts_page
from lora_lab.ui.shell.leaving import SAVE
from tests.ui import seen

Key = Qt.Key
ALT, CTRL = Qt.KeyboardModifier.AltModifier, Qt.KeyboardModifier.ControlModifier
SHIFT, NONE = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.NoModifier


def under_the_fingers():
    popup, active = QApplication.activePopupWidget(), QApplication.activeWindow()
    return popup or QApplication.focusWidget() or active


def press(*keys, held=NONE):
    for key in keys:
        QTest.keyClick(under_the_fingers(), key, held)


def activate(qtbot, window):
    """What a window manager does when a window comes, or the menu or dialog before it goes."""
    window.activateWindow()
    qtbot.waitUntil(lambda: QApplication.activeWindow() is window)


@pytest.fixture
def opened(qtbot, window, presets):
    window.open(presets[0].config)
    qtbot.waitUntil(lambda: window.state is State.PAUSED)
    window.activateWindow()
    qtbot.waitUntil(lambda: QApplication.activeWindow() is window)
    return window


def test_a_preset_is_opened_trained_given_more_rank_and_exported(qtbot, tmp_path):
    window = make_window(new_session, list_presets())
    window.leaving.where = lambda: SAVE
    window.ask = lambda *texts: True
    with qtbot.waitSignal(window.painted):
        window.show()
    activate(qtbot, window)
    press(Key.Key_F, held=ALT)
    qtbot.waitUntil(lambda: QApplication.activePopupWidget() is not None)
    press(Key.Key_P)
    qtbot.waitUntil(lambda: QApplication.activePopupWidget() is window.commands.presets_menu)
    press(Key.Key_Down, Key.Key_Return)
    qtbot.waitUntil(lambda: window.state is State.PAUSED, timeout=60_000)
    assert window.sessions.config.preset == "known-rank"

    qtbot.waitUntil(lambda: window.commands.train.isEnabled())
    activate(qtbot, window)
    press(Key.Key_Space)
    qtbot.waitUntil(lambda: window.sessions.step > 20, timeout=20_000)
    before = window.hyper_dock.requested.rank
    press(Key.Key_F6, Key.Key_F6)  # the settings, then the sliders
    press(Key.Key_Up, Key.Key_Up)
    qtbot.waitUntil(lambda: window.sessions.standing.requested.rank == before + 2)
    step = window.sessions.step
    qtbot.waitUntil(lambda: window.sessions.step > step + 5, timeout=20_000)
    assert window.state is State.RUNNING

    press(Key.Key_E, held=CTRL)
    dialog = window.flows.export.dialog
    qtbot.waitUntil(lambda: QApplication.activeWindow() is dialog)
    press(Key.Key_W, held=ALT)  # to where it is written
    press(Key.Key_A, held=CTRL)
    QTest.keyClicks(under_the_fingers(), str(tmp_path / "adapter"))
    press(Key.Key_Return)
    qtbot.waitUntil(lambda: (tmp_path / "adapter").exists() and not dialog.busy, timeout=30_000)
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert config["r"] == before + 2
    press(Key.Key_Escape)
    qtbot.waitUntil(lambda: window.flows.export.dialog is None)
    activate(qtbot, window)
    press(Key.Key_Q, held=CTRL)
    qtbot.waitUntil(lambda: window.closed, timeout=30_000)
    window.deleteLater()


def test_tab_comes_to_every_control_and_round_again(opened):
    opened.setup_dock.fixed.more_button.setChecked(True)
    opened.keyboard.next_area()
    first, seen = QApplication.focusWidget(), []
    while QApplication.focusWidget() not in seen:
        seen.append(QApplication.focusWidget())
        press(Key.Key_Tab)
        assert QApplication.focusWidget() is not seen[-1], f"Tab stays in {seen[-1]}"
    assert QApplication.focusWidget() is first, "it comes round"
    takes = Qt.FocusPolicy.TabFocus
    missed = [
        widget
        for widget in opened.findChildren(QWidget)
        if widget.isVisible() and widget.isEnabled() and widget.focusPolicy() & takes
        and widget.focusProxy() is None and widget not in seen
        and widget.property("autoExclusive") is not True  # radio buttons: arrows go between them
    ]  # fmt: skip
    assert missed == []


def test_enter_presses_what_has_the_focus_while_space_trains(qtbot, opened):
    button = seen.named(opened.panels[0], "Logarithmic loss axis")
    button.setFocus()
    on = button.isChecked()
    press(Key.Key_Return)
    assert button.isChecked() is not on
    combo = opened.setup_dock.device_combo
    combo.setFocus()
    press(Key.Key_Return)
    qtbot.waitUntil(lambda: isinstance(QApplication.activePopupWidget(), QWidget))
    press(Key.Key_Escape)
    assert not combo.view().isVisible()
    press(Key.Key_Space)
    qtbot.waitUntil(lambda: opened.state is State.RUNNING)


def test_f6_goes_from_area_to_area_and_back(opened):
    areas = []
    for _ in range(4):
        press(Key.Key_F6)
        areas.append(opened.keyboard.area().windowTitle())
    assert areas == ["Setup", "Hyperparameters", "Loss", "Spectrum"]
    press(Key.Key_F6, held=SHIFT)
    assert opened.keyboard.area().windowTitle() == "Loss"


def test_what_is_shown_is_told_in_words(qtbot, opened):
    press(*[Key.Key_F6] * 4)
    press(Key.Key_D, held=CTRL)
    qtbot.waitUntil(lambda: isinstance(QApplication.focusWidget(), QPlainTextEdit))
    said = QApplication.focusWidget().toPlainText()
    assert said.startswith("Spectrum: ")
    assert "Loss: No loss yet." in said
    press(Key.Key_O, held=ALT)
    qtbot.waitUntil(lambda: QApplication.clipboard().text() == said)
    press(Key.Key_Escape)


def labels(page):
    return {label.text() for label in page.findChildren(QLabel)}


def test_the_shortcuts_page_has_every_key_that_is_heard(qtbot, opened):
    page = shortcuts_page(opened, opened.commands.menus)
    qtbot.addWidget(page)
    told = labels(page)
    for action in opened.actions():
        if not action.shortcut().isEmpty():
            assert action.shortcut().toString() in told, action.text()
    assert {"Ctrl+1", "Space", "Enter", "F6", "F2", "Edit", "Runs", "Rename…"} <= told
    shortcuts = [a.shortcut().toString() for a in opened.actions() if not a.shortcut().isEmpty()]
    assert len(set(shortcuts)) == len(shortcuts), "no key means two things"


def test_the_about_page_tells_versions_and_copies_them(qtbot, opened):
    page = about_page(opened)
    qtbot.addWidget(page)
    page.show()
    told = labels(page)
    assert {"torch", "Qt", "Python", "System", "Device"} <= told
    page.activateWindow()
    qtbot.waitUntil(lambda: QApplication.activeWindow() is page)
    press(Key.Key_C, held=ALT)
    qtbot.waitUntil(lambda: "torch: " in QApplication.clipboard().text())


def test_letters_under_alt_are_one_control_each(opened):
    opened.setup_dock.fixed.more_button.setChecked(True)
    letters = {}
    for menu in opened.commands.menus:
        title = menu.title()
        letters[title[title.index("&") + 1].lower()] = title
    for label in opened.findChildren(QLabel):
        text = label.text()
        if label.isVisible() and label.buddy() is not None and "&" in text:
            letter = text[text.index("&") + 1].lower()
            assert letter not in letters, f"{text} and {letters[letter]}"
            letters[letter] = text
    assert opened.findChildren(QComboBox)


def test_a_notice_moves_no_plot_and_escape_puts_it_away(opened, qtbot):
    def places():
        return [dock.geometry() for dock in opened.host.docks if dock.isVisible()]

    seen.settle()  # what the model told has been laid out
    before, bar = places(), opened.notice_bar
    opened.notices.error("Disk full", "Traceback …")
    qtbot.waitUntil(bar.isVisible)
    seen.settle()
    assert places() == before
    assert bar.geometry().bottom() == bar.parentWidget().rect().bottom()
    opened.hyper_dock.sliders["rank"].slider.setFocus()
    press(Key.Key_Escape)
    assert bar.isHidden()
    opened.notices.error("Disk still full")
    qtbot.waitUntil(bar.isVisible)
    bar.fold()
    assert bar.isHidden()
    assert bar.chip.isVisibleTo(opened.strip)
    assert places() == before
    bar.chip.setFocus()
    press(Key.Key_Return)
    assert bar.notice.message == "Disk still full"
    assert bar.isAncestorOf(QApplication.focusWidget()), "where the next key belongs"
    press(Key.Key_Return, Key.Key_Return)  # one too many
    assert bar.isHidden()
    turns = opened.sessions.shown.session.turns
    qtbot.waitUntil(lambda: opened.sessions.shown.session.turns > turns + 2)
    assert opened.state is State.PAUSED


def test_escape_puts_one_notice_away_wherever_one_is(opened, qtbot):
    opened.notices.error("first")
    opened.notices.error("second")
    bar = opened.notice_bar
    qtbot.waitUntil(lambda: "1 more" in seen.words(bar))
    opened.hyper_dock.sliders["rank"].slider.setFocus()  # in a dock, in the window
    press(Key.Key_Escape)
    assert bar.notice.message == "second"
    press(Key.Key_Escape)
    assert bar.isHidden()


def test_tab_goes_as_the_work_goes(opened):
    """Train first, then what is set, then what is seen; nothing on the way is without a name."""
    opened.commands.train.setEnabled(True)
    way, at = [], opened.nextInFocusChain()
    while at is not opened:
        takes = at.focusPolicy() & Qt.FocusPolicy.TabFocus and at.focusProxy() is None
        if takes and at.isVisible():
            way.append(at)
        at = at.nextInFocusChain()
    words = [w.accessibleName() or getattr(w, "text", str)() for w in way]
    assert all(words), [type(w).__name__ for w, name in zip(way, words, strict=True) if not name]
    assert words[:6] == ["Train", "Stop", "Restart", "Adapter on", "Open", "Export"]
    docks = [next((d for d in opened.host.docks if d.isAncestorOf(w)), None) for w in way[6:]]
    places = [opened.host.docks.index(dock) for dock in docks if dock is not None]
    assert places == sorted(places)
    assert places[0] == 0
    assert docks[: len(places)] == [opened.host.docks[n] for n in places], "the rest comes last"
    start = way[0]
    start.setFocus(Qt.FocusReason.TabFocusReason)
    for expected in (opened.commands.restart, opened.commands.adapter):  # Stop is not enabled yet
        press(Key.Key_Tab)
        assert QApplication.focusWidget().text().startswith(expected.text().split("…")[0])


def test_a_floating_dock_comes_before_the_window(opened, monkeypatch):
    raised = []
    dock = opened.runs_dock
    dock.show()
    dock.setFloating(True)
    for one in opened.host.docks:
        monkeypatch.setattr(one, "raise_", partial(raised.append, one.objectName()))
    opened.host.raise_floating()
    assert raised == ["runs"]
