"""Before and after as bars: accuracy per class, or two losses where there are no classes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QFont, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import rounded_percent
from lora_lab.ui.widgets.painter import CENTER, LEFT, MIDDLE, RIGHT, Painter
from lora_lab.ui.widgets.plot import number


@dataclass(frozen=True)
class Pair:
    """One class: share correct with the adapter off and on; nan where nothing was measured."""

    name: str
    off: float
    on: float
    trained: bool

    @property
    def points(self) -> float:
        return 100 * (self.on - self.off)


class ClassBars(QWidget):
    """Accuracy off (grey) beside on (accent) per class, the difference written above."""

    def __init__(self) -> None:
        super().__init__()
        self._pairs: tuple[Pair, ...] = ()
        self.others: tuple[tuple[str, tuple[float, ...]], ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight(80)
        self.setAccessibleName(self.tr("Accuracy per class, adapter off and on"))

    def show_pairs(self, pairs: tuple[Pair, ...]) -> None:
        """Paint these from now on."""
        if pairs != self._pairs:
            self._pairs = pairs
            self.update()

    def show_others(self, others: tuple[tuple[str, tuple[float, ...]], ...]) -> None:
        """A level across each class for (colour, share of each class) of other runs."""
        if others != self.others:
            self.others = others
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._pairs:
            return
        c = theme.current()
        small, strong = theme.font(0.92), theme.font(1.0, QFont.Weight.DemiBold)
        painter = Painter(self, small)
        line = painter.line
        left = painter.width_of("100 %") + 8
        plot = QRectF(left, line + 8, self.width() - left - 2, self.height() - 2 * line - 22)
        for share in (0.0, 0.5, 1.0):
            y = round(plot.bottom() - share * plot.height())
            painter.bar(plot.left(), y, plot.width(), 1, c.grid)
            beside = (0, y - line / 2, left - 8, line)
            painter.words(beside, rounded_percent(share, 0), c.muted, RIGHT | MIDDLE)
        slot = plot.width() / len(self._pairs)
        for place, pair in enumerate(self._pairs):
            self._paint_pair(painter, pair, plot, plot.left() + place * slot, slot, (small, strong))
            wide = min(slot * 0.86, 62.0)
            left = plot.left() + (place + 0.5) * slot - wide / 2
            for color, shares in self.others:
                if place < len(shares) and shares[place] == shares[place]:
                    y = plot.bottom() - shares[place] * plot.height()
                    painter.bar(left, y - 1, wide, 2, color)

    def _paint_pair(
        self, painter: Painter, pair: Pair, plot: QRectF, x: float, slot: float, fonts: tuple
    ) -> None:
        c, (small, strong) = theme.current(), fonts
        line = painter.line
        width = min(slot * 0.36, 26.0)
        middle = x + slot / 2
        for share, begin, color in (
            (pair.off, middle - width - 0.5, c.frozen),
            (pair.on, middle + 0.5, c.adapter),
        ):
            if share == share:
                height = max(1.0, share * plot.height())  # none right is still a measured bar
                painter.bar(begin, plot.bottom() - height, width, height, color)
        if slot >= 30 and pair.points == pair.points:
            gained = round(pair.points)
            color = c.muted if gained == 0 else c.good if gained > 0 else c.error
            text = f"+{gained}" if gained > 0 else f"−{-gained}" if gained else "0"
            tallest = max(pair.off, pair.on) * plot.height()
            painter.setFont(strong if abs(gained) >= 1 else small)
            top = plot.bottom() - tallest - line - 2
            painter.words((x, top, slot, line), text, color, CENTER)
        below, color = plot.bottom() + 5, c.accent if pair.trained else c.muted
        painter.setFont(strong if pair.trained else small)
        if slot >= 9:
            words = painter.elided(pair.name, slot)
            painter.words((x, below, slot, line), words, color, CENTER)
        if pair.trained:
            wide = min(slot * 0.8, 2 * width + 1)
            painter.bar(middle - wide / 2, below + line + 2, wide, 2, c.accent)


class LossBars(QWidget):
    """Two losses as horizontal bars on a common log scale, for tasks without classes."""

    def __init__(self) -> None:
        super().__init__()
        self._off = self._on = math.nan
        self.others: tuple[tuple[str, float], ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight(90)
        self.setAccessibleName(self.tr("Validation loss, adapter off and on"))

    def show_losses(self, off: float, on: float) -> None:
        """Paint these from now on; nan where nothing was measured."""
        if repr((off, on)) != repr((self._off, self._on)):
            self._off, self._on = off, on
            self.update()

    def show_others(self, others: tuple[tuple[str, float], ...]) -> None:
        """A mark on the lower bar for (colour, loss with the adapter on) of other runs."""
        if others != self.others:
            self.others = others
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        c = theme.current()
        painter = Painter(self, theme.font())
        line = painter.line
        rows = (
            (self.tr("adapter off"), self._off, c.frozen),
            (self.tr("adapter on"), self._on, c.adapter),
        )
        left = max(painter.width_of(name) for name, _, _ in rows) + 12
        right = painter.width_of("0.00×10⁻¹²") + 10
        known = [v for _, v, _ in rows if math.isfinite(v) and v > 0]
        known += [v for _, v in self.others if math.isfinite(v) and v > 0 and known]
        if not known:
            return
        # Each decade is as long as the next; the scale ends a decade below the smaller loss.
        high = math.log10(max(known))
        low = min(math.log10(min(known)), high) - 1.0
        tall = min(34.0, self.height() / 4)
        top = max(0.0, self.height() / 2 - tall * 1.6)
        for place, (name, value, color) in enumerate(rows):
            y = top + place * tall * 1.5
            painter.words((0, y, left - 12, tall), name, c.muted, RIGHT | MIDDLE)
            if not math.isfinite(value):
                painter.drawText(
                    QPointF(left, y + tall / 2 + line / 4), self.tr("not measured yet")
                )
                continue
            decades = math.log10(value) - low if value > 0 else 0.0
            width = max(2.0, (self.width() - left - right) * max(0.0, decades) / (high - low))
            painter.bar(left, y, width, tall, color)
            beside = (left + width + 8, y, right, tall)
            painter.words(beside, number(value), c.text, LEFT | MIDDLE)
        for color, value in self.others:
            if math.isfinite(value) and value > 0:
                x = left + (self.width() - left - right) * (math.log10(value) - low) / (high - low)
                painter.bar(x - 1, top + tall * 1.5 - 3, 2, tall + 6, color)
        painter.setFont(theme.font(0.92))
        foot = (left, top + 3 * tall, self.width() - left, line)
        painter.words(foot, self.tr("validation loss, log scale"), c.muted)
