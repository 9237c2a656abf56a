"""Where the matrices of the bench stand: two lines in one scale, with room for their words.

W  ≈  U · Σ · Vᵀ       braces below U·Σ and Vᵀ
W_k   W − W_k   W⁺     W_k stands under W; W⁺ takes a scale of its own where it must
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from PySide6.QtCore import QRectF

from lora_lab.ui.bench.block import Block

LARGEST = 6.0  # a cell's side, in heights of a line of text
THINNEST = 6.0  # pixels of a side that would vanish to scale
MARGIN = 0.2  # above all, likewise: accents are taller than a line
SIGN, DOT = 2.2, 1.6  # gaps in heights of a line: around ≈, around ·
ABOVE, BRACE, BETWEEN, BELOW = 1.35, 2.1, 0.9, 1.35  # likewise: name, brace, gap, foot


@dataclass(frozen=True)
class Placed:
    """Where each picture stands, where the signs, and from where to where the braces reach."""

    areas: tuple[QRectF, ...]  # of W, U, Σ, Vᵀ, W_k, W − W_k, W⁺
    signs: tuple[QRectF, ...]  # between the first four
    braces: tuple[tuple[float, float], tuple[float, float]]  # x of U·Σ and of Vᵀ
    brace_top: float


def place(
    upper: Sequence[Block],
    lower: Sequence[Block],
    braces: tuple[str, str],
    size: tuple[float, float],
    line: float,
    width_of: Callable[[str], float],
) -> Placed:
    """Place W, U, Σ, Vᵀ and W_k, W − W_k, W⁺ in `size`; `line` is the height of a line of text."""
    fixed = (MARGIN + ABOVE + BRACE + BETWEEN + ABOVE + BELOW) * line
    rows = max(b.rows for b in upper), max(b.rows for b in lower[:2])
    tallest = LARGEST * line
    low, high = 0.01, max(0.02, min(tallest, (size[1] - fixed - 2) / sum(rows)))
    for _ in range(20):  # the largest cell with which the wider line fits; words do not shrink
        cell = (low + high) / 2
        starts, total = _upper(upper, braces, cell, line, width_of)
        needed = max(total, _lower(lower[:2], cell, starts[1], width_of)[1])
        low, high = (cell, high) if needed <= size[0] - 2 else (low, cell)
    cell = low
    starts, total = _upper(upper, braces, cell, line, width_of)
    below, end = _lower(lower[:2], cell, starts[1], width_of)
    left = max(1.0, (size[0] - total) / 2)
    top = (ABOVE + MARGIN) * line
    areas = [_area(b, left + x, top, cell) for b, x in zip(upper, starts, strict=True)]
    tall = max(area.height() for area in areas)
    second = top + tall + (BRACE + BETWEEN + ABOVE) * line
    areas += [_area(b, left + x, second, cell) for b, x in zip(lower[:2], below, strict=True)]
    inverse, x = lower[2], left + max(end + DOT * line, starts[2])
    loose = min(
        cell,
        max(THINNEST, size[0] - x - 2) / inverse.columns,
        max(THINNEST, size[1] - second - BELOW * line - 2) / inverse.rows,
    )
    areas.append(_area(inverse, x, second, loose))
    signs = [
        QRectF(a.right(), top, b.left() - a.right(), max(line, min(a.height(), b.height())))
        for a, b in pairwise(areas[:4])
    ]
    ends = (areas[1].left(), areas[2].right()), (areas[3].left(), areas[3].right())
    return Placed(tuple(areas), tuple(signs), ends, top + tall)


def _area(block: Block, x: float, y: float, cell: float) -> QRectF:
    return QRectF(x, y, max(THINNEST, block.columns * cell), max(THINNEST, block.rows * cell))


def _slot(block: Block, cell: float, width_of: Callable[[str], float]) -> float:
    """How wide a block is together with its words."""
    words = max(width_of(f"{block.name}  {block.caption}"), width_of(block.foot))
    return max(THINNEST, block.columns * cell, words)


def _upper(
    blocks: Sequence[Block],
    braces: tuple[str, str],
    cell: float,
    line: float,
    width_of: Callable[[str], float],
) -> tuple[list[float], float]:
    """The left edges of W, U, Σ, Vᵀ, and how wide they are together."""
    W, U, S, V = (_slot(block, cell, width_of) for block in blocks)
    second = W + SIGN * line
    third = second + U + DOT * line
    B = max(third + S - second, width_of(braces[0]))
    fourth = second + B + DOT * line
    return [0.0, second, third, fourth], fourth + max(V, width_of(braces[1]))


def _lower(
    blocks: Sequence[Block], cell: float, second: float, width_of: Callable[[str], float]
) -> tuple[list[float], float]:
    """The left edges of W_k and W − W_k, under W and U, and how far they reach.

    `second` is where U begins; only the words of W_k may push W − W_k further.
    """
    second = max(second, _slot(blocks[0], cell, width_of) + width_of("  "))
    return [0.0, second], second + _slot(blocks[1], cell, width_of)
