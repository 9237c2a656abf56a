"""The confusion of a classifier: how many of each class were taken for which, as a heat map."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QHelpEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from lora_lab.ui import theme


class ConfusionGrid(QWidget):
    """Rows are true classes, columns what was answered; right answers lie on the diagonal."""

    def __init__(self) -> None:
        super().__init__()
        self._counts: tuple[tuple[int, ...], ...] = ()
        self._classes: tuple[str, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight(110)
        self.setAccessibleName(self.tr("Confusion: true class by answered class"))

    def show_counts(self, counts: Sequence[Sequence[int]], classes: Sequence[str]) -> None:
        """Paint `counts[true][answered]` from now on."""
        counts = tuple(tuple(row) for row in counts)
        if (counts, tuple(classes)) != (self._counts, self._classes):
            self._counts, self._classes = counts, tuple(classes)
            self.update()

    def _area(self) -> tuple[QRectF, float]:
        """Where the cells lie, and how large one is."""
        metrics = self.fontMetrics()
        widest = max((metrics.horizontalAdvance(name) for name in self._classes), default=0)
        left = min(widest + 10, self.width() / 3)
        line = metrics.height()
        size = len(self._counts) or 1
        cell = min((self.width() - left) / size, (self.height() - 2 * line - 8) / size, 4.0 * line)
        return QRectF(left, line + 4, cell * size, cell * size), cell

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._counts:
            return
        c = theme.current()
        painter = QPainter(self)
        painter.setFont(theme.font(0.92))
        metrics = painter.fontMetrics()
        area, cell = self._area()
        painter.setPen(QColor(c.muted))
        head = QRectF(area.left(), 0, self.width() - area.left(), metrics.height())
        painter.drawText(head, Qt.AlignmentFlag.AlignLeft, "answered →   (rows: true class)")
        for row, counts in enumerate(self._counts):
            total = max(1, sum(counts))
            y = area.top() + row * cell
            if cell >= metrics.height() * 0.8:
                name = metrics.elidedText(
                    self._classes[row], Qt.TextElideMode.ElideRight, int(area.left() - 6)
                )
                painter.setPen(QColor(c.text))
                beside = QRectF(0, y, area.left() - 6, cell)
                middle = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
                painter.drawText(beside, middle, name)
            for column, count in enumerate(counts):
                box = QRectF(area.left() + column * cell, y, cell - 1, cell - 1)
                right = row == column
                color = QColor(c.adapter if right else c.validation)
                color.setAlphaF(0.06 + 0.84 * count / total if count else 0.04)
                painter.fillRect(box, color)
                text = f"{count:,}"
                if count and metrics.horizontalAdvance(text) + 4 <= cell:
                    strong = count / total > 0.55
                    painter.setPen(QColor(c.on_accent if strong else c.text))
                    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)

    def event(self, event) -> bool:
        if isinstance(event, QHelpEvent) and self._counts:
            area, cell = self._area()
            at = event.pos()
            row, column = int((at.y() - area.top()) // cell), int((at.x() - area.left()) // cell)
            size = len(self._counts)
            if 0 <= row < size and 0 <= column < size:
                words = (
                    f"{self._counts[row][column]:,} of class {self._classes[row]} were taken for "
                    f"{self._classes[column]}"
                )
                QToolTip.showText(event.globalPos(), words, self)
            else:
                QToolTip.hideText()
            return True
        return super().event(event)
