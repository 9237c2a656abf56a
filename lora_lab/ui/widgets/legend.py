"""A legend in one line that shows as many of its rows as have room: half a word says nothing."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QLabel, QSizePolicy

from lora_lab.names import legible
from lora_lab.ui.style.figures import plain_tip

Row = tuple[str, str, str]  # a sign, its colour, what it means; without a sign the words are tinted
BETWEEN = "\u00a0\u00a0\u00a0\u00a0"


class Legend(QLabel):
    """What matters most stands first; what has no room is in the tooltip."""

    def __init__(self) -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._rows: tuple[Row, ...] = ()

    def show_rows(self, rows: Sequence[Row]) -> None:
        """Show these from now on."""
        if tuple(rows) != self._rows:
            self._rows = tuple(rows)
            self._fit()

    def sizeHint(self) -> QSize:
        return QSize(0, self.fontMetrics().height())

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        wide = self.fontMetrics().horizontalAdvance
        shown, room = [], self.width() + wide(BETWEEN)
        for sign, _, words in self._rows:
            room -= wide(f"{sign}\u00a0{words}{BETWEEN}" if sign else f"{words}{BETWEEN}")
            if room < 0 and shown:
                break
            shown.append((sign, words))
        spans = []
        for sign, color, words in self._rows[: len(shown)]:
            tinted, rest = (sign, f"\u00a0{words}") if sign else (words, "")
            tinted, rest = escape(legible(tinted)), escape(legible(rest))
            spans.append(f'<span style="color:{color}">{tinted}</span>{rest}')
        text = BETWEEN.join(spans)
        if text != self.text():  # a relayout for nothing costs more than the drawing
            self.setText(text)
        all_shown = len(shown) == len(self._rows)
        message = " · ".join(f"{sign} {words}".strip() for sign, _, words in self._rows)
        self.setToolTip("" if all_shown else plain_tip(message))
