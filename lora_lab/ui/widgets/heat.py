"""A heat map: rows by columns as shades of one colour, with names at the left and a scale."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QFontMetricsF, QHelpEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QWidget

from lora_lab.ui.style import theme
from lora_lab.ui.style.theme import Colors
from lora_lab.ui.style.tips import show_tip
from lora_lab.ui.widgets.plot import Plot, number, pen

_NAMES_SHARE = 0.34  # of the width at most
_ROW_TEXT = 13  # pixels that a row needs for its name
_SHADES = 256


def shades(colors: Colors) -> np.ndarray:
    """(256, 4) RGBA of uint8: from nearly the panel to the far side of the adapter's colour.

    One hue whose lightness only ever grows or only ever falls: it is read without telling hues.
    """
    panel, adapter, text = (
        np.array(QColor(name).getRgb()[:3], float)
        for name in (colors.panel, colors.adapter, colors.text)
    )
    stops = [panel + 0.12 * (adapter - panel), adapter, adapter + 0.8 * (text - adapter)]
    at = np.linspace(0, 1, _SHADES)
    levels = np.full((_SHADES, 4), 255.0)
    for channel in range(3):
        levels[:, channel] = np.interp(at, (0, 0.6, 1), [stop[channel] for stop in stops])
    return np.round(levels).astype(np.uint8)


class _Scale(QWidget):
    """The shades from bottom to top, with the values at both ends and in the middle."""

    def __init__(self) -> None:
        super().__init__()
        self._texts = ("", "", "")
        self._shades = shades(theme.current())
        self.setFixedWidth(self._room())

    def _room(self) -> int:
        return round(QFontMetricsF(theme.font(0.92)).horizontalAdvance("0.00×10⁻⁴")) + 20

    def show_ends(self, low: float, high: float, log: bool) -> None:
        values = (high, (low + high) / 2, low)
        texts = tuple(number(10.0**v if log else v, 2) for v in values)
        if texts != self._texts:
            self._texts = texts
            self.update()

    def restyle(self, shades: np.ndarray) -> None:
        self._shades = shades
        self.setFixedWidth(self._room())
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setFont(theme.font(0.92))
        line = painter.fontMetrics().height()
        tall = self.height() - 1.5 * line
        for row in range(64):
            shade = QColor(*map(int, self._shades[_SHADES - 1 - row * 4]))
            painter.fillRect(QRectF(4, line / 2 + row * tall / 64, 9, tall / 64 + 1), shade)
        painter.setPen(QColor(theme.current().muted))
        for place, text in enumerate(self._texts):
            if place == 1 and tall < 4 * line:
                continue
            y = line / 2 + tall * place / 2 - line / 2
            beside = QRectF(17, y, self.width() - 17, line)
            painter.drawText(beside, Qt.AlignmentFlag.AlignVCenter, text)


class _Map(Plot):
    """The plot of the cells: what lies under the pointer is told, a click chooses its row."""

    pointed = Signal(QPointF, object)  # where, in cells; and the place on the screen
    clicked = Signal(QPointF)

    def viewportEvent(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent):
            self.pointed.emit(self._at(event.pos()), event.globalPos())
            return True
        return super().viewportEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._pressed = event.position().toPoint()
        super().mousePressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        at = event.position().toPoint()
        moved = (at - self._pressed).manhattanLength()
        if event.button() == Qt.MouseButton.LeftButton and moved < 4:
            self.clicked.emit(self._at(at))

    def _at(self, pos) -> QPointF:
        return self.view.mapSceneToView(self.mapToScene(pos))


@dataclass(frozen=True)
class HeatShown:
    """What a heat map shows: its values, their shades, and the names that have room."""

    cells: np.ndarray  # (rows, columns); nan where there is none
    pixels: np.ndarray  # (rows or fewer, columns, 4) RGBA of uint8
    names: tuple[str, ...]


class Heat(QWidget):
    """Cells (rows, columns); nan is an empty place. The first row stands above."""

    row_chosen = Signal(int)  # a click on it

    def __init__(self, name: str, x_label: str) -> None:
        super().__init__()
        self.plot = plot = _Map(name, x_label)
        plot.bottom.setGrid(False)
        plot.left.setGrid(False)
        plot.view.invertY(True)
        self._image = pg.ImageItem(axisOrder="row-major")
        self._frame = pg.PlotCurveItem()
        plot.addItem(self._image, ignoreBounds=True)
        plot.addItem(self._frame, ignoreBounds=True)
        plot.pointed.connect(self._show_tip)
        plot.clicked.connect(self._click)
        self._scale = _Scale()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(plot, 1)
        row.addWidget(self._scale)
        self._cells = np.empty((0, 0))
        self._x = (0.0, 1.0)
        self._names: Sequence[str] = ()
        self._written: tuple[str, ...] = ()  # of the names, those that have room
        self._shown: tuple | None = None  # what `show_cells` was told last
        self._room = (0, 0)  # that it was painted for
        plot.view.sigResized.connect(self._refit)
        self.words: Callable[[int, int], str] = lambda row, column: ""
        self.restyle(theme.current())

    def show_cells(
        self,
        cells: np.ndarray,
        names: Sequence[str],
        x: tuple[float, float],
        ends: tuple[float, float],
        log: bool,
        marked: int = -1,
    ) -> None:
        """Paint `cells` (log10 of them where `log`) from x[0] to x[1]; `ends` span the shades."""
        self._cells, self._x = cells, x
        self._shown = (cells, names, x, ends, log, marked)
        self._room = self._measured()
        rows, plot = len(cells), self.plot
        if plot.following:
            plot.show_range(x, (0, rows))
        (low, high), tall = ends, max(1, int(plot.view.height()))
        with np.errstate(invalid="ignore"):
            shade = np.clip((cells - low) / max(high - low, 1e-12), 0, 1) * (_SHADES - 1)
        # Rows finer than a pixel would vanish at random: of each pixel's rows the strongest shows.
        joined = max(1, -(-rows // tall))
        if joined > 1:
            shade = np.fmax.reduceat(shade, np.arange(0, rows, joined), axis=0)
        empty = np.isnan(shade)
        pixels = self._shades.take(np.where(empty, 0, shade).astype(np.uint8), axis=0)
        pixels[empty, 3] = 0
        self._image.setImage(pixels, autoLevels=False, levels=None)
        self._image.setRect(QRectF(x[0], 0, x[1] - x[0], len(shade) * joined))
        if 0 <= marked < rows:
            self._frame.setData([x[0], x[1], x[1], x[0], x[0]], marked + np.array([0, 0, 1, 1, 0]))
        else:
            self._frame.clear()
        self._name_rows(names)
        self._scale.show_ends(low, high, log)

    def shown(self) -> HeatShown:
        """What a person sees now."""
        return HeatShown(self._cells, self._image.image, self._written)

    def _measured(self) -> tuple[int, int]:
        return self.width(), int(self.plot.view.height())

    def _refit(self) -> None:
        """Another size has room for more names or fewer, and for other rows: paint again."""
        if self._shown is not None and self._measured() != self._room:
            self.show_cells(*self._shown)

    def _name_rows(self, names: Sequence[str]) -> None:
        """Names at the left, as many as have room, cut at their beginning."""
        axis, metrics = self.plot.left, QFontMetricsF(theme.font(0.92))
        _, (top, bottom) = self.plot.view.viewRange()
        seen = abs(bottom - top) * _ROW_TEXT / max(1.0, self.plot.view.height())
        every = next(n for n in (1, 2, 3, 5, 7, 10, 14, 20, 50, 100, 200, 10**6) if n >= seen)
        key = (tuple(names), every, self.width())
        if key == self._names:
            return
        self._names = key
        most = _NAMES_SHARE * self.width()
        texts = [
            (row + 0.5, metrics.elidedText(names[row], Qt.TextElideMode.ElideLeft, most))
            for row in range(0, len(names), every)
        ]
        self._written = tuple(text for _, text in texts)
        wide = max((metrics.horizontalAdvance(text) for _, text in texts), default=0)
        axis.setWidth(round(wide) + 12)
        axis.setTicks([texts])

    def _cell_at(self, where: QPointF) -> tuple[int, int] | None:
        rows, columns = self._cells.shape
        begin, end = self._x
        row, column = int(where.y() // 1), int((where.x() - begin) / (end - begin) * columns // 1)
        return (row, column) if 0 <= row < rows and 0 <= column < columns else None

    def _show_tip(self, where: QPointF, on_screen) -> None:
        cell = self._cell_at(where)
        words = self.words(*cell) if cell is not None else ""
        show_tip(on_screen, words, self)

    def _click(self, where: QPointF) -> None:
        if (cell := self._cell_at(where)) is not None:
            self.row_chosen.emit(cell[0])

    def restyle(self, colors: Colors) -> None:
        """Take up the colours in force."""
        self.plot.restyle(colors)
        self._shades = shades(colors)
        self._scale.restyle(self._shades)
        self._frame.setPen(pen(colors.warn, 2))
        self._names = ()
