"""What the loss is held against: the base alone, and the least that the applied rank can reach."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QCoreApplication, Qt

from lora_lab.ui.style import theme
from lora_lab.ui.style.theme import Colors
from lora_lab.ui.widgets.plot import Plot, pen
from lora_lab.ui.widgets.smoothing import FLOOR

translate = QCoreApplication.translate


class References:
    """Two dashed lines with a word each, on one plot."""

    def __init__(self, plot: Plot) -> None:
        self._plot = plot
        self._floor_line = pg.PlotCurveItem(connect="finite")
        self._base_line = pg.InfiniteLine(angle=0)
        self.floor_text = pg.TextItem(anchor=(1, 1))
        self.base_text = pg.TextItem(anchor=(0, 1))
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

    def draw(self, scaled: Callable[[np.ndarray], np.ndarray]) -> None:
        """Bring lines and words to where they belong."""
        (x0, x1), (_, y1) = self._plot.view.viewRange()
        seen = math.isfinite(self.baseline)
        self._base_line.setVisible(seen)
        self.base_text.setVisible(seen)
        inset = (x1 - x0) * 0.008
        if seen:
            y = float(scaled(np.array([self.baseline]))[0])
            self._base_line.setValue(y)
            self.base_text.setText(translate("loss", "base model (validation)"))
            # At the left, above: there the curves have not yet come down, or left their start.
            self.base_text.setPos(x0 + inset, y)
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
        self.floor_text.setAnchor((1, 1) if reached else (1, 0))
        self.floor_text.setPos(x1 - inset, level if reached else top)

    def restyle(self, colors: Colors) -> None:
        """Take up the colours in force."""
        dashes = Qt.PenStyle.DashLine
        self._base_line.setPen(pen(colors.frozen, 1, dashes))
        self._floor_line.setPen(pen(colors.good, 1, dashes))
        for text, color in ((self.base_text, colors.muted), (self.floor_text, colors.good)):
            text.setColor(color)
            text.fill = pg.mkBrush(colors.panel + "be")  # curves are still seen behind it
            text.setFont(theme.font(0.92))
