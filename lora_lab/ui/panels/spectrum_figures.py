"""The bars of a spectrum as arrays, and its figures and layer names in few letters."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from lora_lab.records import LayerSpectrum
from lora_lab.ui.widgets.plot import number


def bars_of(layer: LayerSpectrum, start: float, stride: int) -> tuple[np.ndarray, ...]:
    """x, σ, index from 1, and whether it is above rounding error."""
    index = np.arange(1, len(layer.sigma) + 1, stride)
    sigma = np.nan_to_num(layer.sigma[::stride], nan=0.0, posinf=0.0)
    return start + index, sigma, index, (index <= layer.numerical_rank) & (sigma > 0)


def is_finite(layer: LayerSpectrum) -> bool:
    """Whether every value is finite."""
    return bool(np.isfinite(layer.sigma).all())


def shortened(names: list[str]) -> list[str]:
    """Names without the dotted beginning and end that all of them share."""
    split = [name.split(".") for name in names]
    while all(len(parts) > 1 for parts in split) and len({parts[0] for parts in split}) == 1:
        split = [parts[1:] for parts in split]
    while all(len(parts) > 1 for parts in split) and len({parts[-1] for parts in split}) == 1:
        split = [parts[:-1] for parts in split]
    return [".".join(parts) for parts in split]


def span(values: Sequence[float], text: Callable[[float], str]) -> str:
    """One value, or the least and the greatest of several."""
    finite = [value for value in values if value == value]
    if not finite:
        return "—"
    low, high = text(min(finite)), text(max(finite))
    return low if low == high else f"{low} – {high}"


def tenth(value: float) -> str:
    """Two figures or three, for ranks that are no whole numbers."""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


def two(value: float) -> str:
    """Two figures, or three above one."""
    return number(value, 3 if value >= 1 else 2)


def percent(share: float) -> str:
    """A share as per cent with two figures."""
    share *= 100
    return f"{share:.2g} %" if 1e-4 <= share < 99.5 else f"{share:.1f} %" if share else "0 %"
