"""Two small pictures of data: how long the rows are, and how many there are of each class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from lora_lab.ui.style import theme

BINS = 60
MOST_CLASSES = 40  # that are painted; more are told in words


class LengthHistogram(QWidget):
    """Tokens per row before the cut, with a line where rows are cut."""

    def __init__(self) -> None:
        super().__init__()
        self._counts = np.zeros(0)
        self._edges = np.zeros(1)
        self._limit = 0
        self._words = ""
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(6 * self.fontMetrics().height())
        self.setAccessibleName(self.tr("Tokens per row"))

    def show_lengths(self, lengths: np.ndarray, limit: int) -> None:
        """Paint these (n) from now on; rows longer than `limit` are cut there."""
        longest = int(lengths.max())
        shown = min(longest, max(2 * limit, int(np.quantile(lengths, 0.995))))
        edges = np.linspace(0, max(shown, 1), min(BINS, max(shown, 1)) + 1)
        self._counts, self._edges = np.histogram(np.minimum(lengths, shown), edges)
        self._limit = limit
        middle = int(np.median(lengths))
        tr = self.tr
        self._words = tr("tokens per row: median {:,}, longest {:,}").format(middle, longest)
        cut = int((lengths > limit).sum())
        if cut:
            self._words += tr(", {:,} truncated at {:,}").format(cut, limit)
        else:
            self._words += tr("; none reaches {:,}").format(limit)
        self.setAccessibleDescription(self._words)
        self.setToolTip(self._words)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if not len(self._counts):
            return
        c = theme.current()
        painter = QPainter(self)
        painter.setFont(theme.font(0.92))
        line = painter.fontMetrics().height()
        plot = QRectF(0, line + 3, self.width(), self.height() - 2 * line - 6)
        painter.setPen(QColor(c.muted))
        head = QRectF(0, 0, self.width(), line)
        painter.drawText(head, Qt.AlignmentFlag.AlignLeft, self._words)
        slot = plot.width() / len(self._counts)
        tallest = max(1, self._counts.max())
        for place, count in enumerate(self._counts):
            if count:
                height = max(1.0, plot.height() * count / tallest)
                beyond = self._edges[place] >= self._limit
                painter.fillRect(
                    QRectF(place * slot, plot.bottom() - height, max(1.0, slot - 1), height),
                    QColor(c.warn if beyond else c.adapter),
                )
        painter.fillRect(QRectF(0, plot.bottom(), plot.width(), 1), QColor(c.border))
        end = float(self._edges[-1])
        foot = QRectF(0, plot.bottom() + 3, plot.width(), line)
        painter.drawText(foot, Qt.AlignmentFlag.AlignLeft, "0")
        painter.drawText(foot, Qt.AlignmentFlag.AlignRight, f"{end:,.0f}")
        if self._limit < end:
            x = plot.width() * self._limit / end
            painter.fillRect(QRectF(x, plot.top(), 1, plot.height()), QColor(c.warn))


class Balance(QWidget):
    """Rows per class: those trained on, and beside them those held out."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: tuple[tuple[str, int, int], ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(7 * self.fontMetrics().height())
        self.setAccessibleName(self.tr("Rows per class"))

    def show_counts(
        self, classes: Sequence[str], train: Sequence[int], held_out: Sequence[int]
    ) -> None:
        """Paint these from now on."""
        held = held_out or [0] * len(classes)
        self._rows = tuple(zip(classes, train, held, strict=True))
        words = ", ".join(f"{name}: {n:,} + {k:,}" for name, n, k in self._rows[:MOST_CLASSES])
        self.setAccessibleDescription(words)
        self.setToolTip(words)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._rows:
            return
        c = theme.current()
        painter = QPainter(self)
        painter.setFont(theme.font(0.92))
        metrics = painter.fontMetrics()
        line = metrics.height()
        rows = self._rows[:MOST_CLASSES]
        painter.setPen(QColor(c.muted))
        words = self.tr("{} classes: training and validation rows").format(len(self._rows))
        painter.drawText(QRectF(0, 0, self.width(), line), Qt.AlignmentFlag.AlignLeft, words)
        plot = QRectF(0, 2 * line + 4, self.width(), self.height() - 3 * line - 9)
        slot = min(plot.width() / len(rows), 8.0 * line)
        tallest = max(max(n, k) for _, n, k in rows) or 1
        for place, (name, train, held) in enumerate(rows):
            x = place * slot
            wide = max(2.0, min(slot * 0.36, 2.4 * line))
            for count, begin, color in ((train, x, c.adapter), (held, x + wide + 1, c.validation)):
                height = plot.height() * count / tallest
                bar = QRectF(begin, plot.bottom() - height, wide, height)
                painter.fillRect(bar, QColor(color))
            painter.setPen(QColor(c.muted))
            figure = f"{train:,} + {held:,}"
            if metrics.horizontalAdvance(figure) <= slot:
                top = plot.bottom() - plot.height() * max(train, held) / tallest - line - 1
                painter.drawText(QRectF(x, top, slot, line), Qt.AlignmentFlag.AlignLeft, figure)
            room = metrics.elidedText(name, Qt.TextElideMode.ElideRight, int(slot - 4))
            painter.setPen(QColor(c.text))
            below = QRectF(x, plot.bottom() + 4, slot - 4, line)
            painter.drawText(below, Qt.AlignmentFlag.AlignLeft, room)
        painter.fillRect(QRectF(0, plot.bottom(), slot * len(rows), 1), QColor(c.border))
