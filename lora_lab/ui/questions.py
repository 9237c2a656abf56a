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
