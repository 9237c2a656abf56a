"""pyqtgraph's PlotWidget as the lab sets it up: quiet axes, readable logarithms, following.

A plot follows its data until a hand pans or zooms it; a double click, or the Follow button that
then appears, returns to following. Curves are `pg.PlotCurveItem`s fed with what is visible, and
a logarithmic axis expects log10 of the values.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QFontMetricsF, QMouseEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QToolButton

from lora_lab.ui.style import theme
from lora_lab.ui.style.theme import Colors
from lora_lab.ui.widgets.cursor import Cursor, Points

CLICK = 3  # pixels that a click may wander
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float, digits: int = 3) -> str:
    """A short number for people: 0.123, 12.3, 4.56×10⁻⁷."""
    if value != value or math.isinf(value):
        return "—" if value != value else "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(value)))
    if -4 <= exponent < 6:
        decimals = max(0, digits - 1 - exponent)
        return f"{value:,.{decimals}f}".replace("-", "−")
    mantissa = value / 10.0**exponent
    return f"{mantissa:.{digits - 1}f}×10{str(exponent).translate(_SUPERSCRIPTS)}".replace("-", "−")


def pen(color: str, width: float = 1, style: Qt.PenStyle = Qt.PenStyle.SolidLine) -> QPen:
    """A cosmetic opaque pen: thick and translucent ones cost seconds at 10,000 points."""
    result = QPen(QColor(color), width, style)
    result.setCosmetic(True)
    return result


class Axis(pg.AxisItem):
    """Ticks with short labels; with `log` the values are decades and read as 0.01 or 10⁻⁶."""

    def __init__(self, orientation: str, log: bool = False) -> None:
        super().__init__(orientation)
        self.log = log
        self.unit = ""  # behind every number of an even axis
        self.whole = True  # of a bottom axis: whether it counts steps, with nothing between two
        self.enableAutoSIPrefix(False)
        self.setStyle(
            tickLength=0,
            maxTextLevel=1,
            tickTextOffset=6,
            hideOverlappingLabels=False,
            tickAlpha=255,  # opaque: a translucent grid costs 1 ms per frame
        )

    def boundingRect(self) -> QRectF:
        """Room for the labels at both ends, which pyqtgraph leaves out when there is a grid."""
        along, across = (0, 10) if self.orientation == "left" else (22, 0)
        return super().boundingRect().adjusted(-along, -across, along, across)

    def tickValues(self, minVal: float, maxVal: float, size: float) -> list:
        """Decades first, then 2…9 between them where there is room."""
        if not self.log or maxVal - minVal < 0.6:
            return self._even_ticks(minVal, maxVal, size)
        per_decade = size / (maxVal - minVal)
        step = max(1, math.ceil(26 / per_decade))
        low = math.floor(minVal)
        decades = np.arange(math.ceil(minVal / step) * step, maxVal + 1e-9, step)
        if step > 1 or per_decade < 70:
            return [(float(step), decades.tolist())]
        inner = (np.arange(low, maxVal + 1)[:, None] + np.log10(np.arange(2, 10))).ravel()
        inner = inner[(inner >= minVal) & (inner <= maxVal)]
        if per_decade < 90 or self.orientation == "bottom":  # labels side by side need more room
            return [(1.0, decades.tolist()), (0.01, inner.tolist())]
        strong = np.isin(np.round(10 ** (inner % 1)), (2, 5))
        named = sorted([*decades.tolist(), *inner[strong].tolist()])
        return [(1.0, named), (0.01, inner[~strong].tolist())]

    def _even_ticks(self, low: float, high: float, size: float) -> list:
        if not self.log:
            return super().tickValues(low, high, size)[:1]  # a calm grid: no lines between
        # Less than a decade in view: even steps of the value itself.
        low, high = 10.0**low, 10.0**high
        raw = (high - low) * 34 / max(size, 1)
        unit = 10.0 ** math.floor(math.log10(raw))
        step = next(unit * m for m in (1, 2, 5, 10) if unit * m >= raw)
        values = np.arange(math.ceil(low / step), math.floor(high / step) + 1) * step
        return [(1.0, np.log10(values[values > 0]).tolist())]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        """Labels of one level of ticks."""
        if self.log:
            return ["" if spacing < 0.1 else self._decade_text(v) for v in values]
        if self.orientation == "bottom" and self.whole:
            return [step_text(v, spacing) for v in values]
        return [f"{text}{self.unit}" for text in super().tickStrings(values, scale, spacing)]

    @staticmethod
    def _decade_text(decade: float) -> str:
        exponent = math.floor(decade + 1e-9)
        mantissa = 10.0 ** (decade - exponent)
        if -3 <= exponent <= 3:
            return f"{10.0**decade:.4g}"
        power = "10" + str(exponent).translate(_SUPERSCRIPTS)
        return power if abs(mantissa - 1) < 1e-6 else f"{mantissa:.3g}·{power}"


def step_text(step: float, spacing: float) -> str:
    """A step number on an axis: 800, 12k, 1.5M; nothing between two steps."""
    if abs(step - round(step)) > 1e-6:
        return ""
    step = round(step)
    if spacing >= 1000 and abs(step) >= 1_000_000:
        return f"{step / 1e6:g}M"
    return f"{step / 1000:g}k" if spacing >= 1000 and step else f"{step:,}"


class Plot(pg.PlotWidget):
    """One plot with a left and a bottom axis; `following` until moved by hand."""

    moved_by_hand = Signal()
    follow_requested = Signal()

    def __init__(
        self, name: str, x_label: str = "", log_y: bool = False, log_x: bool = False
    ) -> None:
        self.left, self.bottom = Axis("left", log_y), Axis("bottom", log_x)
        self.follow_button: QToolButton | None = None  # pyqtgraph resizes us before we have one
        super().__init__(axisItems={"left": self.left, "bottom": self.bottom})
        self.following = True
        self.curve_words: dict[str, str] = {}  # what curves are called under the cursor
        self.marks_by_click = True  # whether a click sets the cursor's mark
        self._press_at: QPointF | None = None
        # Whether what lies at x, with pixels as wide, was meant by a click: it sets no mark then.
        self.takes_click: Callable[[float, float], bool] = lambda x, pixel: False
        self.cursor_lines = Cursor(self, lambda: self.left.log, self._points, self._x_words, number)
        self.x_label = x_label
        self.setAccessibleName(name)
        self.viewport().setAccessibleName(name)
        self.setFrameShape(self.Shape.NoFrame)
        self.setMinimumSize(120, 90)
        item = self.getPlotItem()
        item.hideButtons()
        item.setMenuEnabled(False)
        item.setContentsMargins(2, 8, 18, 2)
        item.disableAutoRange()
        for axis in (self.left, self.bottom):
            axis.setGrid(255)
            axis.setZValue(-1000)  # the grid lies behind the data
        self.view = item.getViewBox()
        self.view.setDefaultPadding(0.0)
        self.view.sigRangeChangedManually.connect(self._taken_by_hand)
        button = QToolButton(self)
        button.setText(self.tr("Follow"))
        button.setToolTip(
            self.tr("Show everything again and follow the data (or double-click the plot)")
        )
        button.setAccessibleName(self.tr("Follow the data of {}").format(name))
        button.clicked.connect(self.follow)
        button.hide()
        self.follow_button = button
        self.restyle(theme.current())

    def restyle(self, colors: Colors) -> None:
        """Axes, grid and background in these colours."""
        self.setBackground(colors.panel)
        small = theme.font(0.92)
        metrics = QFontMetricsF(small)
        for axis in (self.left, self.bottom):
            axis.setTickFont(small)
            axis.setPen(pen(colors.border))
            axis.setTickPen(pen(colors.grid))
            axis.setTextPen(pen(colors.muted))
            axis.label.setFont(small)
        # A fixed width: a label that grows by a digit must not shift the whole picture.
        self.left.setWidth(round(metrics.horizontalAdvance("5·10⁻⁶") + 12))
        self.name_bottom(self.x_label)

    def set_log(self, on: bool) -> None:
        """Whether the y axis is logarithmic; its values are then given as log10."""
        if self.left.log != on:
            self.left.log, self.left.picture = on, None

    def name_bottom(self, text: str) -> None:
        """The label under the bottom axis."""
        self.x_label = text
        points = theme.font(0.92).pointSizeF()
        style = {"color": theme.current().muted, "font-size": f"{points:.1f}pt"}
        self.bottom.setLabel(text, **style)
        self.bottom.resizeEvent()  # it stays where the old text was centred otherwise

    def show_range(self, x: tuple[float, float], y: tuple[float, float]) -> None:
        """Set both ranges by program; following stays as it is."""
        # A sliver more on each side: pyqtgraph leaves out ticks that lie exactly on the edge.
        x, y = ((low - 0.004 * (high - low), high + 0.004 * (high - low)) for low, high in (x, y))
        self.view.setRange(xRange=x, yRange=y, padding=0, disableAutoRange=True)

    def shown(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """The curves that have a name, as they are drawn: x and y on the axes' scales."""
        items = (item for item in self.getPlotItem().listDataItems() if item.name())
        found = {item.name(): item.getData() for item in items}
        return {name: data for name, data in found.items() if data[0] is not None and len(data[0])}

    def columns(self) -> int:
        """Pixels across the drawing: more points than these cannot be seen."""
        return max(100, int(self.view.width()))

    def follow(self) -> None:
        """Return to following the data."""
        self.following = True
        self.follow_button.hide()
        self.follow_requested.emit()

    def _taken_by_hand(self, _axes: object = None) -> None:
        self.following = False
        self.follow_button.show()
        self.follow_button.raise_()
        self._place_button()
        self.moved_by_hand.emit()

    def _place_button(self) -> None:
        if self.follow_button is not None:
            self.follow_button.adjustSize()
            self.follow_button.move(self.width() - self.follow_button.width() - 16, 12)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_button()

    def _points(self) -> Points:
        """The curves that have words, as they are drawn."""
        shown = self.shown() if self.curve_words else {}
        return {w: shown[n] for n, w in self.curve_words.items() if n in shown}

    def _x_words(self, x: float) -> str:
        value = 10.0**x if self.bottom.log else x
        whole = float(round(value)) if not self.bottom.log and abs(value) >= 1 else value
        return f"{self.x_label} {number(whole, 3) if whole != round(whole) else f'{whole:,.0f}'}"

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        self.cursor_lines.move_to(event.position())

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self.cursor_lines.leave()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        left = event.button() == Qt.MouseButton.LeftButton
        self._press_at = event.position() if left else None

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        pressed, self._press_at = self._press_at, None
        if pressed is None or (event.position() - pressed).manhattanLength() > CLICK:
            return
        x = self.view.mapSceneToView(event.position()).x()
        if self.takes_click(x, self.view.viewPixelSize()[0]):
            self.cursor_lines.leave()
        elif self.marks_by_click:
            self.cursor_lines.click(event.position())

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        super().mouseDoubleClickEvent(event)
        if event.button() == Qt.MouseButton.LeftButton:
            self._press_at = None
            self.cursor_lines.clear()
            self.follow()
