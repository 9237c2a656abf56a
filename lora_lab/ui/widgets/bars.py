"""Two small pictures of data: how long the rows are, and how many there are of each class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QRectF
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import plain_tip
from lora_lab.ui.widgets.painter import RIGHT, Painter

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
        self.setToolTip(plain_tip(self._words))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if not len(self._counts):
            return
        c = theme.current()
        painter = Painter(self)
        line = painter.line
        plot = QRectF(0, line + 3, self.width(), self.height() - 2 * line - 6)
        painter.words((0, 0, self.width(), line), self._words, c.muted)
        slot = plot.width() / len(self._counts)
        tallest = max(1, self._counts.max())
        for place, count in enumerate(self._counts):
            if count:
                tall = max(1.0, plot.height() * count / tallest)
                color = c.warn if self._edges[place] >= self._limit else c.adapter
                painter.bar(place * slot, plot.bottom() - tall, max(1.0, slot - 1), tall, color)
        painter.bar(0, plot.bottom(), plot.width(), 1, c.border)
        end = float(self._edges[-1])
        foot = (0, plot.bottom() + 3, plot.width(), line)
        painter.words(foot, "0", c.muted)
        painter.words(foot, f"{end:,.0f}", c.muted, RIGHT)
        if self._limit < end:
            painter.bar(plot.width() * self._limit / end, plot.top(), 1, plot.height(), c.warn)


class Balance(QWidget):
    """Rows per class: those trained on, and beside them those held out."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: tuple[tuple[str, int, int], ...] = ()
        self._of_words = False
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(7 * self.fontMetrics().height())
        self.setAccessibleName(self.tr("Rows per class"))

    def show_counts(
        self,
        classes: Sequence[str],
        train: Sequence[int],
        held_out: Sequence[int],
        of_words: bool = False,
    ) -> None:
        """Paint these from now on: counts of rows, or of words."""
        self._of_words = of_words
        held = held_out or [0] * len(classes)
        self._rows = tuple(zip(classes, train, held, strict=True))
        words = ", ".join(f"{name}: {n:,} + {k:,}" for name, n, k in self._rows[:MOST_CLASSES])
        self.setAccessibleDescription(words)
        self.setToolTip(plain_tip(words))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._rows:
            return
        c = theme.current()
        painter = Painter(self)
        line = painter.line
        rows = self._rows[:MOST_CLASSES]
        if self._of_words:
            words = self.tr("{} classes: training and validation words")
        else:
            words = self.tr("{} classes: training and validation rows")
        words = words.format(len(self._rows))
        painter.words((0, 0, self.width(), line), words, c.muted)
        plot = QRectF(0, 2 * line + 4, self.width(), self.height() - 3 * line - 9)
        slot = min(plot.width() / len(rows), 8.0 * line)
        tallest = max(max(n, k) for _, n, k in rows) or 1
        for place, (name, train, held) in enumerate(rows):
            x = place * slot
            wide = max(2.0, min(slot * 0.36, 2.4 * line))
            for count, begin, color in ((train, x, c.adapter), (held, x + wide + 1, c.validation)):
                tall = plot.height() * count / tallest
                painter.bar(begin, plot.bottom() - tall, wide, tall, color)
            figure = f"{train:,} + {held:,}"
            if painter.width_of(figure) <= slot:
                top = plot.bottom() - plot.height() * max(train, held) / tallest - line - 1
                painter.words((x, top, slot, line), figure, c.muted)
            below = (x, plot.bottom() + 4, slot - 4, line)
            painter.words(below, painter.elided(name, slot - 4), c.text)
        painter.bar(0, plot.bottom(), slot * len(rows), 1, c.border)
