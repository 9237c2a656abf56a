"""What a search may choose from: values of each axis, or a range of numbers, and a run of them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lora_lab.config import RunConfig
from lora_lab.errors import ConfigError
from lora_lab.number_text import read_number, read_whole
from lora_lab.runs.grid import MOST, NUMBERS, WHOLE, TimesRank, parse_axis

RANGE = re.compile(r"\s*([^\s.]\S*?)\s*\.\.\s*(\S+)\s*")
RANGED = ("rank", "alpha", "learning_rate")


@dataclass(frozen=True)
class Range:
    """Every number from `low` to `high`, alike per factor: as many from 1 to 2 as from 2 to 4."""

    low: float
    high: float
    whole: bool = False


Axis = tuple[Any, ...] | Range
Space = Mapping[str, Axis]


def parse_space(field: str, text: str) -> Axis:
    """An axis of a search as a person writes it: values as in a grid, or a range "1e-4..1e-2".

    Raises ConfigError.
    """
    if ".." not in text:
        return parse_axis(field, text)
    if field not in RANGED:
        raise ConfigError(f"{field} has no range; give its values, separated by commas.")
    if (match := RANGE.fullmatch(text)) is None:
        raise ConfigError(f"{field} {text!r} is not a range such as 1e-4..1e-2.")
    read = read_whole if field in WHOLE else read_number
    try:
        return _range(field, *map(read, match.groups()))
    except ConfigError as error:
        raise ConfigError(f"{field} {text!r}: {error}") from None


def _range(field: str, low: float, high: float) -> Range:
    if not 0 < low < high < math.inf:
        raise ConfigError("a range goes from above 0 to a larger number.")
    return Range(low, high, field in WHOLE)


def chosen(space: Space, trial: Any, factored: Any) -> dict[str, Any]:
    """A value of every axis, as `trial` (of Optuna) suggests; `factored` asks it of a variant.

    What a variant without factors does not have is not asked for. Values of numbers are suggested
    by their place in order, since near ones are alike.
    """
    found: dict[str, Any] = {}
    for name in ("variant", "targets", "init", "rank", "alpha", "learning_rate", "seed"):
        if name not in space:
            continue
        if name in ("init", "rank", "alpha") and not factored(found.get("variant")):
            continue
        found[name] = _one(name, space[name], trial)
    return found


def _one(name: str, axis: Axis, trial: Any) -> Any:
    if isinstance(axis, Range):
        if axis.whole:
            return trial.suggest_int(name, int(axis.low), int(axis.high), log=True)
        found = trial.suggest_float(name, axis.low, axis.high, log=True)
        return min(max(float(f"{found:.3g}"), axis.low), axis.high)  # as a person would write it
    if ordered(name, axis):
        values = sorted(axis)
        return values[trial.suggest_int(name, 0, len(values) - 1)]
    labels = [label(value) for value in axis]
    return axis[labels.index(trial.suggest_categorical(name, labels))]


def ordered(name: str, axis: tuple[Any, ...]) -> bool:
    """Whether the values of an axis are numbers of which near ones are alike."""
    numbers = name in (*NUMBERS, "rank")
    return numbers and not any(isinstance(value, TimesRank) for value in axis)


def label(value: Any) -> str:
    """A value as it is written down: 2r, fc1,fc2."""
    if isinstance(value, TimesRank):
        return f"{value.factor:g}r"
    return ",".join(value) if isinstance(value, tuple) else str(value)


def placed(space: Space, config: RunConfig, factored: bool) -> dict[str, Any]:
    """What `chosen` would have asked for, had it come to `config`, a run of the same grid."""
    hyper, found = config.hyper, {}
    for name, axis in space.items():
        assert not isinstance(axis, Range), "a grid has values"
        if name in ("init", "rank", "alpha") and not factored:
            continue
        value = getattr(hyper if name in RANGED else config, name)
        if ordered(name, axis):
            found[name] = sorted(axis).index(value)
            continue
        same = (v for v in axis if v == value or _times(v, value, hyper.rank))
        found[name] = label(next(same))
    return found


def _times(value: Any, alpha: Any, rank: int) -> bool:
    return isinstance(value, TimesRank) and math.isclose(value.factor * rank, alpha)


def plain(space: Space) -> dict[str, Any]:
    """As JSON holds it."""
    return {
        name: {"low": axis.low, "high": axis.high, "whole": axis.whole}
        if isinstance(axis, Range)
        else [_plain(value) for value in axis]
        for name, axis in space.items()
    }


def _plain(value: Any) -> Any:
    if isinstance(value, TimesRank):
        return {"times_rank": value.factor}
    return list(value) if isinstance(value, tuple) else value


def of_plain(values: Mapping[str, Any]) -> Space:
    """What `plain` was given; raises TypeError, KeyError or ValueError for what is none."""
    return {name: _axis(name, axis) for name, axis in values.items()}


def _axis(name: str, axis: Any) -> Axis:
    """Each as a person could have written it."""
    try:
        if isinstance(axis, dict):
            found: Axis = _range(name, float(axis["low"]), float(axis["high"]))
            if name not in RANGED or found.whole is not axis["whole"]:
                raise ValueError(f"{name} has no such range")
            return found
        found = tuple(_of_plain(value) for value in axis)
        if not 0 < len(found) <= MOST or not all(_writable(name, value) for value in found):
            raise ValueError(f"{name} has no such values")
        return found
    except ConfigError as error:
        raise ValueError(str(error)) from None


def _writable(name: str, value: Any) -> bool:
    if isinstance(value, TimesRank):
        return name == "alpha" and 0 < value.factor < math.inf
    return parse_axis(name, label(value)) == (value,)


def _of_plain(value: Any) -> Any:
    if isinstance(value, dict):
        return TimesRank(float(value["times_rank"]))
    return tuple(value) if isinstance(value, list) else value
