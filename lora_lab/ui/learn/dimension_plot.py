"""Scores over the number of numbers trained: a curve per start, full training, where 90 % is."""

from __future__ import annotations

import math
from statistics import fmean, stdev

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from lora_lab.analysis.intrinsic_dimension import Dimension
from lora_lab.intrinsic.results import BASE, STARTS, Point, Result
from lora_lab.ui.style import theme
from lora_lab.ui.style.theme import Colors
from lora_lab.ui.widgets.plot import Plot, pen

TICKS_EVERY = 2  # doublings between two labels


class DimensionPlot(Plot):
    """x is log2 d. A dot is a run, a curve the mean of the seeds, a bar a standard deviation."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(self.tr("Score over the number of numbers"), self.tr("numbers trained"))
        if parent is not None:
            self.setParent(parent)
        self.points: list[Point] = []
        self.result: Result | None = None
        self._weights = 1
        self._training, self._sign = 0, 1.0
        self._curves = {start: pg.PlotCurveItem() for start in STARTS}
        self._bars = {start: pg.ErrorBarItem(x=np.array([]), y=np.array([])) for start in STARTS}
        self._dots = {start: pg.ScatterPlotItem(pxMode=True) for start in STARTS}
        self._full = {start: pg.InfiniteLine(angle=0) for start in STARTS}
        self._target = {start: pg.InfiniteLine(angle=0) for start in STARTS}
        self._found = {start: pg.InfiniteLine(angle=90) for start in STARTS}
        self._ring = pg.InfiniteLine(angle=90)
        for start in STARTS:
            for item in (
                self._target[start], self._full[start], self._found[start], self._bars[start],
                self._curves[start], self._dots[start],
            ):  # fmt: skip
                self.addItem(item)
        self.addItem(self._ring)
        self.bottom.setTicks(None)
        self.follow_requested.connect(self.redraw)
        self.restyle(theme.current())
        self.clear_runs(1)

    def clear_runs(self, weights: int, loss: bool = False) -> None:
        """Nothing was trained yet of so many weights; `loss`: scores are losses, turned over."""
        self._sign = -1.0 if loss else 1.0
        self.points, self.result, self._weights, self._training = [], None, max(2, weights), 0
        top = math.ceil(math.log2(self._weights))
        every = TICKS_EVERY if top <= 20 else 2 * TICKS_EVERY
        ticks = [(float(i), f"{2**i:,}") for i in range(0, top + 1, every)]
        self.bottom.setTicks([ticks])
        self.redraw()

    def add(self, point: Point) -> None:
        """One more run."""
        self.points.append(point)
        self.redraw()

    def set_training(self, dimension: int) -> None:
        """What is on its way now; 0: full training, or nothing."""
        self._training = dimension
        self.redraw()

    def show_result(self, result: Result) -> None:
        self.result, self._training = result, 0
        self.redraw()

    def restyle(self, colors: Colors) -> None:
        super().restyle(colors)
        if not hasattr(self, "_ring"):
            return
        self._ring.setPen(pen(colors.accent, 1, Qt.PenStyle.DotLine))
        for start in STARTS:
            color = self.color(start, colors)
            self._curves[start].setPen(pen(color, 2))
            self._bars[start].setOpts(pen=pen(color, 1), beam=0.12)
            self._dots[start].setPen(pen(color, 1))
            self._dots[start].setBrush(color)
            self._full[start].setPen(pen(color, 1))
            self._target[start].setPen(pen(color, 1, Qt.PenStyle.DashLine))
            self._found[start].setPen(pen(color, 1, Qt.PenStyle.DashLine))
        self.redraw()

    @staticmethod
    def color(start: str, colors: Colors) -> str:
        """Of a start."""
        return colors.accent if start == BASE else colors.full

    def redraw(self) -> None:
        """Everything anew: there are a few hundred runs at most."""
        if not hasattr(self, "_ring"):
            return
        for start in STARTS:
            self._draw(start)
        self._ring.setVisible(self._training > 0)
        if self._training:
            self._ring.setValue(math.log2(self._training))
        if self.following:
            scores = [self._sign * p.score for p in self.points if math.isfinite(p.score)]
            scores = scores or [0.0, 1.0]
            low, high = min(scores), max(scores)
            margin = 0.06 * (high - low or 1.0)
            top = math.log2(self._weights)
            self.show_range((-0.3, top + 0.3), (low - margin, high + margin))

    def _draw(self, start: str) -> None:
        mine = [p for p in self.points if p.start == start and math.isfinite(p.score)]
        runs = [p for p in mine if not p.full and p.dimension]
        sizes = sorted({p.dimension for p in runs})
        x = np.log2(np.array(sizes, dtype=float)) if sizes else np.array([])
        rows = [[self._sign * p.score for p in runs if p.dimension == d] for d in sizes]
        y = np.array([fmean(row) for row in rows])
        spread = np.array([stdev(row) if len(row) > 1 else 0.0 for row in rows])
        self._curves[start].setData(x, y)
        self._bars[start].setData(x=x, y=y, height=2 * spread)
        self._dots[start].setData(
            np.log2([p.dimension for p in runs]) if runs else [],
            [self._sign * p.score for p in runs],
            size=5,
        )
        measured = self.result.of(start) if self.result is not None else None
        full = [p.score for p in mine if p.full]
        level = measured.full if measured else max(full, default=math.nan)
        self._full[start].setVisible(bool(full))
        if full:
            self._full[start].setValue(self._sign * level)
        found = (measured.by_score or measured.by_gain) if measured else None
        self._mark(start, found)

    def _mark(self, start: str, found: Dimension | None) -> None:
        shown = found is not None and not found.d90.sign
        self._target[start].setVisible(found is not None)
        self._found[start].setVisible(shown)
        if found is not None:
            self._target[start].setValue(self._sign * found.target)
        if shown:
            self._found[start].setValue(math.log2(found.d90.d))
