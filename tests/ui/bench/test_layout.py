"""The matrices stand in one scale, within the picture, and never on each other's words."""

import numpy as np
import pytest
from PySide6.QtCore import QRectF

from lora_lab.ui.bench.block import Block, texts_of
from lora_lab.ui.bench.heat import grey, heat
from lora_lab.ui.bench.layout import ABOVE, LARGEST, THINNEST, place
from lora_lab.ui.style import theme

LINE, LETTER = 16.0, 7.0


def block(name, rows, columns, foot=""):
    values = np.zeros((rows, columns))
    image = heat(values, 1.0, theme.LIGHT)
    return Block(name, f"{rows} × {columns}", foot, values, image, 1.0, values.shape)


def placed(m, n, size):
    r = min(m, n)
    upper = block("W", m, n), block("U", m, r), block("Σ", r, r), block("Vᵀ", r, n)
    lower = block("W₂", m, n), block("W − W₂", m, n, "largest 1"), block("W₂⁺", n, m, "largest 2")
    braces = f"B = UΣ  {m} × 2", f"A = Vᵀ  2 × {n}"
    return (*upper, *lower), place(upper, lower, braces, size, LINE, lambda t: LETTER * len(t))


SHAPES = [(3, 3), (10, 10), (256, 256), (160, 256), (50, 4), (4, 50), (1, 1), (1, 512), (512, 1)]


@pytest.mark.parametrize("size", [(700.0, 400.0), (480.0, 250.0), (1200.0, 700.0)])
@pytest.mark.parametrize("shape", SHAPES)
def test_all_fit_in_one_scale(shape, size):
    blocks, found = placed(*shape, size)
    areas = found.areas
    cells = []
    for area, one in zip(areas[:6], blocks, strict=False):
        sides = (area.width(), one.columns), (area.height(), one.rows)
        cells += [side / count for side, count in sides if side > THINNEST]
        assert area.left() >= 0
        assert area.right() <= size[0]
        assert area.top() >= ABOVE * LINE
        assert area.bottom() <= size[1]
    assert max(cells, default=1) == pytest.approx(min(cells, default=1))
    assert max(cells, default=1) <= LARGEST * LINE + 1e-9
    assert areas[6].right() <= size[0] or areas[6].width() == THINNEST
    assert areas[0].left() == areas[4].left()  # W_k stands under W
    assert areas[0].size() == areas[4].size()


@pytest.mark.parametrize("shape", SHAPES)
def test_no_words_lie_on_other_words_or_pictures(shape):
    blocks, found = placed(*shape, (700.0, 400.0))
    words = [
        QRectF(area.left(), area.top() - LINE, LETTER * len(f"{b.name}  {b.caption}"), LINE)
        for area, b in zip(found.areas, blocks, strict=True)
    ]
    for i, one in enumerate(words):
        assert not any(one.intersects(other) for other in (*words[i + 1 :], *found.areas))


def test_colours_say_sign_and_size():
    values = np.array([[1.0, 0.0, -1.0, 9.0]])
    image = heat(values, 1.0, theme.LIGHT)
    names = [image.pixelColor(x, 0).name() for x in range(4)]
    assert names[0] == names[3] == theme.LIGHT.accent
    assert names[2] == theme.LIGHT.validation
    assert names[1] == theme.LIGHT.panel
    blank = heat(values, 0.0, theme.LIGHT)
    assert len({blank.pixelColor(x, 0).name() for x in range(4)}) == 1
    shades = grey(np.array([[0.0, 51.0, 255.0, 300.0]]), 0.0, 255.0)
    assert [shades.pixelColor(x, 0).red() for x in range(4)] == [0, 51, 255, 255]


@pytest.mark.parametrize(
    ("row", "texts"),
    [
        ([1.0, -2.0, 0.0], ("1", "−2", "0")),
        ([1.0 + 1e-15, 2.0], ("1", "2")),
        ([0.25, -1.0], ("0.25", "−1.00")),
        ([1.5, 1e-16], ("1.50", "0")),
        ([2.5e-7, 1.5e6], ("0", "1.5×10⁶")),
    ],
)
def test_cells_hold_short_numbers(row, texts):
    assert texts_of(np.array([row]))[0] == texts
    assert texts_of(np.zeros((21, 21))) == ()
