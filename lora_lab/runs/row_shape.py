"""What a line of metrics.jsonl must hold to be the record that it says it is.

The shape is that of the record's own class: what has a default there may be missing, as in the runs
of an older lab, and what is there besides, as in those of a newer one, is left alone. A field's
metadata says what it was called `once`, what it is where it is `missing` in a file, how `deep`
the lists of an array may lie within each other where it is more than a list of numbers, and how
long a list is at `most`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np

from lora_lab import exported, measured, opening_records, records
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.plain import plain
from lora_lab.records import Record

MOST = 2**62  # of a whole number in a file made by hand
LONGEST = 2**20  # characters of a name or a text
FLAT = (1,)  # dimensions of most arrays
Fits = Callable[[Any], bool]
KINDS: dict[str, type] = {  # what a run says, and what is measured on request
    name: kind
    for module in (opening_records, records, exported, measured)
    for name, kind in vars(module).items()
    if isinstance(kind, type) and issubclass(kind, Record) and kind is not Record
}


def known(row: dict[str, Any]) -> bool:
    """Whether this version of the lab has such records."""
    kind = row.get("record")
    return isinstance(kind, str) and kind in KINDS


def flaw(row: dict[str, Any]) -> str:
    """The field of a known record that is missing or of another form; "" for one that is whole.

    A field that may be missing has its default then, and one of an older name its present one.
    """
    return shape_flaw(row, KINDS[row["record"]])


def shape_flaw(row: Any, kind: type) -> str:
    for name, once, fits, default in _shape(kind):
        if once in row and name not in row:
            row[name] = row.pop(once)
        if name in row:
            if not fits(row[name]):
                return name
        elif default is MISSING:
            return name
        else:
            row[name] = default
    return ""


@cache
def _shape(kind: type) -> tuple[tuple[str, str, Fits, Any], ...]:
    """Name, former name, form and default of every field."""
    hints = get_type_hints(kind)
    return tuple(
        (f.name, f.metadata.get("once", f.name),
         _short(_form(hints[f.name], f.metadata.get("deep", FLAT)), f.metadata.get("most")),
         plain(f.metadata.get("missing", f.default)))
        for f in fields(kind)
    )  # fmt: skip


def _short(fits: Fits, most: int | None) -> Fits:
    if most is None:
        return fits
    return lambda value: isinstance(value, list) and len(value) <= most and fits(value)


def _form(hint: Any, deep: tuple[int, ...] = FLAT) -> Fits:
    """Whether a value of JSON is what `hint` becomes there."""
    if hint is Any:
        return _plain_value
    if hint is float:
        return _number
    if hint is np.ndarray:
        return lambda value: len(_dimensions(value) or ()) in deep
    if hint is Hyperparameters:
        return _settings
    parts = get_args(hint)
    if get_origin(hint) is tuple:
        forms = [_form(part) for part in parts if part is not Ellipsis]
        if Ellipsis in parts:
            return lambda value: isinstance(value, list) and all(map(forms[0], value))
        return lambda value: (
            isinstance(value, list)
            and len(value) == len(forms)
            and all(fits(item) for fits, item in zip(forms, value, strict=True))
        )
    if parts:  # a union, of which None is one
        forms = [_form(part, deep) for part in parts]
        return lambda value: any(fits(value) for fits in forms)
    if is_dataclass(hint):
        return lambda value: isinstance(value, dict) and not shape_flaw(value, hint)
    if issubclass(hint, Enum):
        return lambda value: value in [one.value for one in hint]
    if hint is int:
        return _whole
    if hint is str:
        return lambda value: type(value) is str and len(value) <= LONGEST
    return lambda value: type(value) is hint


def _whole(value: Any) -> bool:
    """One that an array of 64 bits holds: JSON knows no end."""
    return type(value) is int and -MOST <= value <= MOST


def _number(value: Any) -> bool:
    return type(value) is float or _whole(value)


def _dimensions(value: Any, most: int = 3) -> tuple[int, ...] | None:
    """Of an array of numbers as lists; None for what is none."""
    if not isinstance(value, list) or not most:
        return None
    if all(map(_number, value)):
        return (len(value),)
    inner = {_dimensions(item, most - 1) for item in value}
    within = inner.pop()
    return None if inner or within is None else (len(value), *within)


def _plain_value(value: Any, deep: int = 0) -> bool:
    """A word or a number, or lists and tables of such; none is nested far."""
    if isinstance(value, dict | list):
        items = [*value, *value.values()] if isinstance(value, dict) else value
        return deep < 4 and all(_plain_value(item, deep + 1) for item in items)
    return value is None or isinstance(value, str | bool) or _number(value)


def _settings(value: Any) -> bool:
    try:
        Hyperparameters.model_validate(value)
    except ValueError:
        return False
    return {"rank", "alpha"} <= value.keys()
