"""Small multiples: the same small picture of σ for every layer, in a grid, on one scale."""

from __future__ import annotations

import math

import numpy as np
from pyqtgraph.Qt.internals import PrimitiveArray
from PySide6.QtCore import QCoreApplication, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QHelpEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from lora_lab.ui import theme
from lora_lab.ui.panels.spectrum_figures import row_names, two
from lora_lab.ui.panels.spectrum_scene import Cells, Range, Scene
from lora_lab.ui.theme import Colors
from lora_lab.ui.widgets.plot import number

_SHAPE = 1.7  # width by height of a picture, about
_NAMED = 38  # pixels of height from which a picture has its name above it
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


class Multiples(QWidget):
    """Paints the grid."""

    row_chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self._scene: Scene | None = None
        self._cells = Cells.of(())
        self._ends = (0.0, 1.0)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(120, 90)
        self.setAccessibleName(
            QCoreApplication.translate("Multiples", "Singular values of ΔW, a picture per layer")
        )

    def show_scene(self, scene: Scene, cells: Cells, ends: tuple[float, float]) -> None:
        """Paint `scene`, whose σ are `cells`, from now on; `ends` are those of the axis."""
        self._scene, self._cells, self._ends = scene, cells, ends
        self.update()

    def _grid(self) -> tuple[int, float, float, float]:
        """Columns, width and height of one place, and the line below all."""
        count = len(self._scene.layers)
        line = self.fontMetrics().height() + 2
        tall = max(1, self.height() - line)
        columns = max(1, min(count, round(math.sqrt(count * self.width() / tall / _SHAPE))))
        rows = -(-count // columns)
        return columns, self.width() / columns, tall / rows, line

    def paintEvent(self, event: QPaintEvent) -> None:
        scene = self._scene
        if scene is None:
            return
        c, (low, high) = theme.current(), self._ends
        painter = QPainter(self)
        painter.setFont(theme.font(0.88))
        metrics, (columns, wide, tall, line) = painter.fontMetrics(), self._grid()
        named = tall >= _NAMED and wide >= 46
        above = metrics.height() if named else 2
        room = QRectF(0, 0, wide - (10 if wide > 60 else 4), tall - above - (8 if named else 3))
        most = max(max(len(la.sigma), len(scene.true)) for la in scene.layers)
        stride = max(1, math.ceil(most * _FEWEST / room.width()))
        slot = room.width() / most * stride
        bar = max(1.0, slot - 1 if slot >= 3 else slot)
        place = np.arange(len(scene.layers))
        left, top = place % columns * wide, place // columns * tall + above
        if named:
            names = row_names([layer.name for layer in scene.layers])
            for layer, name, x, y in zip(scene.layers, names, left, top, strict=True):
                painter.setPen(QColor(c.text if layer.name == scene.chosen else c.muted))
                where = QRectF(x, y - above, room.width(), above)
                text = metrics.elidedText(name, Qt.TextElideMode.ElideLeft, int(room.width()))
                painter.drawText(where, Qt.AlignmentFlag.AlignVCenter, text)
        painter.setPen(Qt.PenStyle.NoPen)
        bottom = top + room.height()
        _fill(
            painter, c.border, left, bottom, np.full(len(place), room.width()), np.ones(len(place))
        )
        index = np.arange(0, self._cells.sigma.shape[1], stride)
        nonzero = self._cells.nonzero[:, index]
        share = (scene.scaled(self._cells.sigma[:, index]) - low) / (high - low)
        height = np.clip(share, 0, 1) * room.height()
        x = left[:, None] + index / stride * slot
        cuts = np.array([scene.cuts.get(layer.name) or most for layer in scene.layers])
        beyond = index >= cuts[:, None]
        for chosen, color in ((nonzero & ~beyond, c.adapter), (nonzero & beyond, c.raw)):
            tops = (bottom[:, None] - height)[chosen]
            _fill(painter, color, x[chosen], tops, np.full(len(tops), bar), height[chosen])
        if len(scene.true) or scene.others:
            self._paint_levels(painter, room, above, slot / stride)
        painter.setPen(QColor(c.muted))
        ends = [number(10.0**v if scene.log else v, 2) for v in (low, high)]
        said = f"each: σ1 to σ{most}, {ends[0]} to {ends[1]}{', log scale' if scene.log else ''}"
        below = QRectF(0, self.height() - line, self.width(), line)
        painter.drawText(below, Qt.AlignmentFlag.AlignVCenter, said)
        if scene.chosen and len(scene.layers) > 1:
            self._frame_chosen(painter)

    def _paint_levels(self, painter: QPainter, room: QRectF, above: float, slot: float) -> None:
        """What is known or what other runs learned, as a line over the bars."""
        scene, (low, high) = self._scene, self._ends
        columns, wide, tall, _ = self._grid()
        lines = [(other, other.run.pen(1.4)) for other in scene.others]
        truth = QPen(QColor(theme.current().validation), 1.4)
        for place, layer in enumerate(scene.layers):
            x, bottom = place % columns * wide, place // columns * tall + above + room.height()
            rows = [(other.of(layer.name), how) for other, how in lines]
            for sigma, how in [*rows, (scene.true, truth)]:
                sigma = sigma[: max(len(layer.sigma), len(scene.true))]
                share = np.clip((scene.scaled(sigma) - low) / (high - low), 0, 1)
                points = [
                    QPointF(x + (i + 0.5) * slot, bottom - s * room.height())
                    for i, s in enumerate(share.tolist())
                ]
                painter.setPen(how)
                painter.drawPolyline(QPolygonF(points))

    def _frame_chosen(self, painter: QPainter) -> None:
        names = [layer.name for layer in self._scene.layers]
        if self._scene.chosen in names:
            columns, wide, tall, _ = self._grid()
            place = names.index(self._scene.chosen)
            painter.setPen(QColor(theme.current().warn))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            x, y = place % columns * wide, place // columns * tall
            painter.drawRect(QRectF(x - 2, y, wide - 3, tall - 3))

    def _place_at(self, pos) -> int:
        """Of the layer under the pointer; -1 for none."""
        if self._scene is None:
            return -1
        columns, wide, tall, _ = self._grid()
        place = int(pos.y() // tall) * columns + int(pos.x() // wide)
        return place if 0 <= place < len(self._scene.layers) else -1

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            place = self._place_at(event.position())
            if place >= 0:
                self.row_chosen.emit(place)

    def event(self, event) -> bool:
        if isinstance(event, QHelpEvent):
            place = self._place_at(event.pos())
            if place < 0:
                QToolTip.hideText()
            else:
                layer = self._scene.layers[place]
                first = number(float(layer.sigma[0]))
                said = f"{layer.name}: σ1 {first}, ‖ΔW‖ {two(layer.delta_norm)}"
                QToolTip.showText(event.globalPos(), said, self)
            return True
        return super().event(event)


def _fill(painter: QPainter, color: str, *rects: np.ndarray) -> None:
    """Rectangles by their x, y, width and height; thousands at the cost of one call."""
    array = PrimitiveArray(QRectF, 4)
    array.resize(len(rects[0]))
    array.ndarray()[:] = np.column_stack(rects)
    painter.setBrush(QColor(color))
    painter.drawRects(*array.drawargs())
