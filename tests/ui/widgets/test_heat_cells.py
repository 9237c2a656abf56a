"""The ramp of the heat cells: in order by lightness alone, and its numbers can always be read."""

from itertools import pairwise

import pytest
from PySide6.QtCore import QRect
from PySide6.QtGui import QColor, QImage, QPainter, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QApplication, QStyleOptionViewItem, QTableView

from lora_lab.ui.style import theme
from lora_lab.ui.widgets.heat_cells import HEAT, HeatCells, luminance, ramp, shade

# How a person without one kind of cones sees linear red, green and blue (Viénot et al. 1999).
SEEN_WITHOUT = {
    "red": ((0.11238, 0.88762, 0.0), (0.11238, 0.88762, 0.0), (0.00401, -0.00401, 1.0)),
    "green": ((0.29275, 0.70725, 0.0), (0.29275, 0.70725, 0.0), (-0.02234, 0.02234, 1.0)),
    "none": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
}


def linear(color: QColor) -> list[float]:
    return [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in color.getRgbF()[:3]
    ]


def lightness(color: QColor, eye: str) -> float:
    """CIE L* of what that eye sees."""
    rgb = linear(color)
    seen = [sum(a * b for a, b in zip(row, rgb, strict=True)) for row in SEEN_WITHOUT[eye]]
    y = sum(a * b for a, b in zip((0.2126, 0.7152, 0.0722), seen, strict=True))
    return 116 * y ** (1 / 3) - 16 if y > 0.008856 else 903.3 * y


@pytest.mark.parametrize("eye", SEEN_WITHOUT)
@pytest.mark.parametrize("dark", [False, True])
def test_steps_are_in_order_and_even_for_every_eye(dark, eye):
    seen = [lightness(ground, eye) for ground, _ in ramp(dark)]
    steps = [(b - a) if dark else (a - b) for a, b in pairwise(seen)]
    mean = sum(steps) / len(steps)
    assert min(steps) > 0.4 * mean
    assert max(steps) < 1.9 * mean
    assert abs(seen[-1] - seen[0]) > 55


@pytest.mark.parametrize("dark", [False, True])
def test_every_number_can_be_read(dark):
    for ground, ink in ramp(dark):
        high, low = sorted((luminance(ground), luminance(ink)), reverse=True)
        assert (high + 0.05) / (low + 0.05) >= 4.5  # WCAG 2, AA


def test_luminance_is_that_of_the_standard():
    assert luminance(QColor("white")) == pytest.approx(1)
    assert luminance(QColor("#808080")) == pytest.approx(0.2159, abs=1e-4)


def test_a_cell_stands_on_its_level_and_the_largest_marks_its_edge(qtbot):
    theme.apply(QApplication.instance(), "light")
    table = QTableView()
    qtbot.addWidget(table)
    model = QStandardItemModel(1, 1)
    item = QStandardItem("3 %")
    item.setData(("3 %", 0.5, 1.0), HEAT)
    model.setItem(0, 0, item)
    table.setModel(model)
    image = QImage(80, 24, QImage.Format.Format_RGB32)
    image.fill(QColor(theme.current().panel))
    option = QStyleOptionViewItem()
    option.initFrom(table)
    option.rect = QRect(0, 0, 80, 24)
    painter = QPainter(image)
    HeatCells().paint(painter, option, model.index(0, 0))
    painter.end()
    assert image.pixelColor(5, 12) == QColor(shade(0.5)[0].name())
    assert image.pixelColor(75, 12) == QColor(shade(1.0)[0].name())
    assert image.pixelColor(0, 0) == QColor(theme.current().panel)
