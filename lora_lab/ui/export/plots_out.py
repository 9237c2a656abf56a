"""A panel as a picture, a drawing or a table: PNG, SVG and CSV that say which run they show."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from PySide6.QtCore import QBuffer, QByteArray, QCoreApplication, QIODevice, QPoint, QRect, QRectF
from PySide6.QtGui import QColor, QImage, QImageWriter, QPainter, QRegion
from PySide6.QtWidgets import QAbstractButton, QGraphicsView, QWidget

from lora_lab import atomic
from lora_lab.errors import LabError, not_written
from lora_lab.names import legible
from lora_lab.progress import Report
from lora_lab.ui.panels.panel import Columns, Panel
from lora_lab.ui.style import theme
from lora_lab.ui.widgets.plot import Plot

translate = QCoreApplication.translate

# What is computed where a cell begins with it; in the wide letters of Chinese and Japanese too.
SIGN = "[-=+@－＝＋＠]"
FORMULA = re.compile(rf'[\t\n]|[\s"]*{SIGN}')  # a cell that is one
# And what becomes one, in any text: whoever opens a table may divide its lines by another sign.
CELL = re.compile(rf'(?<![\s",;|])([\s",;|]+)(?=({SIGN}[^,;|"\]}}\t\n]*))')
DIVIDES = re.compile(r"[,;|\t\n]")
NUMBER = re.compile(r"[-+]?\d+\.?\d*(e[-+]?\d+)?\s*", re.IGNORECASE)
SCALE = 2  # pixels of a PNG for each of the screen's at 100 %
_ROWS = 20_000  # written between two reports

About = Mapping[str, str]


def image(panel: Panel, about: About) -> QImage:
    """The panel as it is laid out now, twice as sharp, with `about` among its texts."""
    picture = QImage(SCALE * panel.size(), QImage.Format.Format_RGB32)
    picture.setDevicePixelRatio(SCALE)
    picture.fill(QColor(theme.current().panel))
    painter = QPainter(picture)
    _render(panel, painter)
    painter.end()
    for key, text in about.items():
        picture.setText(key, text)
    return picture


def png(panel: Panel, about: About) -> bytes:
    """A PNG whose text chunks hold `about`."""
    buffer = _buffer()
    writer = QImageWriter(buffer, QByteArray(b"png"))
    if not writer.write(image(panel, about)):
        raise LabError(translate("plots", "No PNG could be made: {}.").format(writer.errorString()))
    return bytes(buffer.data())


def svg(panel: Panel, about: About) -> bytes:
    """An SVG of lines and letters; its <desc> holds `about` as JSON."""
    plots = [view for view in panel.findChildren(QGraphicsView) if view.isVisible()]
    places = [QRect(view.mapTo(panel, QPoint()), view.size()) for view in plots]
    around = QRegion(panel.rect())
    for place in places:
        around -= place

    def paint_panel(painter: QPainter) -> None:
        painter.fillRect(panel.rect(), QColor(theme.current().panel))
        _render(panel, painter, around)

    def paint_plots(painter: QPainter) -> None:
        for view, place in zip(plots, places, strict=True):
            view.render(painter, QRectF(place), view.rect())

    # Qt writes where a child widget is clipped as if the child stood at the origin. The plots are
    # drawn by themselves, with their clips; what stands around them needs none.
    whole = re.sub(rb' clip-path="[^"]*"', b"", _drawn(panel, about, paint_panel))
    inner = _drawn(panel, about, paint_plots) if plots else b""
    inner = inner[inner.find(b"<defs>") : inner.rfind(b"</svg>")]
    for mark in (b"#", b'"'):
        inner = inner.replace(mark + b"clipPath", mark + b"plot")
        inner = inner.replace(mark + b"gradient", mark + b"plotGradient")
    # The cells of a heat map have edges; a browser would blur them.
    inner = inner.replace(b"<image ", b'<image style="image-rendering:pixelated" ')
    drawing = whole.replace(b"</svg>", inner + b"</svg>")
    return legible(drawing.decode("utf-8", "replace")).encode()  # XML has no control characters


def _drawn(panel: Panel, about: About, paint: Callable[[QPainter], None]) -> bytes:
    from PySide6.QtSvg import QSvgGenerator  # not before it is asked for: the window opens sooner

    buffer = _buffer()
    generator = QSvgGenerator(QSvgGenerator.SvgVersion.Svg11)  # 1.2 Tiny cannot clip
    generator.setOutputDevice(buffer)
    generator.setSize(panel.size())
    generator.setViewBox(panel.rect())
    generator.setResolution(panel.logicalDpiX())
    generator.setTitle(about.get("Title", panel.title))
    generator.setDescription(json.dumps(dict(about), ensure_ascii=False))
    painter = QPainter(generator)
    paint(painter)
    painter.end()
    return bytes(buffer.data())


def table(panel: Panel) -> Columns:
    """What the panel draws, as columns; raises LabError where it has nothing to show."""
    columns = panel.figure_data()
    if not columns or not len(next(iter(columns.values()))):
        words = translate("plots", "{} shows no numbers yet. Train a few steps first.")
        raise LabError(words.format(panel.title))
    return columns


def csv_bytes(columns: Columns, about: About, report: Report = lambda what, share: None) -> bytes:
    """Columns under their names, after a comment line `# key: value` for each of `about`."""
    text = io.StringIO(newline="")
    for key, value in about.items():
        words = " ".join(legible(value).split())
        text.write(f"# {key}: {CELL.sub(_held, words)}\n")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(_cell, columns))
    count = len(next(iter(columns.values())))
    for start in range(0, count, _ROWS):
        report(translate("plots", "Writing rows"), start / count)
        parts = (column[start : start + _ROWS] for column in columns.values())
        plain = (part.tolist() if hasattr(part, "tolist") else part for part in parts)
        writer.writerows(map(_cell, row) for row in zip(*plain, strict=True))
    return text.getvalue().encode("utf-8")


def _cell(value: Any) -> Any:
    """A text that no spreadsheet takes for a formula; numbers stay as they are."""
    if not isinstance(value, str):
        return value
    text = CELL.sub(_held, legible(value))
    return f"'{text}" if FORMULA.match(text) else text


def _held(cell: re.Match[str]) -> str:
    """What a spreadsheet divides a line by, and a mark where a formula follows; numbers stay."""
    before, value = cell.groups()
    divided = DIVIDES.search(before) and not NUMBER.fullmatch(value)
    return f"{before}'" if divided else before


def write(path: Path, data: bytes) -> None:
    """Put a finished file in its place; raises LabError with what to do."""
    try:
        atomic.write_file(path, data)
    except OSError as error:
        advice = translate("plots", "Choose another place.")
        raise LabError(f"{not_written(path, error)} {advice}") from error


def _buffer() -> QBuffer:
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    return buffer


def _render(panel: Panel, painter: QPainter, region: QRegion | None = None) -> None:
    """The panel, or a region of it, without the buttons: a picture cannot be pressed."""
    where = region if region is not None else QRegion(panel.rect())
    over = [plot.follow_button for plot in panel.findChildren(Plot) if plot.follow_button]
    over = [button for button in (*over, panel.corner) if button is not None and button.isVisible()]
    for button in panel.findChildren(QAbstractButton):
        if button.isVisible() and button not in over:
            where -= QRegion(QRect(button.mapTo(panel, QPoint()), button.size()))
    for button in over:  # they lie over what is to be seen
        button.hide()
    try:
        panel.render(painter, QPoint(), where, QWidget.RenderFlag.DrawChildren)
    finally:
        for button in over:
            button.show()
