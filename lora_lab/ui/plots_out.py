"""A panel as a picture, a drawing or a table: PNG, SVG and CSV that say which run they show."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QPoint, QSize
from PySide6.QtGui import QColor, QImage, QImageWriter, QPainter
from PySide6.QtWidgets import QWidget

from lora_lab import atomic
from lora_lab.errors import LabError
from lora_lab.progress import Report
from lora_lab.ui import theme
from lora_lab.ui.panels.panel import Columns, Panel

SCALE = 2  # pixels of a PNG for each of the screen's at 100 %
_ROWS = 20_000  # written between two reports

About = Mapping[str, str]


def image(panel: Panel, about: About) -> QImage:
    """The panel as it is laid out now, twice as sharp, with `about` among its texts."""
    made = QImage(SCALE * panel.size(), QImage.Format.Format_RGB32)
    made.setDevicePixelRatio(SCALE)
    made.fill(QColor(theme.current().panel))
    painter = QPainter(made)
    _render(panel, painter)
    painter.end()
    for key, text in about.items():
        made.setText(key, text)
    return made


def png(panel: Panel, about: About) -> bytes:
    """A PNG whose text chunks hold `about`."""
    buffer = _buffer()
    writer = QImageWriter(buffer, QByteArray(b"png"))
    if not writer.write(image(panel, about)):
        raise LabError(f"No PNG could be made: {writer.errorString()}.")
    return bytes(buffer.data())


def svg(panel: Panel, about: About) -> bytes:
    """An SVG of lines and letters; its <desc> holds `about` as JSON."""
    from PySide6.QtSvg import QSvgGenerator  # not before it is asked for: the window opens sooner

    buffer = _buffer()
    generator = QSvgGenerator(QSvgGenerator.SvgVersion.Svg11)  # 1.2 Tiny cannot clip
    generator.setOutputDevice(buffer)
    generator.setSize(QSize(panel.size()))
    generator.setViewBox(panel.rect())
    generator.setResolution(panel.logicalDpiX())
    generator.setTitle(about.get("Title", panel.title))
    generator.setDescription(json.dumps(dict(about), ensure_ascii=False))
    painter = QPainter(generator)
    painter.fillRect(panel.rect(), QColor(theme.current().panel))
    _render(panel, painter)
    painter.end()
    return bytes(buffer.data())


def table(panel: Panel) -> Columns:
    """What the panel draws, as columns; raises LabError where it has nothing to show."""
    columns = panel.figure_data()
    if not columns or not len(next(iter(columns.values()))):
        raise LabError(f"{panel.title} shows no numbers yet. Train a few steps first.")
    return columns


def csv_bytes(columns: Columns, about: About, report: Report = lambda what, share: None) -> bytes:
    """Columns under their names, after a comment line `# key: value` for each of `about`."""
    text = io.StringIO(newline="")
    for key, value in about.items():
        text.write(f"# {key}: {' '.join(value.split())}\n")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    count = len(next(iter(columns.values())))
    for start in range(0, count, _ROWS):
        report("Writing rows", start / count)
        parts = (column[start : start + _ROWS] for column in columns.values())
        plain = (part.tolist() if hasattr(part, "tolist") else part for part in parts)
        writer.writerows(zip(*plain, strict=True))
    return text.getvalue().encode("utf-8")


def write(path: Path, data: bytes) -> None:
    """Put a finished file in its place; raises LabError with what to do."""
    try:
        atomic.write_file(path, data)
    except OSError as error:
        reason = error.strerror or error
        raise LabError(f"{path} was not written: {reason}. Choose another place.") from error


def _buffer() -> QBuffer:
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    return buffer


def _render(panel: Panel, painter: QPainter) -> None:
    """The panel without the button that asks for this."""
    corner = panel.corner
    if corner is not None:
        corner.hide()
    try:
        panel.render(painter, QPoint(), renderFlags=QWidget.RenderFlag.DrawChildren)
    finally:
        if corner is not None:
            corner.show()
