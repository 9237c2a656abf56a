"""What the window shows, in words: a sentence for every panel that is seen, to read or copy."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QPlainTextEdit, QWidget

from lora_lab.ui.panels.panel import Panel
from lora_lab.ui.widgets.dialogs import button_row, dialog_column, resize_to_text


def described(panels: list[Panel], first: QWidget | None) -> str:
    """One line per visible panel; that which has the focus stands first."""
    # Those behind other tabs are visible to Qt, but nothing of them is.
    seen = [panel for panel in panels if not panel.visibleRegion().isEmpty()]
    seen.sort(key=lambda panel: not (first is not None and first.isAncestorOf(panel)))
    return "\n\n".join(f"{panel.title}: {panel.summary()}" for panel in seen)


def description_page(parent: QWidget, text: str) -> QDialog:
    """The words, selectable and read aloud, with a button to copy them."""
    dialog = QDialog(parent)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setWindowTitle(dialog.tr("Plots (text)"))
    words = QPlainTextEdit(text)
    words.setReadOnly(True)
    words.setAccessibleName(dialog.windowTitle())
    words.setTextInteractionFlags(
        words.textInteractionFlags() | Qt.TextInteractionFlag.TextSelectableByKeyboard
    )
    buttons = button_row(dialog)
    copy = buttons.addButton(dialog.tr("C&opy"), QDialogButtonBox.ButtonRole.ActionRole)
    copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(text))
    column = dialog_column(dialog)
    column.addWidget(words, 1)
    column.addWidget(buttons)
    resize_to_text(dialog, 48, 18)
    words.setFocus()
    return dialog
