"""The command palette, by keyboard alone: everything of the window is in it and can be reached."""

import re

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu

from lora_lab.records import State
from lora_lab.ui.help.page import pages, title
from lora_lab.ui.shell.palette import Palette
from lora_lab.ui.shell.palette_words import ALSO, plain, score


@pytest.fixture
def opened(qtbot, window, presets):
    window.open(presets[0].config)
    qtbot.waitUntil(lambda: window.state is State.PAUSED, timeout=20_000)
    return window


@pytest.fixture
def palette(qtbot, opened):
    def call():
        opened.activateWindow()
        qtbot.waitUntil(opened.isActiveWindow)
        QTest.keyClick(opened, Qt.Key.Key_P, Qt.KeyboardModifier.ControlModifier)
        qtbot.waitUntil(lambda: bool(opened.findChildren(Palette)))
        (made,) = opened.findChildren(Palette)
        qtbot.waitUntil(made.query.hasFocus)
        return made

    return call


def choose(qtbot, made, query):
    """Type, and press Enter on the first that is found."""
    QTest.keyClicks(made.query, query)
    first = made.found()[0]
    with qtbot.waitSignal(made.destroyed):
        QTest.keyClick(made.query, Qt.Key.Key_Return)
    return first.title


def in_menus(menu):
    for action in menu.actions():
        if action.menu() is not None:
            yield from in_menus(action.menu())
        elif action.text() and not action.isSeparator():
            yield action


def test_all_that_there_is_is_listed(opened, palette):
    """The same actions as the menus, so that neither can have what the other has not."""
    made = palette()
    titles = {entry.title for entry in made.found()}
    for menu in opened.menuBar().findChildren(QMenu):
        assert {plain(action.text()) for action in in_menus(menu)} <= titles
    assert {title(page) for page in pages()} <= titles
    assert {panel.title for panel in opened.panels} <= titles
    assert {slider.knob.label for slider in opened.hyper_dock.sliders.values()} <= titles
    named = {c.accessibleName() for c in opened.setup_dock.fixed.controls.values()}
    assert named <= titles
    assert not [entry for entry in made.found() if "&" in entry.title.replace(" & ", "")]
    assert len({(e.title, e.place) for e in made.found()}) == len(made.found())


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("learning", "Learning rate"),
        ("rank", "Rank r"),
        ("lora_alpha", "Alpha α"),
        ("lr_scheduler_type", "Schedule"),
        ("gradient_accumulation", "Accumulate"),
        ("target_modules", "Targets"),
        ("rollback", "Revert"),
        ("sweep", "Queue…"),
        ("fuse", "Merge preview…"),
        ("dark", "Dark"),
        ("full scr", "Full screen"),
        ("intr", "Intruder dimensions…"),
        ("fndlr", "Find learning rate…"),
        ("known", "Known rank"),
        ("screen reader", "Describe plots (text)…"),
        ("bf16", "dtype"),
    ],
)
def test_the_words_of_the_field_find_it(palette, query, first):
    made = palette()
    QTest.keyClicks(made.query, query)
    assert made.found()[0].title.startswith(first), [e.title for e in made.found()[:5]]


def test_an_action_is_done_and_a_panel_shown(qtbot, opened, palette):
    assert choose(qtbot, palette(), "find learn") == "Find learning rate…"
    qtbot.waitUntil(lambda: opened.flows.rate.dialog is not None)
    opened.flows.rate.dialog.close()
    (runs,) = [dock for dock in opened.host.docks if dock is opened.runs_dock]
    assert runs.isHidden()
    choose(qtbot, palette(), "runs")
    qtbot.waitUntil(runs.isVisible)
    loss = next(d for d in opened.host.docks if d.objectName() == "panel_loss")
    choose(qtbot, palette(), "loss")
    QApplication.processEvents()
    assert loss.isVisible(), "looked for, not closed"


def test_a_setting_gets_the_focus_though_it_was_folded_away(qtbot, opened, palette):
    assert not opened.setup_dock.fixed.more_button.isChecked()
    assert choose(qtbot, palette(), "seed") == "Seed"
    seed = opened.setup_dock.fixed.controls["seed"]
    qtbot.waitUntil(lambda: opened.focusWidget() is seed)
    assert seed.isVisible()
    choose(qtbot, palette(), "lora_r")
    rank = opened.hyper_dock.sliders["rank"].edit
    qtbot.waitUntil(lambda: opened.focusWidget() is rank)


def test_a_page_is_opened(qtbot, opened, palette):
    page = pages()[3]
    assert choose(qtbot, palette(), f"{title(page)} handbook") == title(page)
    qtbot.waitUntil(lambda: opened.flows.help.book is not None)
    assert opened.flows.help.book.page.name == page


def test_what_cannot_be_done_now_says_so_and_stays(qtbot, opened, palette):
    made = palette()
    QTest.keyClicks(made.query, "save adapter")
    assert made.found()[0].title == "Save adapter"
    assert made.found()[0].reason
    assert "Not available now" in made.why.text()
    QTest.keyClick(made.query, Qt.Key.Key_Return)
    assert made.isVisible()
    QTest.keyClick(made.query, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: not opened.findChildren(Palette))


def test_arrows_move_and_a_screen_reader_hears_where(palette):
    made = palette()
    QTest.keyClicks(made.query, "rank")
    heard = [made.query.accessibleDescription()]
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Down, Qt.Key.Key_Up):
        QTest.keyClick(made.query, key)
        heard.append(made.query.accessibleDescription())
    assert heard[0] != heard[1] != heard[2]
    assert heard[3] == heard[1]
    made.query.setText("zzzz nothing")
    assert made.found() == []
    assert made.why.text() == "Nothing is called so."
    QTest.keyClick(made.query, Qt.Key.Key_Return)
    assert made.isVisible()


def test_the_window_is_no_fuller(opened):
    """One entry of a menu: a newcomer meets no more than before."""
    assert [a for a in opened.commands.menus[-1].actions() if a is opened.commands.palette]
    assert opened.commands.palette.shortcut().toString() == "Ctrl+P"
    actions = [a for a in vars(opened.commands).values() if isinstance(a, QAction)]
    keys = [a.shortcut().toString() for a in actions if a.shortcut().toString()]
    assert len(keys) == len(set(keys))


def test_every_synonym_belongs_to_something(opened):
    """A name that is gone would be a word that finds nothing."""
    known = {n for n, a in vars(opened.commands).items() if isinstance(a, QAction)}
    known |= set(opened.hyper_dock.sliders) | set(opened.setup_dock.fixed.controls)
    known |= {dock.objectName().removeprefix("panel_") for dock in opened.host.docks}
    known |= {*pages(), "device"}
    assert set(ALSO) - known == set()


@pytest.mark.parametrize(
    ("query", "better", "worse"),
    [
        ("rank", "Rank r", "Suggest a rank…"),
        ("loss", "Loss", "Validation loss"),
        ("exp", "Export…", "An expansion"),
    ],
)
def test_whole_words_and_beginnings_come_first(query, better, worse):
    assert score(query, better, "", "") > score(query, worse, "", "") > 0
    assert score(f"{query} qqq", better, "", "") == 0
    assert not re.search(r"[A-Z]", " ".join(ALSO.values())), "compared in small letters"
