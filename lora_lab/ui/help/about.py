"""The Help menu's two pages: the keyboard shortcuts, and the versions of what the lab stands on."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

from PySide6.QtCore import QCoreApplication, Qt, qVersion
from PySide6.QtGui import QAction, QGuiApplication, QKeySequence
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QDockWidget,
    QGridLayout,
    QMenu,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

import lora_lab
from lora_lab.ui.widgets.dialogs import button_row
from lora_lab.ui.widgets.labels import TextLabel

translate = QCoreApplication.translate

STANDS_ON = (
    "torch", "transformers", "numpy", "safetensors", "PySide6-Essentials", "pyqtgraph", "pydantic",
)  # fmt: skip
Row = tuple[str, str]  # name, value; a value of "" makes a heading


def versions() -> list[Row]:
    """Names and versions, without importing any of them."""
    result = [("LoRA Lab", lora_lab.__version__), ("Python", platform.python_version())]
    for name in STANDS_ON:
        try:
            result.append((name, version(name)))
        except PackageNotFoundError:
            result.append((name, translate("about", "not installed")))
    result += [
        ("Qt", qVersion()),
        (translate("about", "Screen"), _screen()),
        (translate("about", "System"), platform.platform(terse=True)),
    ]
    return [*result, *((translate("about", "Device"), label) for label in _devices())]


def about_page(parent: QWidget) -> QDialog:
    """What the lab is, and what it stands on; all of it can be copied into a report."""
    intro = translate("about", "A desktop lab for low-rank adaptation.\nApache License 2.0")
    rows = versions()
    dialog, buttons = _page(parent, translate("about", "About LoRA Lab"), intro, rows)
    copy = buttons.addButton(translate("about", "&Copy"), QDialogButtonBox.ButtonRole.ActionRole)
    text = "\n".join(f"{name}: {value}" for name, value in rows)
    copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(text))
    return dialog


def shortcuts_page(parent: QWidget, menus: Iterable[QMenu]) -> QDialog:
    """Every key of the menus, of the docks, and those that need no entry of a menu."""
    rows = [row for menu in menus for row in _of_menu(menu)]
    for dock in parent.findChildren(QDockWidget):
        keys = [row for action in dock.findChildren(QAction) for row in _of_action(action)]
        own = [row for row in keys if row not in rows]
        rows += [(dock.windowTitle(), ""), *own] if own else []
    rows += [(translate("about", "Everywhere"), ""), *((what, keys) for keys, what in other_keys())]
    return _page(parent, translate("about", "Keyboard shortcuts"), "", rows)[0]


def _of_menu(menu: QMenu) -> list[Row]:
    """The heading of a menu and its keys, those of menus in it among them."""
    rows = []
    for action in menu.actions():
        rows += _of_menu(action.menu())[1:] if action.menu() else _of_action(action)
    return [(_plain(menu.title()), ""), *rows] if rows else []


def _of_action(action: QAction) -> list[Row]:
    text, _, beside = action.text().partition("\t")
    keys = (
        ", ".join(k.toString(QKeySequence.SequenceFormat.NativeText) for k in action.shortcuts())
        or beside
    )
    return [(_plain(text), keys)] if keys else []


def _plain(text: str) -> str:
    return text.replace("&&", "\0").replace("&", "").replace("\0", "&")


def _screen() -> str:
    screen = QGuiApplication.primaryScreen()
    size = screen.size()
    scale = 100 * screen.devicePixelRatio()
    return translate("about", "{} × {} at {:.0f} %").format(size.width(), size.height(), scale)


def _devices() -> list[str]:
    """What can be computed on, once the engine is there to be asked."""
    if "torch" not in sys.modules:
        return [platform.processor() or platform.machine()]
    from lora_lab.training.devices import device_choices

    return [choice.label for choice in device_choices() if choice.available]


def _page(
    parent: QWidget, title: str, intro: str, rows: list[Row]
) -> tuple[QDialog, QDialogButtonBox]:
    dialog = QDialog(parent)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setWindowTitle(title)
    inside = QWidget()
    grid = QGridLayout(inside)
    grid.setContentsMargins(0, 0, 12, 0)
    grid.setHorizontalSpacing(28)
    grid.setVerticalSpacing(4)
    for line, (name, value) in enumerate(rows):
        label = TextLabel(name)
        label.setProperty("role", "muted" if value else "title")
        if not value:
            label.setContentsMargins(0, 8 if line else 0, 0, 0)
            grid.addWidget(label, line, 0, 1, 2)
            continue
        shown = TextLabel(value)
        shown.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
            | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        shown.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        shown.setAccessibleName(name)
        grid.addWidget(label, line, 0)
        grid.addWidget(shown, line, 1)
    grid.setColumnStretch(1, 1)
    page = QScrollArea()
    page.setWidget(inside)
    page.setWidgetResizable(True)
    page.setFrameShape(QScrollArea.Shape.NoFrame)
    page.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    page.setAccessibleName(title)
    buttons = button_row(dialog)
    column = QVBoxLayout(dialog)
    column.setContentsMargins(20, 16, 12, 14)
    column.setSpacing(10)
    if intro:
        column.addWidget(TextLabel(intro))
    column.addWidget(page, 1)
    column.addWidget(buttons)
    wanted = inside.sizeHint()
    room = parent.screen().availableGeometry().height() * 3 // 4
    page.setMinimumWidth(wanted.width() + 24)
    dialog.resize(wanted.width() + 64, min(room, wanted.height() + 150))
    return dialog, buttons


def other_keys() -> tuple[tuple[str, str], ...]:
    """What no action says; the rest of the shortcuts page is read from the menus."""
    return (
        (
            translate("about", "Enter"),
            translate("about", "Press the button, or open the list, that has the focus"),
        ),
        (translate("about", "Tab, Shift+Tab"), translate("about", "Next or previous control")),
        (
            translate("about", "Arrows, Page Up, Page Down"),
            translate("about", "Move a slider, by a notch or an octave"),
        ),
        (
            translate("about", "Alt and an underlined letter"),
            translate("about", "Go to that field, or press that button"),
        ),
        (
            translate("about", "Esc"),
            translate("about", "Close a dialog or a list, dismiss a notice"),
        ),
    )
