"""The toolbar's icons, drawn as strokes on a 24 × 24 grid in the colours of the theme."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPainterPath, QPen, QPixmap

SIZES = (16, 20, 24, 32, 40, 48, 64)  # enough for 100 %, 150 % and 200 % scaling


def icon(name: str, color: str, disabled: str) -> QIcon:
    """The icon of that name; `color` and `disabled` are colour names such as #336699."""
    result = QIcon()
    for size in SIZES:
        result.addPixmap(_drawn(name, QColor(color), size), QIcon.Mode.Normal)
        result.addPixmap(_drawn(name, QColor(disabled), size), QIcon.Mode.Disabled)
    return result


def switch(on: str, off: str, knob: str, disabled: str) -> QIcon:
    """A small switch: filled with the knob at the right when on, an outline when off."""
    result = QIcon()
    for size in SIZES:
        for mode, full, line in (
            (QIcon.Mode.Normal, on, off),
            (QIcon.Mode.Disabled, disabled, disabled),
        ):
            result.addPixmap(_switch(full, knob, size, on=True), mode, QIcon.State.On)
            result.addPixmap(_switch(line, knob, size, on=False), mode, QIcon.State.Off)
    return result


def _switch(color: str, knob: str, size: int, *, on: bool) -> QPixmap:
    pixmap = QPixmap(size, size)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.scale(size / 24, size / 24)
    pill = QRectF(1.5, 6, 21, 12)
    painter.setPen(QPen(QColor(color), 1.7))
    painter.setBrush(QColor(color) if on else Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(pill, 6, 6)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(knob if on else color))
    painter.drawEllipse(QPointF(16.5 if on else 7.5, 12), 3.9, 3.9)
    painter.end()
    return pixmap


def _drawn(name: str, color: QColor, size: int) -> QPixmap:
    pixmap = QPixmap(size, size)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.scale(size / 24, size / 24)
    path, filled = _SHAPES[name]()
    if filled:
        painter.fillPath(path, color)
    else:
        pen = QPen(color, 1.9, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap)
        pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        painter.strokePath(path, pen)
    painter.end()
    return pixmap


def _lines(*strokes: tuple[tuple[float, float], ...]) -> QPainterPath:
    path = QPainterPath()
    for stroke in strokes:
        path.moveTo(QPointF(*stroke[0]))
        for point in stroke[1:]:
            path.lineTo(QPointF(*point))
    return path


def _train():
    path = _lines(((7, 4.5), (19.5, 12), (7, 19.5)))
    path.closeSubpath()
    return path, True


def _pause():
    path = QPainterPath()
    path.addRoundedRect(QRectF(6, 5, 4.2, 14), 1, 1)
    path.addRoundedRect(QRectF(13.8, 5, 4.2, 14), 1, 1)
    return path, True


def _stop():
    path = QPainterPath()
    path.addRoundedRect(QRectF(6, 6, 12, 12), 1.5, 1.5)
    return path, True


def _restart():
    path = QPainterPath()
    circle = QRectF(5, 5, 14, 14)
    path.arcMoveTo(circle, 125)
    path.arcTo(circle, 125, 305)
    path.addPath(_lines(((8.2, 2.8), (8.2, 7.0), (12.4, 7.0))))
    return path, False


def _open():
    path = _lines(((3.5, 18.5), (3.5, 5.5), (9.2, 5.5), (11.2, 8), (19, 8), (19, 11)))
    path.addPath(_lines(((3.5, 18.5), (6.6, 11), (21.5, 11), (18.4, 18.5), (3.5, 18.5))))
    return path, False


def _export():
    return _lines(
        ((12, 15), (12, 3.8)),
        ((7.8, 7.8), (12, 3.6), (16.2, 7.8)),
        ((4.5, 13.5), (4.5, 19.5), (19.5, 19.5), (19.5, 13.5)),
    ), False


_SHAPES = {
    "train": _train,
    "pause": _pause,
    "stop": _stop,
    "restart": _restart,
    "open": _open,
    "export": _export,
}
