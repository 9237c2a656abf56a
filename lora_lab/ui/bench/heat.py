"""Numbers as colours: blue above zero, orange below, the panel itself at zero; or grey values."""

from __future__ import annotations

import numpy as np
from PySide6.QtGui import QColor, QImage

from lora_lab.ui.style.theme import Colors


def _rgb(color: str) -> np.ndarray:
    return np.array(QColor(color).getRgb()[:3], dtype=np.float64)


def _table(colors: Colors) -> np.ndarray:
    """From the most negative to the most positive as 0xffRRGGBB; the one in the middle is 0's."""
    below, zero, above = map(_rgb, (colors.validation, colors.panel, colors.accent))
    at = np.linspace(-1, 1, 255)[:, None]
    share = np.abs(at) ** 0.8  # small values stay visible
    mixed = np.where(at < 0, zero + (below - zero) * share, zero + (above - zero) * share)
    return _packed(mixed)


def _packed(rgb: np.ndarray) -> np.ndarray:
    parts = np.rint(rgb).astype(np.uint32)
    return 0xFF000000 | (parts[..., 0] << 16) | (parts[..., 1] << 8) | parts[..., 2]


_GREYS = _packed(np.repeat(np.arange(256)[:, None], 3, axis=1))


def _image(level: np.ndarray, table: np.ndarray) -> QImage:
    """Levels from 0 to 1, and beyond, through a table of colours."""
    last = len(table) - 1
    index = np.clip(last * level + 0.5, 0, last).astype(np.uint8)
    pixels = np.ascontiguousarray(table[index])
    rows, columns = pixels.shape
    image = QImage(pixels.data, columns, rows, 4 * columns, QImage.Format.Format_RGB32)
    return image.copy()  # the pixels go with the array


def heat(values: np.ndarray, scale: float, colors: Colors) -> QImage:
    """One pixel per number; `scale` is the size that has the full colour. 0 is the panel."""
    if not 0 < scale < np.inf:
        return _image(np.full(values.shape, 0.5), _table(colors))
    return _image(values * (0.5 / scale) + 0.5, _table(colors))


def grey(values: np.ndarray, low: float, high: float) -> QImage:
    """One grey pixel per number: black at `low`, white at `high`."""
    return _image((values - low) / (high - low if high > low else 1.0), _GREYS)
