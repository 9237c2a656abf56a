"""W ≈ U·Σ·Vᵀ drawn to scale, and under it what the cut makes of W: W_k, the error, W⁺.

The braces show LoRA's shape: U·Σ is a B of m × k, Vᵀ an A of k × n.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QHelpEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from lora_lab.ui.bench.block import Block, paint_block
from lora_lab.ui.bench.layout import ABOVE, BRACE, Placed, place
from lora_lab.ui.style import theme
from lora_lab.ui.style.tips import show_tip
from lora_lab.ui.widgets.plot import number, pen

SMALL = 0.92
U, S, VT = 1, 2, 3  # places in the upper line


@dataclass(frozen=True)
class Scene:
    """Everything that is painted."""

    upper: tuple[Block, Block, Block, Block]  # W, U, Σ, Vᵀ
    lower: tuple[Block, Block, Block]  # W_k, W − W_k, W⁺
    sign: str  # between W and U: = or ≈
    braces: tuple[str, str]  # for U·Σ and Vᵀ; empty where nothing is kept
    words: str  # the same in one sentence


class BlocksView(QWidget):
    """Paints a scene as large as it fits; the tooltip says the number under the pointer.

    The cut can be dragged in the factors: across U and Σ, down in Vᵀ.
    """

    cut_moved = Signal(int)  # by hand: how many values are kept

    def __init__(self) -> None:
        super().__init__()
        self._scene: Scene | None = None
        self._placed: Placed | None = None
        self._held: int | None = None  # which of the upper matrices a drag began in
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(self.tr("W, its factors U, Σ and Vᵀ, and the matrix of rank k"))

    def minimumSizeHint(self) -> QSize:
        line = self.fontMetrics().height()
        return QSize(22 * line, 15 * line)

    def sizeHint(self) -> QSize:
        line = self.fontMetrics().height()
        return QSize(44 * line, 26 * line)

    def show_scene(self, scene: Scene) -> None:
        """Paint this from now on."""
        self._scene = scene
        self.setAccessibleDescription(scene.words)
        self.update()

    @property
    def areas(self) -> tuple[QRectF, ...]:
        """Where W, U, Σ, Vᵀ, W_k, W − W_k and W⁺ were painted last."""
        return tuple(self._placed.areas) if self._placed is not None else ()

    def paintEvent(self, event: QEvent) -> None:
        scene = self._scene
        if scene is None:
            return
        colors = theme.current()
        font = theme.font(SMALL)
        metrics = QFontMetricsF(font)
        line = metrics.height()
        size = (float(self.width()), float(self.height()))
        self._placed = placed = place(
            scene.upper, scene.lower, scene.braces, size, line, cache(metrics.horizontalAdvance)
        )
        painter = QPainter(self)
        blocks = (*scene.upper, *scene.lower)
        for index, (block, area) in enumerate(zip(blocks, placed.areas, strict=True)):
            painter.setFont(font)
            paint_block(painter, area, block, framed=1 <= index <= 3)
            self._paint_words(painter, block, area, line)
        painter.setFont(theme.font(1.6, QFont.Weight.Medium))
        painter.setPen(QColor(colors.text))
        for sign, area in zip((scene.sign, "·", "·"), placed.signs, strict=True):
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter, sign)
        painter.setFont(font)
        for words, (begin, end) in zip(scene.braces, placed.braces, strict=True):
            if words:
                self._paint_brace(painter, begin, end, placed.brace_top, line, words)

    def _paint_words(self, painter: QPainter, block: Block, area: QRectF, line: float) -> None:
        colors = theme.current()
        above = QRectF(area.left(), area.top() - ABOVE * line, 1e4, line)
        painter.setFont(theme.font(SMALL, QFont.Weight.DemiBold))
        painter.setPen(QColor(colors.text))
        painter.drawText(above, Qt.AlignmentFlag.AlignLeft, block.name)
        above.translate(painter.fontMetrics().horizontalAdvance(f"{block.name}  "), 0)
        painter.setFont(theme.font(SMALL))
        painter.setPen(QColor(colors.muted))
        painter.drawText(above, Qt.AlignmentFlag.AlignLeft, block.caption)
        below = QRectF(area.left(), area.bottom() + 0.2 * line, 1e4, line)
        painter.drawText(below, Qt.AlignmentFlag.AlignLeft, block.foot)

    def _paint_brace(
        self, painter: QPainter, begin: float, end: float, top: float, line: float, words: str
    ) -> None:
        """⏟ from `begin` to `end` with its words in the middle below."""
        colors = theme.current()
        y, deep = top + 0.25 * line, 0.3 * line
        middle = (begin + end) / 2
        path = QPainterPath(QPointF(begin, y))
        path.quadTo(begin, y + deep, min(begin + deep, middle), y + deep)
        path.lineTo(max(middle - deep, begin), y + deep)
        path.quadTo(middle, y + deep, middle, y + 2 * deep)
        path.quadTo(middle, y + deep, min(middle + deep, end), y + deep)
        path.lineTo(max(end - deep, middle), y + deep)
        path.quadTo(end, y + deep, end, y)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(pen(colors.accent, 1.5))
        painter.drawPath(path)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        width = painter.fontMetrics().horizontalAdvance(words)
        x = max(min(middle - width / 2, self.width() - width - 1), min(begin, middle))
        x = begin if end - begin < width else x
        painter.drawText(
            QRectF(x, top + (BRACE - 1.05) * line, width + 2, line),
            Qt.AlignmentFlag.AlignLeft,
            words,
        )

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._held = self._factor_at(event.position())
            self._drag(event.position())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._drag(event.position())
        over = self._held or self._factor_at(event.position())
        across, down = Qt.CursorShape.SizeHorCursor, Qt.CursorShape.SizeVerCursor
        self.setCursor(Qt.CursorShape.ArrowCursor if not over else down if over == VT else across)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._held = None

    def _factor_at(self, at: QPointF) -> int | None:
        """Which of U, Σ, Vᵀ lies there, as its place in the upper line."""
        if self._placed is None:
            return None
        return next((i for i in (U, S, VT) if self._placed.areas[i].contains(at)), None)

    def _drag(self, at: QPointF) -> None:
        if self._held is None:
            return
        area, block = self._placed.areas[self._held], self._scene.upper[self._held]
        if self._held == VT:
            k = round((at.y() - area.top()) / area.height() * block.rows)
        else:
            k = round((at.x() - area.left()) / area.width() * block.columns)
        self.cut_moved.emit(max(0, min(k, len(self._scene.upper[S].values))))

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and self._scene is not None and self._placed is not None:
            words = self.words_at(QPointF(event.pos()))
            show_tip(event.globalPos(), words, self)
            return True
        return super().event(event)

    def words_at(self, at: QPointF) -> str:
        """Which number lies under the pointer."""
        blocks = (*self._scene.upper, *self._scene.lower)
        for block, area in zip(blocks, self._placed.areas, strict=True):
            if area.contains(at):
                i = min(block.rows - 1, int((at.y() - area.y()) / area.height() * block.rows))
                j = min(block.columns - 1, int((at.x() - area.x()) / area.width() * block.columns))
                value = number(float(block.values[i, j]), 4)
                words = self.tr("{}, row {}, column {}: {}").format(block.name, i + 1, j + 1, value)
                cut = i >= block.kept[0] or j >= block.kept[1]
                return words + (self.tr(" (cut)") if cut else "")
        return ""
