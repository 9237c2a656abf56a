"""The grid of true by answered classes: what is written where, in every size and scheme."""

import pytest
from PySide6.QtGui import QPainter

from lora_lab.ui.panels.confusion import ConfusionGrid
from lora_lab.ui.style import theme

COUNTS = ((40, 0, 5), (0, 3, 42), (1, 1, 1043))
CLASSES = ("cat", "dog", "axolotl")


@pytest.fixture
def painted(monkeypatch):
    """(text, colour) of all that is written from now on."""
    seen = []
    draw = QPainter.drawText

    def drawn(painter, *what):
        seen.append((next(w for w in what if isinstance(w, str)), painter.pen().color().name()))
        return draw(painter, *what)

    monkeypatch.setattr(QPainter, "drawText", drawn)
    return seen


@pytest.fixture
def grid(qtbot):
    made = ConfusionGrid()
    qtbot.addWidget(made)
    made.show_counts(COUNTS, CLASSES, {"dog"})
    return made


def test_every_count_that_is_one_and_every_class_is_written(grid, painted):
    grid.resize(600, 300)
    grid.grab()
    texts = [text for text, _ in painted]
    assert [t for t in texts if t[0].isdigit()] == ["40", "5", "3", "42", "1", "1", "1,043"]
    assert all(texts.count(name) == 2 for name in CLASSES)  # its row and its column
    tones = {color for text, color in painted if text == "dog"}
    assert tones == {theme.current().accent.lower()}, "it is trained on"


@pytest.mark.parametrize("width", [70, 110, 150])
def test_where_the_longest_number_has_no_room_there_is_none(grid, painted, width):
    grid.resize(width, 300)
    grid.grab()
    assert not [text for text, _ in painted if text[0].isdigit()]


def test_nothing_is_painted_outside(grid):
    for size in ((200, 80), (300, 110), (1400, 300), (60, 500)):
        grid.resize(*size)
        area, wide, tall = grid.area()
        assert tall > 0
        assert wide > 0
        assert area.bottom() <= grid.height()
        assert area.right() <= grid.width() + 1e-6


@pytest.fixture(params=["light", "dark"])
def dressed(qapp, request):
    before, sheet = theme.current(), qapp.styleSheet()
    theme.apply(qapp, request.param)
    yield
    theme.apply(qapp, "dark" if before is theme.DARK else "light")
    qapp.setStyleSheet(sheet)


def test_a_stronger_cell_is_a_larger_share_of_its_row(dressed, grid):
    grid.resize(600, 300)
    picture = grid.grab().toImage()
    area, wide, tall = grid.area()

    def distance(row, column):
        x, y = area.left() + column * wide + 3, area.top() + row * tall + 3
        color = picture.pixelColor(int(x), int(y))
        empty = picture.pixelColor(int(area.left() + wide + 3), int(area.top() + 3))
        return sum(abs(a - b) for a, b in zip(color.getRgb(), empty.getRgb(), strict=True))

    assert distance(0, 0) > distance(1, 1) > distance(0, 1) == 0
    assert distance(1, 2) > distance(0, 2) > 0
