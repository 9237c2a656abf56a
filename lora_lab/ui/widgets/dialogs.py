"""What every dialog has alike: its frame, its way to the front, its size, and a question first."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QMessageBox, QVBoxLayout, QWidget

from lora_lab.ui.widgets.labels import whole

FRAME = (40, 60)  # pixels of frame, title bar and a little of what lies behind
Button = QDialogButtonBox.StandardButton


class TextBox(QMessageBox):
    """A message that is shown as it is written: it may name a file, or what is in one."""

    def setText(self, text: str) -> None:
        self.setTextFormat(Qt.TextFormat.PlainText)
        super().setText(whole(text))

    def setInformativeText(self, text: str) -> None:
        super().setInformativeText(" ")  # makes the label
        for label in self.findChildren(QLabel):
            label.setTextFormat(Qt.TextFormat.PlainText)
        super().setInformativeText(whole(text))


def ask(parent: QWidget, question: str, more: str, yes: str, no: str) -> bool:
    """Whether the person said yes; the other answer is the default and what Escape means."""
    box = TextBox(parent)
    box.setIcon(QMessageBox.Icon.Question)
    box.setText(question)
    box.setInformativeText(more)
    agreed = box.addButton(yes, QMessageBox.ButtonRole.AcceptRole)
    kept = box.addButton(no, QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(kept)
    box.setEscapeButton(kept)
    box.exec()
    return box.clickedButton() is agreed


def choose(parent: QWidget, question: str, more: str, answers: Sequence[str]) -> int:
    """Which answer the person chose; the last one is the default and what Escape means."""
    box = TextBox(parent)
    box.setIcon(QMessageBox.Icon.Warning)
    box.setText(question)
    box.setInformativeText(more)
    buttons = [box.addButton(text, QMessageBox.ButtonRole.ActionRole) for text in answers]
    box.setDefaultButton(buttons[-1])
    box.setEscapeButton(buttons[-1])
    box.exec()
    clicked = box.clickedButton()
    return next((i for i, button in enumerate(buttons) if button is clicked), len(answers) - 1)


def button_row(dialog: QDialog, kinds: Button = Button.Close) -> QDialogButtonBox:
    """The buttons at the foot, without the icons of some desktops, wired to close the dialog."""
    buttons = QDialogButtonBox(kinds)
    for button in buttons.buttons():
        button.setIcon(QIcon())
    buttons.accepted.connect(dialog.accept)
    buttons.rejected.connect(dialog.reject)
    return buttons


def dialog_column(dialog: QDialog, spacing: int = 8) -> QVBoxLayout:
    """The layout of a dialog whose rows stand one below the other."""
    column = QVBoxLayout(dialog)
    column.setContentsMargins(18, 14, 18, 14)
    column.setSpacing(spacing)
    return column


def bring_to_front(window: QWidget) -> None:
    """Show a window, or bring it before the others where it is open already."""
    window.show()
    window.raise_()
    window.activateWindow()


def resize_to_text(window: QWidget, ems: float, lines: float) -> None:
    """As wide as so many letters m, as high as so many lines of text."""
    metrics = window.fontMetrics()
    window.resize(round(ems * metrics.horizontalAdvance("m")), round(lines * metrics.height()))


def resize_within(window: QWidget, width: int, height: int) -> bool:
    """Make a window as large as it would be, or as its screen allows; False where that is less."""
    room = window.screen().availableSize()
    most = room.width() - FRAME[0], room.height() - FRAME[1]
    window.resize(min(width, most[0]), min(height, most[1]))
    return width <= most[0] and height <= most[1]
