"""The Help menu's two pages: the keyboard shortcuts, and the versions of what the lab stands on."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QGridLayout, QLabel, QMenu, QWidget

import lora_lab

STANDS_ON = ("torch", "numpy", "safetensors", "PySide6-Essentials", "pyqtgraph", "pydantic")


def versions() -> list[tuple[str, str]]:
    """Names and versions, without importing any of them."""
    found = [("LoRA Lab", lora_lab.__version__), ("Python", platform.python_version())]
    for name in STANDS_ON:
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            found.append((name, "not installed"))
    return [*found, ("System", platform.platform(terse=True))]


def about_page(parent: QWidget) -> QDialog:
    """What the lab is, and what it stands on."""
    intro = "A desktop lab for low-rank adaptation.\nApache License 2.0"
    return _page(parent, "About LoRA Lab", intro, versions())


def shortcuts_page(parent: QWidget, menus: Iterable[QMenu]) -> QDialog:
    """Every key that the menus name."""
    rows = [
        (action.text().replace("&", ""), action.shortcut().toString())
        for menu in menus
        for action in menu.actions()
        if not action.shortcut().isEmpty()
    ]
    intro = "Alt and an underlined letter reach buttons and fields."
    return _page(parent, "Keyboard shortcuts", intro, rows)


def _page(parent: QWidget, title: str, intro: str, rows: list[tuple[str, str]]) -> QDialog:
    dialog = QDialog(parent)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setWindowTitle(title)
    grid = QGridLayout(dialog)
    grid.setContentsMargins(20, 16, 20, 14)
    grid.setHorizontalSpacing(28)
    grid.addWidget(QLabel(intro), 0, 0, 1, 2)
    for line, (name, value) in enumerate(rows, 1):
        label = QLabel(name)
        label.setProperty("role", "muted")
        shown = QLabel(value)
        shown.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        grid.addWidget(label, line, 0)
        grid.addWidget(shown, line, 1)
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    buttons.rejected.connect(dialog.reject)
    grid.addWidget(buttons, len(rows) + 1, 0, 1, 2)
    return dialog
