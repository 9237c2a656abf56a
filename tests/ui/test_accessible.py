"""Whoever listens instead of looking: every control has a name, every plot says what it shows."""

import re

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractScrollArea,
    QAbstractSpinBox,
    QComboBox,
    QGraphicsView,
    QHeaderView,
    QLabel,
    QLineEdit,
    QProgressBar,
    QSlider,
    QTabBar,
    QWidget,
)

from lora_lab.records import State
from lora_lab.ui.adapter.intruder_dialog import IntruderDialog
from lora_lab.ui.adapter.merge_dialog import MergeDialog
from lora_lab.ui.export.dialog import ExportDialog
from lora_lab.ui.help.about import about_page, shortcuts_page
from lora_lab.ui.help.describe import description_page
from lora_lab.ui.open.dialog import OpenDialog
from lora_lab.ui.panels import PANELS
from lora_lab.ui.preview import feed, samples
from lora_lab.ui.queue.cluster_dialog import ClusterDialog
from lora_lab.ui.runs.compare_dialog import CompareRunsDialog
from lora_lab.ui.runs.saves_dialog import SavesDialog
from lora_lab.ui.train.targets_dialog import TargetsDialog
from lora_lab.ui.workshop.dialog import WorkshopDialog
from tests.ui.seen import of_each_dialog, settle, timer

CONTROLS = (
    QAbstractButton, QAbstractSpinBox, QComboBox, QLineEdit, QSlider, QProgressBar, QTabBar,
    QAbstractScrollArea,
)  # fmt: skip


def inner(widget):
    """What Qt itself puts into a control: the text of a number, the list of a box, a scroll bar."""
    if widget.objectName().startswith("qt_") or "Corner" in type(widget).__name__:
        return True
    if isinstance(widget, QAbstractScrollArea) and widget.focusPolicy() == Qt.FocusPolicy.NoFocus:
        return True
    above = widget.parentWidget()
    while above is not None:
        if isinstance(above, QAbstractSpinBox | QComboBox | QTabBar | QLineEdit | QHeaderView):
            return True
        above = above.parentWidget()
    return isinstance(widget, QHeaderView)


def nameless(root):
    buddies = {label.buddy() for label in root.findChildren(QLabel) if label.buddy()}
    buddies |= {buddy.focusProxy() for buddy in buddies if buddy.focusProxy()}
    found = []
    for widget in root.findChildren(QWidget):
        if not isinstance(widget, CONTROLS) or inner(widget):
            continue
        words = widget.text() if isinstance(widget, QAbstractButton) else ""
        if not (widget.accessibleName().strip() or words.strip(" ×&") or widget in buddies):
            where = widget.parentWidget()
            found.append(f"{type(widget).__name__} in {type(where).__name__}")
    return found


DIALOGS = {
    "open": lambda window: OpenDialog(parent=window),
    "export": lambda window: ExportDialog(window.flows_folder, "", window),
    "merge": MergeDialog,
    "intruders": lambda window: IntruderDialog(window.sessions_loaded.layers, window),
    "workshop": WorkshopDialog,
    "saves": SavesDialog,
    "targets": lambda window: TargetsDialog(
        window.sessions_loaded.adaptable, frozenset({"fc1"}), frozenset({"fc1"}), (), window
    ),
    "cluster": ClusterDialog,
    "compare": lambda window: CompareRunsDialog([], window),
    "about": about_page,
    "shortcuts": lambda window: shortcuts_page(window, window.commands.menus),
    "described": lambda window: description_page(window, "Loss: 1."),
}


@pytest.fixture
def opened(qtbot, window, presets, sessions_made, tmp_path):
    window.open(presets[0].config)
    qtbot.waitUntil(lambda: window.state is State.PAUSED)
    window.flows_folder = tmp_path
    window.sessions_loaded = sessions_made[-1].loaded()
    return window


def test_every_control_of_the_window_has_a_name(opened, qtbot):
    for dock in opened.host.docks:
        dock.show()
    settle()
    assert nameless(opened) == []
    for toggle in opened.host.toggles():
        assert toggle.text()
    assert all(panel.accessibleName() == panel.title for panel in opened.panels)


@pytest.mark.parametrize("name", DIALOGS)
def test_every_control_of_a_dialog_has_a_name(opened, qtbot, name):
    dialog = DIALOGS[name](opened)
    qtbot.addWidget(dialog)
    assert dialog.windowTitle()
    assert dialog.findChildren(QWidget)
    assert nameless(dialog) == []


def test_whatever_opens_from_a_menu_has_names(opened, monkeypatch):
    seen = of_each_dialog(opened, monkeypatch, nameless)
    assert {title: names for title, names in seen.items() if names} == {}


@pytest.mark.parametrize("key", PANELS)
def test_a_plot_says_what_it_shows_and_says_it_anew(qtbot, key, monkeypatch):
    monkeypatch.setattr("lora_lab.ui.panels.panel.TELL_MS", 10)
    panel = PANELS[key]()
    qtbot.addWidget(panel)
    panel.resize(500, 340)
    panel.show()
    loaded, *rest = samples("digits", 60)
    panel.standing.take(loaded)
    panel.redraw()
    qtbot.waitUntil(lambda: panel.accessibleDescription() == panel.summary())
    before = panel.summary()
    feed(panel, rest)
    panel.redraw()
    qtbot.waitUntil(lambda: panel.accessibleDescription() == panel.summary())
    if panel.summary() != before:
        assert re.search(r"\d", panel.accessibleDescription())
    for plot in panel.findChildren(QGraphicsView):
        assert plot.accessibleName()
        assert plot.accessibleDescription() == panel.summary()
    panel.hide()
    assert not timer(panel).isActive()


def test_no_letter_of_the_window_reaches_two_things(window):
    """Hidden rows and docks too: each of them may be open while another one is."""
    found = {}
    for action in window.menuBar().actions():
        found.setdefault(letter(action.text()), []).append(action.text())
    for kind in (QLabel, QAbstractButton):
        for part in window.findChildren(kind):
            if part.window() is window and letter(part.text()):
                found.setdefault(letter(part.text()), []).append(part.text())
    assert len(found) > 15
    assert {key: texts for key, texts in found.items() if len(texts) > 1} == {}


def letter(text):
    """What Alt reaches it by; "" for nothing."""
    match = re.search("&([^&])", text.replace("&&", ""))
    return match[1].lower() if match else ""
