"""The losses of all lanes of a race over their steps, a smoothed curve each."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtWidgets import QWidget

from lora_lab.race.looks import LaneNow
from lora_lab.ui.style import theme
from lora_lab.ui.style.theme import Colors
from lora_lab.ui.widgets.labels import describe
from lora_lab.ui.widgets.plot import Plot, number, pen
from lora_lab.ui.widgets.series import Series
from lora_lab.ui.widgets.smoothing import FLOOR

PIECE = 25  # steps at most between two points
WINDOW, LEAST = 0.05, 10  # of a lane's steps that a point is the mean of, and how many at least


def lane_color(place: int) -> str:
    """Of the lane that came so many-th."""
    series = theme.current().series
    return series[place % len(series)]


class _Curve:
    """What is known of one lane."""

    def __init__(self, place: int, name: str) -> None:
        self.place = place
        self.series = Series()
        self._sums = [0.0]  # of the first so many losses
        self.item = pg.PlotCurveItem(connect="finite", name=name)

    def extend(self, begin: int, losses: Sequence[float]) -> None:
        """The losses of the steps behind `begin`; the last batch of an epoch may be small, so that
        a mean over some steps is drawn, and not of logarithms."""
        for at, loss in enumerate(losses, 1):
            self._sums.append(self._sums[-1] + loss)
            if at % PIECE == 0 or at == len(losses):
                count = len(self._sums) - 1
                wide = min(count, max(LEAST, round(WINDOW * count)))
                mean = (self._sums[-1] - self._sums[-1 - wide]) / wide
                self.series.extend([begin + at], [math.log10(max(mean, FLOOR))])


class RacePlot(Plot):
    """y is log10 of the loss, as its axis expects."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(self.tr("Loss of all lanes over steps"), self.tr("step"), log_y=True)
        if parent is not None:
            self.setParent(parent)
        self._curves: dict[str, _Curve] = {}
        self.follow_requested.connect(self.redraw)

    def clear_lanes(self) -> None:
        """Another race."""
        for name in tuple(self._curves):
            self._drop(name)

    def show_lanes(self, lanes: dict[int, LaneNow]) -> None:
        """Draw how these stand, each by its place; who is not among them has left."""
        names = {lane.name for lane in lanes.values()}
        for name in set(self._curves) - names:
            self._drop(name)
        for place, lane in lanes.items():
            curve = self._curves.get(lane.name)
            if curve is None:
                self._curves[lane.name] = curve = _Curve(place, lane.name)
                curve.item.setPen(pen(lane_color(place), 2))
                self.addItem(curve.item)
                self.curve_words[lane.name] = lane.name
            curve.extend(lane.begin, lane.losses)
        self.redraw()

    def redraw(self) -> None:
        """All curves, as they can be seen."""
        last = max((c.series.last_step or 0 for c in self._curves.values()), default=0)
        low, high = math.inf, -math.inf
        words = []
        for name, curve in self._curves.items():
            x, y = curve.series.window(0, last, self.columns() // 2)
            curve.item.setData(x.astype(float), y)
            if finite := y[np.isfinite(y)].tolist():
                low, high = min(low, *finite), max(high, *finite)
                words.append(f"{name}: {number(10.0 ** finite[-1])}")
        if self.following and low <= high:
            room = max(0.05 * (high - low), 0.01)
            self.show_range((0, max(last, 1)), (low - room, high + room))
        describe(self, "; ".join(words))

    def restyle(self, colors: Colors) -> None:
        super().restyle(colors)
        for curve in getattr(self, "_curves", {}).values():
            curve.item.setPen(pen(lane_color(curve.place), 2))

    def _drop(self, name: str) -> None:
        self.removeItem(self._curves.pop(name).item)
        self.curve_words.pop(name, None)
