"""Matrices to begin with: the lesson's own, those at which elimination errs, and pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from PySide6.QtCore import QT_TRANSLATE_NOOP

from lora_lab import paths
from lora_lab.data.matrix import Matrix, matrix_of

SIDE = 256  # pixels of a picture


@dataclass(frozen=True)
class Sample:
    """`make` gives text, as a person would type it, or a picture; `says` is what to look for."""

    title: str
    says: str
    make: Callable[[], str | Matrix]


def _three() -> str:
    return "1 2 3\n2 4 6\n1 3 5"


def _tutorial() -> str:
    """A product of 10 × 2 and 2 × 10 random numbers of two decimals: rank 2 to the last digit."""
    rng = np.random.default_rng(0)
    B, A = (np.rint(100 * rng.standard_normal(shape)).astype(int) for shape in ((10, 2), (2, 10)))
    return "\n".join(" ".join(f"{x / 10_000:.4f}" for x in row) for row in (B @ A).tolist())


def _tenths() -> str:
    return "0.1 0.2 0.3\n0.4 0.5 0.6\n0.7 0.8 0.9"


def _hilbert(size: int = 12) -> str:
    return "\n".join(" ".join(f"1/{i + j + 1}" for j in range(size)) for i in range(size))


def _triangle(size: int = 60) -> str:
    rows = ((-1 if j > i else int(i == j) for j in range(size)) for i in range(size))
    return "\n".join(" ".join(map(str, row)) for row in rows)


def _picture(grey: np.ndarray, title: str) -> Matrix:
    return replace(matrix_of(grey, title), picture=True)


def _digit() -> Matrix:
    """The first 8 of the shipped digits; 16 is ink, here on black."""
    from safetensors.numpy import load_file

    digits = load_file(paths.demo("digits.safetensors"))
    image = digits["images"][int(np.argmax(digits["labels"] == 8))]
    return _picture(np.rint(image.astype(np.float64) * (255 / 16)), "digit")


def _gradient() -> Matrix:
    """x + y: one part that varies across, one that varies down."""
    ramp = np.arange(SIDE) / 2
    return _picture(np.add.outer(ramp, ramp), "gradient")


def _rings() -> Matrix:
    """cos(x² + y²) = cos x²·cos y² − sin x²·sin y²."""
    squares = np.square(np.linspace(-6.0, 6.0, SIDE))
    return _picture(127.5 * np.cos(np.add.outer(squares, squares)), "rings")


def _disc() -> Matrix:
    squares = np.square(np.linspace(-1.4, 1.4, SIDE))
    return _picture(np.where(np.add.outer(squares, squares) < 1, 230.0, 25.0), "disc")


SAMPLES = (
    Sample(
        QT_TRANSLATE_NOOP("SVD bench", "3 × 3 of rank 2"),
        QT_TRANSLATE_NOOP(
            "SVD bench", "The second row is twice the first, so only two rows are independent."
        ),
        _three,
    ),
    Sample(
        QT_TRANSLATE_NOOP("SVD bench", "10 × 10 of rank 2"),
        QT_TRANSLATE_NOOP(
            "SVD bench", "100 numbers that are a product of 10 × 2 and 2 × 10: 40 hold all of it."
        ),
        _tutorial,
    ),
    Sample(
        QT_TRANSLATE_NOOP("SVD bench", "Tenths 3 × 3"),
        QT_TRANSLATE_NOOP(
            "SVD bench",
            "The middle row is the mean of the others, but no tenth is exact in binary.",
        ),
        _tenths,
    ),
    Sample(
        QT_TRANSLATE_NOOP("SVD bench", "Hilbert 12 × 12"),
        QT_TRANSLATE_NOOP(
            "SVD bench",
            "1/(i + j − 1): no row repeats another, and yet float64 cannot tell it from rank 11.",
        ),
        _hilbert,
    ),
    Sample(
        QT_TRANSLATE_NOOP("SVD bench", "Triangle 60 × 60"),
        QT_TRANSLATE_NOOP(
            "SVD bench", "Every pivot is 1, and yet 2⁻⁵⁸ taken from one corner makes it singular."
        ),
        _triangle,
    ),
    Sample(
        QT_TRANSLATE_NOOP("SVD bench", "Digit 8 × 8"),
        QT_TRANSLATE_NOOP("SVD bench", "A scanned 8: how many values until it is readable?"),
        _digit,
    ),
    Sample(
        QT_TRANSLATE_NOOP("SVD bench", "Gradient 256 × 256"),
        QT_TRANSLATE_NOOP("SVD bench", "Brighter to the right and downwards: x + y has rank 2."),
        _gradient,
    ),
    Sample(
        QT_TRANSLATE_NOOP("SVD bench", "Rings 256 × 256"),
        QT_TRANSLATE_NOOP("SVD bench", "Complex to look at, but of rank 2: cos(x² + y²)."),
        _rings,
    ),
    Sample(
        QT_TRANSLATE_NOOP("SVD bench", "Disc 256 × 256"),
        QT_TRANSLATE_NOOP("SVD bench", "Simple to look at, but of high rank: a round edge."),
        _disc,
    ),
)
