"""Draws the pictures of the page on the SVD, as the bench itself does.

QT_QPA_PLATFORM=offscreen python resources/help/make_svd_pictures.py
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QPoint
from PySide6.QtGui import QPalette, QPixmap
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget

from lora_lab.data.matrix import Matrix, parse_matrix
from lora_lab.ui.bench.analysis import analyse
from lora_lab.ui.bench.blocks import BlocksView
from lora_lab.ui.bench.samples import SAMPLES
from lora_lab.ui.bench.scene import Scenes
from lora_lab.ui.style import theme

HERE = Path(__file__).resolve().parent
SCALE = 2  # pixels per point: sharp on dense screens
PICTURES = {"svd": ("3 × 3 of rank 2", 1), "svd-digit": ("Digit 8 × 8", 3)}  # sample and cut


def blocks(title: str, k: int) -> QWidget:
    """A sample's matrices, cut after k values, with room around them."""
    made = next(sample for sample in SAMPLES if sample.title == title).make()
    analysis = analyse(made if isinstance(made, Matrix) else parse_matrix(made))
    approximation = analysis.parts.truncated(k)
    view = BlocksView()
    scenes = Scenes(analysis, theme.current())
    view.show_scene(scenes.scene(k, approximation, analysis.parts.W - approximation))
    framed = QWidget()
    framed.setAutoFillBackground(True)
    framed.setBackgroundRole(QPalette.ColorRole.Base)
    column = QVBoxLayout(framed)
    column.setContentsMargins(16, 12, 16, 12)
    column.addWidget(view)
    return framed


def main() -> None:
    app = QApplication.instance() or QApplication(sys.argv[:1])
    theme.apply(app, "light")
    for name, (title, k) in PICTURES.items():
        widget = blocks(title, k)
        widget.resize(720, 430)
        widget.show()
        app.processEvents()
        picture = QPixmap(widget.size() * SCALE)
        picture.setDevicePixelRatio(SCALE)
        widget.render(picture, QPoint())
        picture.save(str(HERE / f"{name}.png"))
        widget.close()


if __name__ == "__main__":
    main()
