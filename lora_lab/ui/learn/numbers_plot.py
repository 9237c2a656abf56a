"""Scores over the numbers trained: a mark and a curve per method, and full training's line."""

from __future__ import annotations

import math

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from lora_lab.intrinsic.marks import Comparison, Mark, Running, Tried, spread
from lora_lab.intrinsic.methods import known, row
from lora_lab.ui.style import theme
from lora_lab.ui.style.theme import Colors
from lora_lab.ui.widgets.labels import describe
from lora_lab.ui.widgets.legend import Row
from lora_lab.ui.widgets.plot import Plot, number, pen


class _Curve:
    """One method: its runs as dots, its marks with their spread, and the line through them."""

    def __init__(self, method: str) -> None:
        self.tried: list[Tried] = []
        self.marks: list[Mark] = []
        self.dots = pg.ScatterPlotItem(pxMode=True, size=4)
        self.line = pg.PlotCurveItem(name=method)
        self.bars = pg.ErrorBarItem(x=np.array([]), y=np.array([]))
        self.symbols = pg.ScatterPlotItem(pxMode=True, size=11, symbol=row(method).mark)

    def items(self) -> tuple[pg.GraphicsObject, ...]:
        return self.dots, self.line, self.bars, self.symbols


class NumbersPlot(Plot):
    """x is log10 of the numbers. A faint dot is a run, a symbol the mean of its seeds."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(
            self.tr("Score over the number of numbers"), self.tr("numbers trained"), log_x=True
        )
        if parent is not None:
            self.setParent(parent)
        self._sign, self._running = 1.0, 0
        self._full: list[Tried] = []
        self.result: Comparison | None = None
        self._curves = {method: _Curve(method) for method in known()}
        for curve in self._curves.values():
            for item in curve.items():
                self.addItem(item)
        self._line, self._ring = pg.InfiniteLine(angle=0), pg.InfiniteLine(angle=90)
        for item in (self._line, self._ring):
            self.addItem(item)
        self.follow_requested.connect(self.redraw)
        self._styled = True
        self.restyle(theme.current())

    @property
    def marks(self) -> list[Mark]:
        """All that stand."""
        return [mark for curve in self._curves.values() for mark in curve.marks]

    def clear_runs(self, loss: bool = False) -> None:
        """Nothing was trained yet; `loss`: scores are losses, turned over."""
        self._sign = -1.0 if loss else 1.0
        self._running, self._full, self.result = 0, [], None
        for curve in self._curves.values():
            curve.tried, curve.marks = [], []
        self.redraw()

    def set_running(self, running: Running | None) -> None:
        """What is on its way now: a dotted line."""
        self._running = running.trained if running is not None and running.method else 0
        self._place_ring()

    def add(self, item: Tried | Mark) -> None:
        """A run more, or all of a size."""
        if not item.method:
            self._full += [item] if isinstance(item, Tried) else []
        elif isinstance(item, Mark):
            self._curves[item.method].marks.append(item)
        else:
            self._curves[item.method].tried.append(item)
        self.redraw()

    def show_result(self, result: Comparison) -> None:
        self.result = result
        self.set_running(None)
        self.redraw()

    def legend_rows(self, methods: tuple[str, ...]) -> list[Row]:
        """A row per method, and full training."""
        colors = theme.current()
        rows = [(row(name).sample, self._color(name), str(row(name))) for name in methods]
        return [*rows, ("- -", colors.muted, self.tr("full training"))]

    def restyle(self, colors: Colors) -> None:
        super().restyle(colors)
        if not hasattr(self, "_styled"):
            return
        self._ring.setPen(pen(colors.accent, 1, Qt.PenStyle.DotLine))
        self._line.setPen(pen(colors.muted, 1, Qt.PenStyle.DashLine))
        self.redraw()

    def redraw(self) -> None:
        """Everything anew: there are a few hundred runs at most."""
        if not hasattr(self, "_styled"):
            return
        for method, curve in self._curves.items():
            self._draw(method, curve)
        full = self._full_score()
        self._line.setVisible(full == full)
        if full == full:
            self._line.setValue(full)
        self._place_ring()
        if self.following:
            self._fit(full)
        marks = sorted(self.marks, key=lambda mark: (mark.method, mark.trained))
        words = (f"{row(m.method)} {m.trained:,}: {number(self._sign * m.mean)}" for m in marks)
        describe(self, "; ".join(words))

    def _full_score(self) -> float:
        if self.result is not None:
            return self._sign * self.result.full.mean
        finite = [self._sign * run.score for run in self._full if math.isfinite(run.score)]
        return (max if self._sign > 0 else min)(finite) if finite else math.nan

    def _place_ring(self) -> None:
        self._ring.setVisible(self._running > 0)
        if self._running:
            self._ring.setValue(math.log10(self._running))

    def _color(self, method: str) -> str:
        series = theme.current().series
        return series[list(self._curves).index(method) % len(series)]

    def _draw(self, method: str, curve: _Curve) -> None:
        color = self._color(method)
        finite = [run for run in curve.tried if math.isfinite(run.score)]
        curve.dots.setData(
            [math.log10(run.trained) for run in finite], [self._sign * r.score for r in finite],
            pen=None, brush=color,
        )  # fmt: skip
        marks = sorted(curve.marks, key=lambda mark: mark.trained)
        x = np.log10([mark.trained for mark in marks]) if marks else np.array([])
        y = np.array([self._sign * mark.mean for mark in marks])
        curve.line.setData(x, y)
        curve.line.setPen(pen(color, 2))
        curve.bars.setData(x=x, y=y, height=np.array([2 * spread(m.scores) for m in marks]))
        curve.bars.setOpts(pen=pen(color, 1), beam=0.02)
        curve.symbols.setData(x, y, pen=pen(color, 2), brush=color)

    def _fit(self, full: float) -> None:
        points = [
            (math.log10(mark.trained), self._sign * mark.mean) for mark in self.marks
        ] or [(1.0, 0.0), (4.0, 1.0)]  # fmt: skip
        xs = [x for x, _ in points]
        ys = [y for _, y in points] + ([full] if full == full else [])
        rooms = [(0.06 * (max(v) - min(v)) or 0.1) for v in (xs, ys)]
        ranges = [(min(v) - room, max(v) + room) for v, room in zip((xs, ys), rooms, strict=True)]
        self.show_range(*ranges)
