"""The singular values of a matrix as bars on a log axis, with a cut to drag between them."""

from __future__ import annotations

import math

import numpy as np
import pyqtgraph as pg
from pyqtgraph.GraphicsScene.mouseEvents import MouseClickEvent
from PySide6.QtCore import QCoreApplication, QSignalBlocker, Qt, Signal
from PySide6.QtGui import QFocusEvent, QFontMetricsF, QKeyEvent, QResizeEvent

from lora_lab.ui.style import theme
from lora_lab.ui.style.theme import Colors
from lora_lab.ui.widgets.plot import Plot, number, pen

_ROOM = 0.35  # decades above the largest value and below the smallest
_BELOW = 1.5  # decades drawn below what rounding alone can make
MOST_VALUES = 12  # bars above which their values stand; of more they would overlap
STEPS = {
    Qt.Key.Key_Left: -1,
    Qt.Key.Key_Down: -1,
    Qt.Key.Key_Right: 1,
    Qt.Key.Key_Up: 1,
    Qt.Key.Key_PageDown: -10,
    Qt.Key.Key_PageUp: 10,
}


class SigmaPlot(Plot):
    """σ_i on a log axis: kept, cut, or rounding. Arrow keys, Home and End move the cut too."""

    cut_moved = Signal(int)  # by hand: how many values are kept

    def __init__(self) -> None:
        self._sigma = np.zeros(0)
        self._tolerance = 0.0
        self._k = 0
        self._bars: tuple[pg.BarGraphItem, ...] = ()
        super().__init__(
            QCoreApplication.translate("SVD bench", "Singular values of W"), log_y=True
        )
        self.bottom.setGrid(False)
        self._bars = tuple(pg.BarGraphItem(x=[], height=[], width=1) for _ in "123")
        self._rounding = pg.PlotCurveItem()
        self._values = [pg.TextItem("", anchor=(0.5, 1.1)) for _ in range(MOST_VALUES)]
        self._zero = pg.TextItem(self.tr("every σ is 0"), anchor=(0.5, 0.5))
        self.cut_line = pg.InfiniteLine(angle=90, movable=True)
        self.cut_line.setCursor(Qt.CursorShape.SizeHorCursor)
        self.cut_line.sigPositionChanged.connect(self._on_dragged)
        self.marks_by_click = False  # a click chooses how many σ are kept
        self.scene().sigMouseClicked.connect(self._on_clicked)
        for z, item in enumerate(
            (*self._bars, self._rounding, *self._values, self._zero, self.cut_line)
        ):
            item.setZValue(z)
            self.addItem(item, ignoreBounds=True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.follow_requested.connect(self._fit)
        self.restyle(theme.current())

    def show_sigma(self, sigma: np.ndarray, tolerance: float, k: int) -> None:
        """Draw these (r, descending) with the cut after k; up to `tolerance` they are rounding."""
        self._sigma, self._tolerance = sigma, tolerance
        self.following = True
        self.follow_button.hide()
        self._fit()
        self.show_cut(k)

    def show_cut(self, k: int) -> None:
        """Draw the cut after k values; tells nobody."""
        self._k = k
        with QSignalBlocker(self.cut_line):
            self.cut_line.setValue(k + 0.5)
        self._draw()

    def _name_bars(self) -> None:
        """σ_i above each bar, where there is room for all of them."""
        sigma = self._sigma.tolist() if np.any(self._sigma) else []
        names = ["≈ 0" if value <= self._tolerance else number(value, 4) for value in sigma]
        metrics = QFontMetricsF(theme.font(0.92))
        widest = max(map(metrics.horizontalAdvance, names[:MOST_VALUES]), default=0.0) + 6
        shown = len(names) <= MOST_VALUES and widest * len(names) <= self.view.width()
        low = self._floor() if sigma else 0.0
        for index, text in enumerate(self._values):
            text.setVisible(shown and index < len(names))
            if shown and index < len(names):
                text.setText(names[index])
                text.setPos(index + 1, max(low, math.log10(sigma[index]) if sigma[index] else low))

    def restyle(self, colors: Colors) -> None:
        super().restyle(colors)
        self.bottom.showLabel(False)
        if not self._bars:  # pyqtgraph dresses us before there are any
            return
        nothing = pg.mkPen(None)
        for bars, color in zip(
            self._bars, (colors.adapter, colors.raw, colors.frozen), strict=True
        ):
            bars.setOpts(brush=color, pen=nothing)
        self._rounding.setPen(pen(colors.marker, 1, Qt.PenStyle.DashLine))
        self.cut_line.setPen(pen(colors.validation, 4 if self.hasFocus() else 2))
        self.cut_line.setHoverPen(pen(colors.validation, 4))
        for text in (*self._values, self._zero):
            text.setColor(colors.text)
            text.fill = pg.mkBrush(colors.panel)  # so that no line runs through the figures
            text.setFont(theme.font(0.92))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        ends = {Qt.Key.Key_Home: 0, Qt.Key.Key_End: len(self._sigma)}
        if event.key() in STEPS:
            self._request(self._k + STEPS[Qt.Key(event.key())])
        elif event.key() in ends:
            self._request(ends[Qt.Key(event.key())])
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.restyle(theme.current())  # a thick cut: the arrow keys move it

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.restyle(theme.current())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self._bars and self.following:
            self._fit()

    def _on_dragged(self) -> None:
        self._request(round(self.cut_line.value() - 0.5))

    def _on_clicked(self, event: MouseClickEvent) -> None:
        """A click between two bars moves the cut there; a double click shows everything again."""
        if event.button() == Qt.MouseButton.LeftButton and not event.double():
            self._request(round(self.view.mapSceneToView(event.scenePos()).x() - 0.5))

    def _request(self, k: int) -> None:
        """Move the cut to the nearest gap between two bars, and say where it is now."""
        k = max(0, min(k, len(self._sigma)))
        moved = k != self._k
        self.show_cut(k)
        if moved:
            self.cut_moved.emit(k)

    def _floor(self) -> float:
        """log10 of where the bars begin."""
        seen = self._sigma[self._sigma > 0]
        lowest = math.log10(float(seen[-1]))
        if self._tolerance > 0:
            lowest = max(lowest, math.log10(self._tolerance) - _BELOW)
        return min(lowest, math.log10(float(seen[0])) - 0.5) - _ROOM

    def _fit(self) -> None:
        count = len(self._sigma)
        zero = not np.any(self._sigma)
        self._name_bars()
        self._zero.setVisible(zero)
        self.left.setStyle(showValues=not zero)
        if zero:
            self._rounding.setData([], [])
            self._zero.setPos(count / 2 + 0.5, 0.5)
            self.show_range((0.5, max(count, 1) + 0.5), (0, 1))
            return
        low, top = self._floor(), math.log10(float(self._sigma[0])) + _ROOM
        if count <= MOST_VALUES:  # room for the values above the bars
            top += (top - low) * 1.4 * self.fontMetrics().height() / max(60, self.height() - 40)
        self.show_range((0.5 - 0.01 * count, count + 0.5 + 0.01 * count), (low, top))
        level = math.log10(self._tolerance)
        self._rounding.setData([0, count + 1], [level, level])
        self._rounding.setVisible(level > low)

    def _draw(self) -> None:
        sigma, k = self._sigma, self._k
        index = np.arange(1, len(sigma) + 1)
        drawn = sigma > 0
        noise = sigma <= self._tolerance
        low = self._floor() if drawn.any() else 0.0
        groups = (drawn & ~noise & (index <= k), drawn & ~noise & (index > k), drawn & noise)
        width = 0.8 if len(sigma) <= 64 else 1.0
        for bars, some in zip(self._bars, groups, strict=True):
            height = np.maximum(np.log10(sigma[some]) - low, 0.0)
            bars.setOpts(x=index[some], height=height, width=width, y0=low)
        self.cut_line.setBounds((0.5, len(sigma) + 0.5))
