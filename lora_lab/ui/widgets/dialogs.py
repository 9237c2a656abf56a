"""A question with two named answers, asked before something that a person may regret."""

from __future__ import annotations

from PySide6.QtWidgets import QMessageBox, QWidget


def ask(parent: QWidget, question: str, more: str, yes: str, no: str) -> bool:
    """Whether the person said yes; the other answer is the default and what Escape means."""
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Icon.Question)
    box.setText(question)
    box.setInformativeText(more)
    agreed = box.addButton(yes, QMessageBox.ButtonRole.AcceptRole)
    kept = box.addButton(no, QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(kept)
    box.setEscapeButton(kept)
    box.exec()
    return box.clickedButton() is agreed


FRAME = (40, 60)  # pixels of frame, title bar and a little of what lies behind


def resize_within(window: QWidget, width: int, height: int) -> bool:
    """Make a window as large as it would be, or as its screen allows; False where that is less."""
    room = window.screen().availableSize()
    most = room.width() - FRAME[0], room.height() - FRAME[1]
    window.resize(min(width, most[0]), min(height, most[1]))
    return width <= most[0] and height <= most[1]
