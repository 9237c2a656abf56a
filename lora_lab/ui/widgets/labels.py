"""Labels that show figures and words: made, filled, kept whole, and named for screen readers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import (
    QLabel,
    QWidget,
)

from lora_lab.names import brief, legible
from lora_lab.ui.style import theme

COLUMN = 24  # letters
MOST = 10_000  # letters: a refusal may quote megabytes, and to wrap those takes seconds


class TextLabel(QLabel):
    """A label that shows a text as it is written, whatever it looks like.

    QLabel itself takes what looks like HTML for HTML, and loads the pictures in it: a name in a
    file would be enough to fill the memory. There is no other label of text in the window.
    """

    def __init__(self, text: str = "", parent: QWidget | None = None, **properties: Any) -> None:
        super().__init__(parent, **properties)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setText(text)

    def setText(self, text: str) -> None:
        super().setText(whole(text))

    def minimumSizeHint(self) -> QSize:
        """Text of several lines asks for no more than a column: a long name widens no dialog."""
        size = super().minimumSizeHint()
        if self.wordWrap():
            size.setWidth(min(size.width(), COLUMN * self.fontMetrics().averageCharWidth()))
        return size


def whole(text: str) -> str:
    """What is said, as it is written, and no more than can be laid out in a moment."""
    return legible(brief(text, MOST))


def label(text: str = "", role: str = "", name: str = "") -> QLabel:
    """A plain-text label in one of the theme's roles."""
    widget = TextLabel(text)
    if role:
        widget.setProperty("role", role)
    if role in ("figure", "title"):
        widget.setFont(theme.font())  # figures of equal width; the sheet sets the size
    if name:
        widget.setAccessibleName(name)
    return widget


def keep_whole(columns: Sequence[Sequence[QWidget]], room: float, between: int) -> None:
    """Hide the last columns where there is no room: a figure that is cut off is another figure."""
    for place, column in enumerate(columns):
        room -= max(widget.sizeHint().width() for widget in column)
        for widget in column:
            widget.setVisible(room >= 0 or place == 0)
        room -= between


def show(widget: QLabel, text: str) -> None:
    """setText only where it changes: a relayout for nothing costs more than the drawing."""
    if widget.text() != text:
        widget.setText(text)


def describe(widget: QWidget, text: str) -> None:
    """What a screen reader says about a picture."""
    if widget.accessibleDescription() != text:
        widget.setAccessibleDescription(text)
