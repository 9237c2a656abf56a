"""A legend in one line: as many whole rows as have room, and how many more there are."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QLabel, QSizePolicy

from lora_lab.names import legible
from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import plain_tip

Row = tuple[str, str, str]  # a sign, its colour, what it means; without a sign the words are tinted
BETWEEN = "\u00a0\u00a0\u00a0\u00a0"


class Legend(QLabel):
    """What matters most stands first; what has no room is counted, and named in the tooltip."""

    def __init__(self) -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._rows: tuple[Row, ...] = ()
        self._short: tuple[Row, ...] = ()

    def show_rows(self, rows: Sequence[Row], short: Sequence[Row] = ()) -> None:
        """Show these from now on; the same in `short` where not all of them fit."""
        if (tuple(rows), tuple(short)) != (self._rows, self._short):
            self._rows, self._short = tuple(rows), tuple(short)
            self._fit()

    def sizeHint(self) -> QSize:
        return QSize(0, self.fontMetrics().height())

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def width_of(self, rows: Sequence[Row]) -> int:
        """Pixels that these rows take."""
        words = BETWEEN.join(f"{sign}\u00a0{words}" if sign else words for sign, _, words in rows)
        return self.fontMetrics().horizontalAdvance(words)

    def _fit(self) -> None:
        rows = self._rows
        if self._short and self.width_of(rows) > self.width():
            rows = self._short
        shown = len(rows)
        while shown and self.width_of(with_rest(rows, shown)) > self.width():
            shown -= 1
        spans = []
        for sign, color, words in with_rest(rows, shown):
            tinted, rest = (sign, f"\u00a0{words}") if sign else (words, "")
            tinted, rest = escape(legible(tinted)), escape(legible(rest))
            spans.append(f'<span style="color:{color}">{tinted}</span>{rest}')
        text = BETWEEN.join(spans)
        if text != self.text():  # a relayout for nothing costs more than the drawing
            self.setText(text)
        message = " · ".join(f"{sign} {words}".strip() for sign, _, words in self._rows)
        whole = shown == len(rows) and rows == self._rows
        self.setToolTip("" if whole else plain_tip(message))


def with_rest(rows: Sequence[Row], shown: int) -> tuple[Row, ...]:
    """The first rows, and how many more there are."""
    more = len(rows) - shown
    rest = (("", theme.current().muted, f"+{more}"),) if more > 0 else ()
    return (*rows[:shown], *rest)
