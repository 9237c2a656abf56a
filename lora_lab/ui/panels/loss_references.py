"""What the loss is held against: the base alone, and the least that the applied rank can reach."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QCoreApplication, Qt

from lora_lab.ui.panels.edit_marks import Box
from lora_lab.ui.style import theme
from lora_lab.ui.style.theme import Colors
from lora_lab.ui.widgets.legend import Row
from lora_lab.ui.widgets.plot import Plot, pen
from lora_lab.ui.widgets.smoothing import FLOOR

translate = QCoreApplication.translate

Curve = tuple[np.ndarray | None, np.ndarray | None]  # x and y of the points, as they are drawn


class References:
    """Two dashed lines with a word each, on one plot."""

    def __init__(self, plot: Plot) -> None:
        self._plot = plot
        self._floor_line = pg.PlotCurveItem(connect="finite")
        self._base_line = pg.InfiniteLine(angle=0)
        self.floor_text = pg.TextItem(anchor=(1, 1))
        self.base_text = pg.TextItem(anchor=(0, 1))
        self._unplaced: list[pg.TextItem] = []  # words that the legend takes
        lines, texts = (self._floor_line, self._base_line), (self.floor_text, self.base_text)
        for z, item in ((21, lines[0]), (22, lines[1]), (28, texts[0]), (29, texts[1])):
            item.setZValue(z)  # the curves of the run lie between lines and words
            plot.addItem(item, ignoreBounds=True)
        self.clear((), 0)

    def clear(self, floors: tuple[float, ...], rank: int) -> None:
        """Another run: `floors[r]` is the least loss that rank r can reach, where it is known."""
        self.baseline = math.nan  # validation loss of the base alone
        self._floors = floors
        self._history: list[tuple[int, float]] = []
        self.note_rank(0, rank)

    def note_rank(self, step: int, rank: int) -> None:
        """From `step` on the rank is another one."""
        self.rank = rank
        if self._floors:
            value = self._floors[min(rank, len(self._floors) - 1)]
            self._history.append((step, value if value > FLOOR else math.nan))

    def values(self) -> list[float]:
        """What the axis must reach."""
        return [self.baseline, *(value for _, value in self._history)]

    def entries(self) -> list[Row]:
        """Rows of a legend, for lines whose words would lie over curves or other words."""
        colors = theme.current()
        lines = ((self.base_text, colors.frozen), (self.floor_text, colors.good))
        return [("╌", color, text.toPlainText()) for text, color in lines if text in self._unplaced]

    def draw(
        self,
        scaled: Callable[[np.ndarray], np.ndarray],
        curves: Sequence[Curve],
        boxes: Sequence[Box],
    ) -> None:
        """Bring the lines to where they belong, and words to where neither the points of the
        `curves` nor the `boxes` of other words lie; where there is no such place, to the legend."""
        (_, x1), (_, y1) = self._plot.view.viewRange()
        self._unplaced, taken = [], list(boxes)
        seen = math.isfinite(self.baseline)
        self._base_line.setVisible(seen)
        self.base_text.setVisible(seen)
        if seen:
            y = float(scaled(np.array([self.baseline]))[0])
            self._base_line.setValue(y)
            self.base_text.setText(translate("loss", "base model (validation)"))
            places = [(x, anchor) for anchor in (1, 0) for x in (0, 1)]
            self._place(self.base_text, y, places, curves, taken, -math.inf)
        self.floor_text.setVisible(bool(self._history))
        if not self._history:
            self._floor_line.clear()
            return
        # Each floor from its edit to the next; the last one to the right edge.
        starts = np.array([step for step, _ in self._history], float)
        ends = np.append(starts[1:], max(x1, starts[-1]))
        levels = scaled(np.array([value for _, value in self._history]))
        self._floor_line.setData(
            np.column_stack([starts, ends]).ravel(), np.repeat(levels, 2), connect="finite"
        )
        level = float(levels[-1])
        reached = math.isfinite(level)
        tail = (
            translate("loss", "Eckart–Young tail at r={}")
            if reached
            else translate("loss", "Eckart–Young tail at r={} is 0")
        )
        self.floor_text.setText(tail.format(self.rank))
        # A floor of 0 lies below every axis; its label stands where a falling loss has left.
        top = float(self._base_line.value()) if seen else y1
        places = [(x, anchor) for x in (1, 0) for anchor in ((1, 0) if reached else (0, 1))]
        start = float(starts[-1]) if reached else -math.inf
        self._place(self.floor_text, level if reached else top, places, curves, taken, start)

    def _place(
        self,
        text: pg.TextItem,
        y: float,
        places: Sequence[tuple[int, int]],
        curves: Sequence[Curve],
        taken: list[Box],
        start: float,
    ) -> None:
        """The first of `places` (right?, above?) at the line `y` where nothing is hidden.

        `start` is the step at which the line begins: further left the words would be of another.
        """
        (x0, x1), (y0, y1) = self._plot.view.viewRange()
        area, inset = text.boundingRect(), (x1 - x0) * 0.008
        begin = max(x0, start) + inset
        wide = area.width() * (x1 - x0) / self._plot.columns()
        tall = area.height() * (y1 - y0) / max(self._plot.view.height(), 1)
        edge = 3 * tall / max(area.height(), 1)  # pixels: a curve may lie on the line itself
        for right, above in places:
            left = x1 - inset - wide if right else begin
            low = y if above else y - tall
            inner = (left, left + wide, low + edge, low + tall - edge)
            box = (left, left + wide, low, low + tall)
            inside = left >= x0 and left + wide <= x1 and low >= y0 and low + tall <= y1
            hides = any(_overlap(box, other) for other in taken)
            if inside and not hides and not any(_crosses(curve, inner) for curve in curves):
                text.setAnchor((right, above))
                text.setPos(x1 - inset if right else begin, y)
                text.show()
                taken.append(box)
                return
        text.hide()
        self._unplaced.append(text)

    def restyle(self, colors: Colors) -> None:
        """Take up the colours in force."""
        dashes = Qt.PenStyle.DashLine
        self._base_line.setPen(pen(colors.frozen, 1, dashes))
        self._floor_line.setPen(pen(colors.good, 1, dashes))
        for text, color in ((self.base_text, colors.muted), (self.floor_text, colors.good)):
            text.setColor(color)
            text.fill = pg.mkBrush(colors.panel + "be")  # curves are still seen behind it
            text.setFont(theme.font(0.92))


def _overlap(one: Box, other: Box) -> bool:
    across = one[0] < other[1] and other[0] < one[1]
    return across and one[2] < other[3] and other[2] < one[3]


def _crosses(curve: Curve, box: Box) -> bool:
    """Whether a curve, its points (n) joined by lines, passes through a box."""
    x, y = curve
    if x is None or not len(x):
        return False
    left, right, low, high = box
    known = np.isfinite(y)
    x, y = np.asarray(x)[known], np.asarray(y)[known]
    if not len(x) or x[-1] < left or x[0] > right:
        return False
    ends = [end for end in (left, right) if x[0] <= end <= x[-1]]
    seen = np.concatenate([y[(x >= left) & (x <= right)], np.interp(ends, x, y)])
    return bool(len(seen)) and float(seen.min()) < high and float(seen.max()) > low
