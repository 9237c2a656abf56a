"""The cursor of a plot: what its curves say under the pointer, and how far that is from a mark.

A plot whose curves have words shows the value of each; another shows the place on its axes.
A click sets the mark, and another click near it takes it away. All of it lies over the plot, on a
widget of its own that lets every mouse event through; no curve is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from lora_lab.ui.style import theme

NEAR = 6  # pixels within which a click means the mark
PAD = 5
Points = dict[str, tuple[np.ndarray, np.ndarray]]  # x and y on the axes' scales, by words


@dataclass(frozen=True)
class Reading:
    """What the plot says at one place."""

    x: float  # on the axes' scales
    y: float
    values: dict[str, float]  # by the words of each curve; nan: it has none there


def nearest(points: Points, x: float) -> dict[str, float]:
    """The value of each curve at the point of it that is nearest to x; nan beyond its ends.

    Costs the logarithm of the points that are drawn, never the length of the run.
    """
    values = {}
    for words, (at, y) in points.items():
        if not len(at):
            continue
        place = int(np.searchsorted(at, x))
        places = [i for i in (place - 1, place) if 0 <= i < len(at)]
        best = min(places, key=lambda i: abs(float(at[i]) - x))
        slack = max(1.0, float(at[-1] - at[0]) / max(1, len(at) - 1))
        outside = x < float(at[0]) - slack or x > float(at[-1]) + slack
        values[words] = float("nan") if outside else float(y[best])
    return values


class Cursor(QWidget):
    """Follows the pointer over one plot."""

    def __init__(
        self,
        plot: pg.PlotWidget,
        is_log: Callable[[], bool],
        points: Callable[[], Points],
        x_words: Callable[[float], str],
        y_words: Callable[[float], str],
    ) -> None:
        """`points` are the curves that are drawn, as log10 where `is_log`; the words take values as
        the axes show them."""
        super().__init__(plot)
        self._plot, self._view, self._points = plot, plot.getViewBox(), points
        self._is_log = is_log
        self._x_words, self._y_words = x_words, y_words
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAccessibleName(self.tr("Values under the pointer"))
        self.here: Reading | None = None
        self.mark: Reading | None = None
        self.hide()

    def move_to(self, place: QPointF) -> None:
        """The pointer is here, in pixels of the plot."""
        if not self._area().contains(place):
            self.leave()
            return
        self.here = self._read(place)
        self._show()

    def leave(self) -> None:
        """The pointer is not over the curves; the mark stays."""
        self.here = None
        self._show()

    def click(self, place: QPointF) -> None:
        """Set the mark here, or take it away where it is."""
        if not self._area().contains(place):
            return
        near = self.mark is not None and abs(self._pixel(self.mark.x) - place.x()) <= NEAR
        self.mark = None if near else self._read(place)
        self._show()

    def clear(self) -> None:
        """Nothing is marked and nothing shown."""
        self.here = self.mark = None
        self._show()

    def _read(self, place: QPointF) -> Reading:
        at = self._view.mapSceneToView(place)
        return Reading(at.x(), at.y(), nearest(self._points(), at.x()))

    def lines(self) -> list[str]:
        """What is written beside the cursor: a line for x and one for each curve."""
        here = self.here
        if here is None:
            return []
        mark = self.mark
        rows = [self._x_words(here.x)]
        if mark is not None:
            rows[0] += f"   Δ {self._x_words(here.x - mark.x)}"
        before_by = {"": mark.y, **mark.values} if mark is not None else {}
        for words, y in (here.values or {"": here.y}).items():
            if y != y:
                continue
            value = self._value(y)
            row = f"{words}  {self._y_words(value)}".strip()
            if (before := before_by.get(words, float("nan"))) == before:
                difference = value - self._value(before)
                sign = "+" if difference > 0 else ""
                row += f"   Δ {sign}{self._y_words(difference)}"
                if self._is_log() and self._value(before) > 0:
                    row += f" (× {value / self._value(before):.3g})"
            rows.append(row)
        return rows

    def _value(self, y: float) -> float:
        return 10.0**y if self._is_log() else y

    def _area(self) -> QRectF:
        """Where the curves are, in pixels of the plot."""
        return self._view.sceneBoundingRect()

    def _pixel(self, x: float) -> float:
        return self._view.mapViewToScene(QPointF(x, 0)).x()

    def _show(self) -> None:
        shown = self.here is not None or self.mark is not None
        if shown:
            self.setGeometry(self._plot.rect())
            self.raise_()
        self.setVisible(shown)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        colors, area = theme.current(), self._area()
        painter = QPainter(self)
        for reading, color, style in (
            (self.mark, colors.accent, Qt.PenStyle.DashLine),
            (self.here, colors.muted, Qt.PenStyle.SolidLine),
        ):
            if reading is None:
                continue
            x = self._pixel(reading.x)
            if not area.left() <= x <= area.right():
                continue
            painter.setPen(QPen(QColor(color), 1, style))
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
            if not reading.values:
                y = self._view.mapViewToScene(QPointF(0, reading.y)).y()
                painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
        rows = self.lines()
        if rows:
            self._write(painter, rows, area, self._pixel(self.here.x))
        painter.end()

    def _write(self, painter: QPainter, rows: Sequence[str], area: QRectF, x: float) -> None:
        colors = theme.current()
        font = theme.font(0.92)
        metrics = QFontMetricsF(font)
        width = max(metrics.horizontalAdvance(row) for row in rows) + 2 * PAD
        height = len(rows) * metrics.lineSpacing() + 2 * PAD
        left = x + 8 if x + 8 + width <= area.right() else max(area.left(), x - 8 - width)
        box = QRectF(left, area.bottom() - height - 4, width, height)
        painter.setFont(font)
        painter.setPen(QPen(QColor(colors.border)))
        painter.setBrush(QColor(colors.panel))
        painter.drawRect(box)
        painter.setPen(QColor(colors.text))
        for number, row in enumerate(rows):
            y = box.top() + PAD + number * metrics.lineSpacing() + metrics.ascent()
            painter.drawText(QPointF(box.left() + PAD, y), row)
