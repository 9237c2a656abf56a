"""The confusion of a classifier: how many of each class were taken for which, as a heat map."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QHelpEvent, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from lora_lab.ui.style import theme
from lora_lab.ui.style.tips import show_tip
from lora_lab.ui.widgets.heat_cells import luminance
from lora_lab.ui.widgets.painter import CENTER, MIDDLE, RIGHT, Painter

TALLEST = 3.0  # a cell, in lines of text
WIDEST = 2.2  # in its heights: numbers find room where cells are low
NARROWEST = 2.5  # a column that has a name above it, in widths of the letter m


class ConfusionGrid(QWidget):
    """Rows are true classes, columns what was answered; right answers lie on the diagonal.

    A cell is as strong as its share of the row: each class is told alike, however rare it is.
    """

    def __init__(self) -> None:
        super().__init__()
        self._counts: tuple[tuple[int, ...], ...] = ()
        self._classes: tuple[str, ...] = ()
        self._trained: frozenset[str] = frozenset()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight(80)
        self.setAccessibleName(self.tr("Confusion: true class by predicted class"))

    def show_counts(
        self,
        counts: Sequence[Sequence[int]],
        classes: Sequence[str],
        trained: Collection[str] = (),
    ) -> None:
        """Paint `counts[true][answered]` from now on; `trained` classes are marked."""
        shown = tuple(map(tuple, counts)), tuple(classes), frozenset(trained)
        if shown != (self._counts, self._classes, self._trained):
            self._counts, self._classes, self._trained = shown
            self.update()

    def area(self) -> tuple[QRectF, float, float]:
        """Where the cells lie, and how wide and tall one is."""
        metrics = QFontMetricsF(theme.font(0.92, QFont.Weight.DemiBold))
        widest = max((metrics.horizontalAdvance(name) for name in self._classes), default=0)
        left = min(widest + 10, self.width() / 3)
        line = metrics.height()
        size = len(self._counts) or 1
        above = line + 4  # the names of the columns
        if self._headed():
            above += line + 4
        tall = min((self.height() - above - 2) / size, TALLEST * line)
        wide = min((self.width() - left) / size, WIDEST * tall)
        return QRectF(left, above, wide * size, tall * size), wide, tall

    def _headed(self) -> bool:
        """Whether there is room for a line on what rows and columns are."""
        return self.height() > 9 * self.fontMetrics().height()

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._counts:
            return
        c = theme.current()
        painter = Painter(self)
        area, wide, tall = self.area()
        line = painter.line
        if self._headed():
            head = (area.left(), 0, self.width() - area.left(), line)
            painter.words(head, self.tr("↓ true class    → predicted"), c.muted, MIDDLE)
        self._paint_names(painter, area, wide, tall)
        painter.setFont(theme.font(0.92))
        most = max(max(row) for row in self._counts)
        # Some numbers beside cells without one would read as if those were zero.
        fits = painter.width_of(f"{most:,}") + 4 <= wide and tall >= 0.8 * line
        for row, counts in enumerate(self._counts):
            total = max(1, sum(counts))
            for column, count in enumerate(counts):
                x, y = area.left() + column * wide, area.top() + row * tall
                box = (x, y, wide - 1, tall - 1)
                hue = c.adapter if row == column else c.validation
                # Opaque, so that it is known what a number on it is read against.
                if count:
                    ground = QColor(theme.mixed(c.panel, hue, 0.1 + 0.9 * count / total))
                else:
                    ground = QColor(theme.mixed(c.panel, c.grid, 0.6))
                painter.bar(*box, ground)
                if count and fits:
                    # Black and white are read equally well at a luminance of 0.179 (WCAG 2).
                    ink = "#000000" if luminance(ground) > 0.179 else "#ffffff"
                    painter.words(box, f"{count:,}", ink, CENTER)

    def _paint_names(self, painter: Painter, area: QRectF, wide: float, tall: float) -> None:
        """Beside the rows and above the columns, as far as they have room."""
        c, line = theme.current(), painter.line
        above = wide >= NARROWEST * painter.width_of("m")
        above = above or (all(len(name) <= 2 for name in self._classes) and wide >= line * 0.8)
        for place, name in enumerate(self._classes):
            trained = name in self._trained
            weight = QFont.Weight.DemiBold if trained else QFont.Weight.Normal
            painter.setFont(theme.font(0.92, weight))
            color = c.accent if trained else c.text
            if tall >= 0.8 * line:
                room = area.left() - 6
                beside = (0, area.top() + place * tall, room, tall - 1)
                painter.words(beside, painter.elided(name, room), color, RIGHT | MIDDLE)
            if above:
                x = area.left() + place * wide
                over = (x, area.top() - line - 3, wide - 1, line)
                painter.words(over, painter.elided(name, wide - 2), color, CENTER)
                if trained:
                    painter.bar(x, area.top() - 3, wide - 1, 2, c.accent)

    def event(self, event) -> bool:
        if isinstance(event, QHelpEvent) and self._counts:
            area, wide, tall = self.area()
            at = event.pos()
            row, column = int((at.y() - area.top()) // tall), int((at.x() - area.left()) // wide)
            size = len(self._counts)
            if 0 <= row < size and 0 <= column < size:
                words = self.tr("{:,} of {:,} of class {} were predicted as {}").format(
                    self._counts[row][column],
                    sum(self._counts[row]),
                    self._classes[row],
                    self._classes[column],
                )
                show_tip(event.globalPos(), words, self)
            else:
                show_tip(event.globalPos(), "", self)
            return True
        return super().event(event)
