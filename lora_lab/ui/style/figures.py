"""How quantities are written for a person: shares, bytes, shapes."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable
from html import escape

from PySide6.QtCore import QCoreApplication

from lora_lab.config import plain_number
from lora_lab.names import brief, legible
from lora_lab.records import State

translate = QCoreApplication.translate

TIP_LETTERS = 72
ENTRY = 300  # letters of a name in a list
MOST = 5000  # letters of a tip; to break megabytes into lines takes seconds
_LONG = 16  # letters of a name

_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def percent(share: float) -> str:
    """A share as per cent with two figures that mean something: 3.2 %, 0.041 %, < 0.0001 %."""
    if share < 1e-6:
        return "< 0.0001 %"
    if share < 0.995:
        return f"{100 * share:.2g} %"
    return f"{100 * share:,.1f} %" if share < 10 else f"{100 * share:,.0f} %"


def rounded_percent(share: float, digits: int = 1) -> str:
    """A share as per cent with so many digits after the point, as of an accuracy."""
    return f"{100 * share:.{digits}f} %" if share == share else "—"


def share_or_dash(share: float) -> str:
    """A share that may be nothing at all, or not known."""
    if math.isnan(share):
        return "—"
    return percent(share) if share else "0 %"


def size_words(count: int) -> str:
    """Bytes as a person reads them."""
    if count < 1000:
        return translate("figures", "{} bytes").format(count)
    for unit, size in (("kB", 1e3), ("MB", 1e6)):
        if count < 1000 * size:
            return f"{count / size:.3g} {unit}"
    return f"{count / 1e9:.3g} GB"


def in_lines(text: str) -> str:
    """In lines of a readable length: a plain tooltip is not broken by itself."""
    return "\n".join(textwrap.fill(line, TIP_LETTERS) for line in brief(text, MOST).split("\n"))


def entry(text: str) -> str:
    """A name in a cell, a list or a row: as it is written, and no longer than can be laid out."""
    return legible(brief(text, ENTRY))


def tip_lines(text: str) -> str:
    """The same, as a tooltip."""
    return plain_tip(in_lines(text))


def plain_tip(text: str) -> str:
    """A tooltip that is shown as it is written: Qt takes what looks like HTML for HTML.

    A name may come from anybody's file, and a picture in it would be loaded from anywhere.
    """
    text = legible(brief(text, MOST))
    if "<" not in text:
        return text
    return f"<span>{escape(text)}</span>".replace("\n", "<br>")


def layer_words(count: int) -> str:
    """1 layer, 2 layers."""
    return (
        translate("figures", "1 layer")
        if count == 1
        else translate("figures", "{:,} layers").format(count)
    )


def parameter_words(count: int) -> str:
    """1 parameter, 2 parameters."""
    return (
        translate("figures", "1 parameter")
        if count == 1
        else translate("figures", "{:,} parameters").format(count)
    )


def shape_words(shape: Iterable[int]) -> str:
    """out × in, or as many dimensions as there are."""
    return " × ".join(f"{size:,}" for size in shape)


def sub(k: int) -> str:
    """The number as an index: ₁₂."""
    return str(k).translate(_SUBSCRIPTS)


def setting_words(value: object) -> str:
    """The value of a setting, short: 16, 0.001, on, keep function, 3 layers, none."""
    if isinstance(value, bool):
        return translate("figures", "on") if value else translate("figures", "off")
    if isinstance(value, tuple):
        if len(value) == 1:
            return str(value[0])
        return (
            translate("figures", "{} layers").format(len(value))
            if value
            else translate("figures", "none")
        )
    if isinstance(value, int | float):
        return plain_number(value)
    return (
        translate("figures", "none")
        if value is None
        else str(value).rpartition("/")[2].replace("_", " ")
    )


def in_words(text: str | None) -> str:
    """What the engine, which knows no languages, says of a setting or a preset, translated."""
    return QCoreApplication.translate("engine", text) if text else ""


def share_words(share: float) -> str:
    """How much trains: the adapter's parameters over those that full fine-tuning trains."""
    share *= 100
    shown = (
        f"{share:.3g}"
        if 1e-3 <= share < 99.95
        else f"{share:,.3f}"
        if share < 1
        else f"{share:,.0f}"
    )
    return translate("figures", "{} % of full fine-tuning").format(shown)


def shortened(names: list[str]) -> list[str]:
    """Names without the dotted beginning and end that all of them share."""
    split = [name.split(".") for name in names]
    begin = _alike(split)
    end = _alike([parts[begin:][::-1] for parts in split])
    return [".".join(parts[begin : len(parts) - end]) for parts in split]


def _alike(split: list[list[str]]) -> int:
    """How many parts all of them begin with, but for the last of the shortest."""
    most = min(map(len, split), default=1) - 1
    ends = zip(min(split, default=[]), max(split, default=[]), strict=False)  # all lie between
    return next((at for at, (one, other) in enumerate(ends) if one != other or at == most), most)


def row_names(names: list[str]) -> list[str]:
    """Names for rows or small pictures: as they are, or shortened where they are long."""
    return shortened(names) if max(map(len, names), default=0) > _LONG else names


def ending(text: str, letters: int) -> str:
    """The end of a name that is too long: names of layers differ there."""
    return text if len(text) <= letters else f"…{text[-max(1, letters - 1) :]}"


def duration(seconds: float) -> str:
    """A time as people say it: 0.4 s, 12 s, 3 min, 2.5 h, 4 days."""
    for limit, size, name in ((60, 1, "s"), (3600, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            value = seconds / size
            return f"{value:.1g} {name}" if value < 1 else f"{float(f'{value:.2g}'):g} {name}"
    days = float(f"{seconds / 86400:.2g}")
    return translate("figures", "{:,g} days").format(days)


def rate_words(per_second: float) -> str:
    """Steps per second with two figures."""
    return f"{float(f'{per_second:.2g}'):,g}"


def state_words(state: State, step: int) -> str:
    """The state as a person says it."""
    if state is State.PAUSED and step == 0:
        return translate("figures", "Ready")
    return {
        State.LOADING: translate("figures", "Loading…"),
        State.PAUSED: translate("figures", "Paused"),
        State.RUNNING: translate("figures", "Training"),
        State.FINISHED: translate("figures", "Finished · ready to export"),
        State.STOPPED: translate("figures", "Stopped"),
        State.FAILED: translate("figures", "Failed"),
        State.CLOSED: translate("figures", "Closed"),
    }[state]


def clock(seconds: float) -> str:
    """12 s, 3:05, 2:14:09."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
