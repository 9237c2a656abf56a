"""The figures of a spectrum and the names of its layers in few letters."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from lora_lab.records import LayerSpectrum
from lora_lab.ui.widgets.plot import number

_LONG = 16  # letters


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


def row_names(names: list[str]) -> list[str]:
    """Names for rows or small pictures: as they are, or shortened where they are long."""
    return shortened(names) if max(map(len, names), default=0) > _LONG else names


def ending(text: str, letters: int) -> str:
    """The end of a name that is too long: names of layers differ there."""
    return text if len(text) <= letters else f"…{text[-max(1, letters - 1) :]}"


def span(values: Sequence[float], text: Callable[[float], str]) -> str:
    """One value, or the least and the greatest of several."""
    finite = [value for value in values if value == value]
    if not finite:
        return "—"
    low, high = text(min(finite)), text(max(finite))
    return low if low == high else f"{low.removesuffix(' %')} – {high}"


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
