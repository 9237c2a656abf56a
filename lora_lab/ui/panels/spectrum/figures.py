"""The figures of a spectrum and the names of its layers in few letters."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from lora_lab.records import LayerSpectrum
from lora_lab.ui.style.figures import rounded_percent, share_or_dash
from lora_lab.ui.widgets.plot import number


def is_finite(layer: LayerSpectrum) -> bool:
    """Whether every value is finite."""
    return bool(np.isfinite(layer.sigma).all())


def span(values: Sequence[float], text: Callable[[float], str]) -> str:
    """One value, or the least and the greatest of several."""
    finite = [value for value in values if value == value]
    if not finite:
        return "—"
    low, high = text(min(finite)), text(max(finite))
    return low if low == high else f"{low.removesuffix(' %')} – {high}"


def share_span(values: Sequence[float]) -> str:
    """Shares as per cent, the least and the greatest to the same digit."""
    even = any(value >= 0.995 for value in values)

    def text(value: float) -> str:
        return rounded_percent(value) if even and 0.095 <= value < 0.995 else share_or_dash(value)

    return span(values, text)


def tenth(value: float) -> str:
    """Two figures or three, for ranks that are no whole numbers."""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


def two(value: float) -> str:
    """Two figures, or three above one."""
    return number(value, 3 if value >= 1 else 2)
