"""Small multiples: the same small picture of σ for every layer, in a grid, on one scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from pyqtgraph.Qt.internals import PrimitiveArray
from PySide6.QtCore import QCoreApplication, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QHelpEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from lora_lab.ui.panels.spectrum.figures import two
from lora_lab.ui.panels.spectrum.scene import Cells, Range, Scene
from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import row_names, sub
from lora_lab.ui.style.theme import Colors
from lora_lab.ui.style.tips import show_tip
from lora_lab.ui.widgets.plot import number, pen

_SHAPE = 1.7  # width by height of a picture, about
_NAMED = 38  # pixels of height from which a picture has its name above it
_BARE = 2  # pixels above a picture without a name
_FEWEST = 1.6  # pixels that a value must have; more values than that are thinned


class SpectrumMultiples:
    """Bars of every layer side by side and below each other; the chosen one is framed."""

    def __init__(self) -> None:
        self.widget = Multiples()
        self.picture, self.plots = self.widget, ()
        self.row_chosen = self.widget.row_chosen
        self.range = Range()

    def draw(self, scene: Scene) -> None:
        """Show every layer on the same scale."""
        cells = Cells.of(scene.layers)
        theirs = [o.of(layer.name) for o in scene.others for layer in scene.layers]
        values = np.concatenate([cells.sigma[cells.nonzero], scene.true, *theirs])
        self.widget.show_scene(scene, cells, self.range.fit(values, scene.log))

    def restyle(self, colors: Colors) -> None:
        """Take up the colours in force."""
        self.widget.update()


@dataclass(frozen=True)
class _Grid:
    """Where the pictures lie, in pixels."""

    left: np.ndarray  # of each picture
    bottom: np.ndarray
    wide: float  # of the bars of one picture
    tall: float
    above: float  # that the name takes; _BARE where there is no room for it
    line: float  # below all
    most: int  # values side by side in a picture
    slot: float  # that each of them has
    stride: int  # every so many are drawn

    @classmethod
    def of(cls, widget: QWidget, scene: Scene, text: float) -> _Grid:
        count, line = len(scene.layers), text + 2
        height = max(1.0, widget.height() - line)
        columns = round(math.sqrt(count * widget.width() / height / _SHAPE))
        columns = max(1, min(count, columns))
        wide, tall = widget.width() / columns, height / -(-count // columns)
        named = tall >= _NAMED and wide >= _NAMED
        above, below = (text, 8) if named else (_BARE, 3)
        place = np.arange(count)
        bottom = (place // columns + 1.0) * tall - below
        bars = wide - (10 if wide > 60 else 4)
        most = max(max(len(layer.sigma), len(scene.true)) for layer in scene.layers)
        stride = max(1, math.ceil(most * _FEWEST / bars))
        left = place % columns * wide + 3.0
        return cls(left, bottom, bars, tall - above - below, above, line, most, bars / most, stride)


class Multiples(QWidget):
    """Paints the grid."""

    row_chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self._scene: Scene | None = None
        self._cells = Cells.of(())
        self._ends = (0.0, 1.0)
        self._grid: _Grid | None = None  # as it was painted last
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(120, 90)
        self.setAccessibleName(
            QCoreApplication.translate("Multiples", "Singular values of ΔW, a picture per layer")
        )

    def show_scene(self, scene: Scene, cells: Cells, ends: tuple[float, float]) -> None:
        """Paint `scene`, whose σ are `cells`, from now on; `ends` are those of the axis."""
        self._scene, self._cells, self._ends = scene, cells, ends
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        scene = self._scene
        if scene is None:
            return
        c, (low, high) = theme.current(), self._ends
        painter = QPainter(self)
        painter.setFont(theme.font(0.88))
        grid = self._grid = _Grid.of(self, scene, painter.fontMetrics().height())
        if grid.above > _BARE:
            self._paint_names(painter, grid)
        painter.setPen(Qt.PenStyle.NoPen)
        once = np.ones(len(scene.layers))
        _fill(painter, c.border, grid.left, grid.bottom, grid.wide * once, once)
        self._paint_bars(painter, grid)
        thick = 2 if grid.above > _BARE else 1
        for other in scene.others:
            rows = [other.of(layer.name) for layer in scene.layers]
            self._paint_line(painter, grid, other.run.pen(thick), rows)
        if len(scene.true):
            truth = [scene.true] * len(scene.layers)
            self._paint_line(painter, grid, pen(c.validation, thick), truth)
        self._frame_chosen(painter, grid)
        ends = [number(10.0**v if scene.log else v, 2) for v in (low, high)]
        words = self.tr("each: σ₁ to {}, {} to {}, log scale")
        words = words if scene.log else self.tr("each: σ₁ to {}, {} to {}")
        message = words.format(f"σ{sub(grid.most)}", *ends)
        painter.setPen(QColor(c.muted))
        below = QRectF(0, self.height() - grid.line, self.width(), grid.line)
        painter.drawText(below, Qt.AlignmentFlag.AlignVCenter, message)

    def _paint_names(self, painter: QPainter, grid: _Grid) -> None:
        """Above each picture its layer."""
        c, scene, metrics = theme.current(), self._scene, painter.fontMetrics()
        names = row_names([layer.name for layer in scene.layers])
        for layer, name, x, y in zip(scene.layers, names, grid.left, grid.bottom, strict=True):
            top = y - grid.tall - grid.above
            chosen = layer.name == scene.chosen and len(names) > 1
            painter.setPen(QColor(c.warn if chosen else c.muted))
            text = metrics.elidedText(name, Qt.TextElideMode.ElideLeft, int(grid.wide))
            where = QRectF(x, top, grid.wide, grid.above)
            painter.drawText(where, Qt.AlignmentFlag.AlignVCenter, text)

    def _frame_chosen(self, painter: QPainter, grid: _Grid) -> None:
        names = [layer.name for layer in self._scene.layers]
        if len(names) > 1 and self._scene.chosen in names:
            place = names.index(self._scene.chosen)
            top = grid.bottom[place] - grid.tall - grid.above
            painter.setPen(QColor(theme.current().warn))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            around = QRectF(grid.left[place] - 3, top, grid.wide + 5, grid.tall + grid.above + 3)
            painter.drawRect(around)

    def _paint_bars(self, painter: QPainter, grid: _Grid) -> None:
        c, scene = theme.current(), self._scene
        index = np.arange(0, self._cells.sigma.shape[1], grid.stride)
        nonzero = self._cells.nonzero[:, index]
        height = self._share(self._cells.sigma[:, index]) * grid.tall
        x = grid.left[:, None] + index * grid.slot
        wide = grid.slot * grid.stride
        # Where there is no room for gaps, bars overlap a little: rounding would leave some.
        bar = wide - 1 if wide >= 3 else wide + 0.6
        cuts = [scene.cuts.get(layer.name) or grid.most for layer in scene.layers]
        beyond = index >= np.array(cuts)[:, None]
        for chosen, color in ((nonzero & ~beyond, c.adapter), (nonzero & beyond, c.raw)):
            tops = (grid.bottom[:, None] - height)[chosen]
            _fill(painter, color, x[chosen], tops, np.full(len(tops), bar), height[chosen])

    def _paint_line(
        self, painter: QPainter, grid: _Grid, how: QPen, rows: Sequence[np.ndarray]
    ) -> None:
        """What is known, or what another run learned, as a line over the bars of each layer."""
        sigma = np.full((len(rows), grid.most + 1), np.nan)  # the last column parts the layers
        for place, row in enumerate(rows):
            sigma[place, : min(len(row), grid.most)] = row[: grid.most]
        x = grid.left[:, None] + (np.arange(grid.most + 1) + 0.5) * grid.slot
        y = grid.bottom[:, None] - self._share(sigma) * grid.tall
        painter.setPen(how)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPath(pg.arrayToQPath(x.ravel(), y.ravel(), connect="finite"))

    def _share(self, sigma: np.ndarray) -> np.ndarray:
        """How high they stand, from 0 to 1."""
        low, high = self._ends
        return np.clip((self._scene.scaled(sigma) - low) / (high - low), 0, 1)

    def _place_at(self, where: QPointF) -> int:
        """Of the layer under the pointer; -1 for none."""
        if self._grid is None:
            return -1
        x, y = where.x() - self._grid.left, self._grid.bottom - where.y()
        high = self._grid.tall + self._grid.above
        under = np.flatnonzero((x >= 0) & (x <= self._grid.wide) & (y >= 0) & (y <= high))
        return int(under[0]) if len(under) else -1

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            place = self._place_at(event.position())
            if place >= 0:
                self.row_chosen.emit(place)

    def event(self, event) -> bool:
        if isinstance(event, QHelpEvent):
            place = self._place_at(QPointF(event.pos()))
            if place < 0:
                show_tip(event.globalPos(), "", self)
            else:
                layer = self._scene.layers[place]
                first = number(float(layer.sigma[0]))
                words = f"{layer.name}: σ₁ {first}, ‖ΔW‖ {two(layer.delta_norm)}"
                show_tip(event.globalPos(), words, self)
            return True
        return super().event(event)


def _fill(painter: QPainter, color: str, *rects: np.ndarray) -> None:
    """Rectangles by their x, y, width and height; thousands at the cost of one call."""
    array = PrimitiveArray(QRectF, 4)
    array.resize(len(rects[0]))
    array.ndarray()[:] = np.column_stack(rects)
    painter.setBrush(QColor(color))
    painter.drawRects(*array.drawargs())
