"""How quantities are written for a person: shares, bytes, shapes."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable

from PySide6.QtCore import QCoreApplication

from lora_lab.config import plain_number

TIP_LETTERS = 72

_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def percent(share: float) -> str:
    """A share as per cent with two figures that mean something: 3.2 %, 0.041 %, < 0.0001 %."""
    if share < 1e-6:
        return "< 0.0001 %"
    return f"{100 * share:.2g} %" if share < 0.995 else f"{100 * share:.1f} %"


def share_or_dash(share: float) -> str:
    """A share that may be nothing at all, or not known."""
    if math.isnan(share):
        return "—"
    return percent(share) if share else "0 %"


def size_words(count: int) -> str:
    """Bytes as a person reads them."""
    if count < 1000:
        return _tr("{} bytes").format(count)
    for unit, size in (("kB", 1e3), ("MB", 1e6)):
        if count < 1000 * size:
            return f"{count / size:.3g} {unit}"
    return f"{count / 1e9:.3g} GB"


def tip_lines(text: str) -> str:
    """A tooltip in lines of a readable length; plain ones are not broken by themselves."""
    return "\n".join(textwrap.fill(line, TIP_LETTERS) for line in text.split("\n"))


def shape_words(shape: Iterable[int]) -> str:
    """out × in, or as many dimensions as there are."""
    return " × ".join(f"{size:,}" for size in shape)


def sub(k: int) -> str:
    """The number as an index: ₁₂."""
    return str(k).translate(_SUBSCRIPTS)


def counted(number: int, noun: str) -> str:
    """1 layer, 2 layers."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def setting_words(value: object) -> str:
    """The value of a setting, short: 16, 0.001, on, keep function, 3 layers, none."""
    if isinstance(value, bool):
        return _tr("on") if value else _tr("off")
    if isinstance(value, tuple):
        if len(value) == 1:
            return str(value[0])
        return _tr("{} layers").format(len(value)) if value else _tr("none")
    if isinstance(value, int | float):
        return plain_number(value)
    return _tr("none") if value is None else str(value).rpartition("/")[2].replace("_", " ")


def in_words(text: str | None) -> str:
    """What the engine, which knows no languages, says of a setting or a preset, translated."""
    return QCoreApplication.translate("engine", text) if text else ""


def _tr(text: str) -> str:
    return QCoreApplication.translate("figures", text)
