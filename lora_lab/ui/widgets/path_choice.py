"""A file or folder that may be named or not: a button that says which, and one to clear it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from lora_lab.ui.style.figures import plain_tip


class PathChoice(QWidget):
    """Holds one path; `edited` is emitted when a person has changed it."""

    edited = Signal()

    def __init__(self, name: str, title: str, endings: str) -> None:
        """`title` of the dialog, and `endings` that it filters by."""
        super().__init__()
        self.folder = False  # whether a folder is asked for, not a file
        self._title, self._endings = title, endings
        self._path: str | None = None
        self.button = QPushButton()
        self.button.setAccessibleName(name)
        self.button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.button.clicked.connect(self._on_button)
        self.clear_button = QToolButton()
        self.clear_button.setText("×")
        self.clear_button.setProperty("role", "quiet")
        self.clear_button.setToolTip(self.tr("None"))
        self.clear_button.setAccessibleName(self.tr("{}: none").format(name))
        self.clear_button.clicked.connect(lambda: self._take(None))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(self.button, 1)
        row.addWidget(self.clear_button)
        self.setFocusProxy(self.button)
        self.show_value(None)

    def value(self) -> str | None:
        """The path, or None."""
        return self._path

    def show_value(self, path: str | None) -> None:
        """Show `path` by program; emits nothing."""
        self._path = path
        self.button.setText(_short(Path(path).name) if path else self.tr("none"))
        tip = self.toolTip()
        self.button.setToolTip(plain_tip(f"{path}\n{tip}") if path else tip)
        self.clear_button.setVisible(path is not None)

    def ask(self) -> str:
        """The path that a person chooses, or "" for none."""
        start = self._path or str(Path.home())
        if self.folder:
            return QFileDialog.getExistingDirectory(self, self._title, start)
        return QFileDialog.getOpenFileName(self, self._title, start, self._endings)[0]

    def _on_button(self) -> None:
        if result := self.ask():
            self._take(result)

    def _take(self, path: str | None) -> None:
        if path is None:
            self.button.setFocus()  # before the button under the finger is gone
        self.show_value(path)
        self.edited.emit()


def _short(name: str) -> str:
    """Names differ at both ends: a long one gives way in the middle."""
    return name if len(name) <= 26 else f"{name[:13]}…{name[-12:]}"
