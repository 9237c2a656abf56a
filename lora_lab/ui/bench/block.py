"""One matrix as a picture of cells: coloured, with its numbers where they fit, its cut part dim."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QImage, QPainter

from lora_lab.ui.style import theme
from lora_lab.ui.widgets.plot import number, pen

DIM = 0.22  # the opacity of what is cut
PAD = 4.0  # pixels beside a number in its cell
MOST_NUMBERS = 400  # in one block; more are not read


@dataclass(frozen=True)
class Block:
    """A matrix, its picture, and how much of it is kept."""

    name: str
    caption: str  # beside the name, above the picture
    foot: str  # below it
    values: np.ndarray
    image: QImage
    scale: float  # the size of a number that has the full colour; 0 where the picture is grey
    kept: tuple[int, int]  # rows and columns from the top left; the rest is cut
    texts: tuple[tuple[str, ...], ...] = ()  # what stands in the cells, where there are few

    @property
    def rows(self) -> int:
        return self.values.shape[0]

    @property
    def columns(self) -> int:
        return self.values.shape[1]


def texts_of(values: np.ndarray, blank_zeros: bool = False) -> tuple[tuple[str, ...], ...]:
    """Short numbers for the cells: whole ones as they are, others with two decimals."""
    if values.size > MOST_NUMBERS:
        return ()
    largest = float(np.abs(values).max())
    apart = float(np.abs(values - np.rint(values)).max())
    whole = largest < 1e5 and apart <= 1e-9 * largest  # also where rounding errors are left
    decimal = not whole and 0.05 <= largest < 1e3

    def text(value: float) -> str:
        if not value and blank_zeros:
            return ""
        if abs(value) <= 1e-12 * largest:
            return "0"
        if whole or decimal:
            return f"{value:.{0 if whole else 2}f}".replace("-", "−")
        return number(value, 2)

    return tuple(tuple(map(text, row)) for row in values.tolist())


def widest(block: Block, metrics: QFontMetricsF) -> float:
    """How wide a cell must be for all its numbers; 0 where none are to be written."""
    words = {text for row in block.texts for text in row}
    return max((metrics.horizontalAdvance(text) for text in words), default=-PAD) + PAD


def paint_block(painter: QPainter, area: QRectF, block: Block, framed: bool) -> None:
    """Draw it into `area`; with `framed`, what is kept has a frame where some is cut."""
    colors = theme.current()
    kept_rows, kept_columns = block.kept
    whole = kept_rows >= block.rows and kept_columns >= block.columns
    width, height = area.width() / block.columns, area.height() / block.rows
    inner = QRectF(area.x(), area.y(), kept_columns * width, kept_rows * height)
    shrinks = min(width, height) * painter.device().devicePixelRatioF() < 1
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, shrinks)
    if not whole:
        painter.setOpacity(DIM)
        painter.drawImage(area, block.image)
        painter.setOpacity(1.0)
    if kept_rows and kept_columns:
        painter.drawImage(inner, block.image, QRectF(0, 0, kept_columns, kept_rows))
    if min(width, height) >= 5:
        painter.setPen(pen(colors.panel))  # a thin gap between cells
        for i in range(1, block.rows):
            y = round(area.y() + i * height)
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
        for j in range(1, block.columns):
            x = round(area.x() + j * width)
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
    if block.texts and widest(block, QFontMetricsF(painter.font())) <= width:
        _paint_texts(painter, area, block, width, height)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(pen(colors.border))
    painter.drawRect(area)
    if framed and not whole and not inner.isEmpty():
        painter.setPen(pen(colors.accent, 2))
        painter.drawRect(inner)


def _paint_texts(
    painter: QPainter, area: QRectF, block: Block, width: float, height: float
) -> None:
    colors = theme.current()
    for i, row in enumerate(block.texts):
        for j, text in enumerate(row):
            kept = i < block.kept[0] and j < block.kept[1]
            strong = block.scale > 0 and abs(block.values[i, j]) > 0.6 * block.scale
            color = colors.on_accent if strong and kept else colors.text if kept else colors.muted
            painter.setPen(QColor(color))
            cell = QRectF(area.x() + j * width, area.y() + i * height, width, height)
            painter.drawText(cell, Qt.AlignmentFlag.AlignCenter, text)
