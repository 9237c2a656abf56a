"""What a text is to be mapped to: a class, a number, or any of several labels; and what is none."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

from lora_lab.data.left_out import BadRow
from lora_lab.data.values import as_label, as_text, from_text, is_missing, well_formed

LABELS = 1000  # different values that a column of labels may have
LABEL_LENGTH = 100  # characters
SETS = 1000  # different labels that rows of several may have together
SEPARATORS = re.compile(r"[|;,]")


def as_number(value: Any) -> float:
    """A cell as a finite number. Raises BadRow with the reason, for true and false as well."""
    if is_missing(value):
        raise BadRow("there is no number")
    if isinstance(value, list | dict | tuple):
        raise BadRow("there is a list where a number belongs")
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise BadRow(f"{as_text(value)[:40]!r} is no finite number")
    return number


def as_names(value: Any) -> tuple[str, ...]:
    """The labels of a cell, each once: a list, or text with | ; or , between; () for none."""
    if is_missing(value):
        return ()
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = from_text(value)
        except ValueError:
            raise BadRow("its labels are a list that is not JSON") from None
    if isinstance(value, list | tuple):
        parts = [as_label(part) for part in value]
    else:
        parts = [part.strip() for part in SEPARATORS.split(as_label(value))]
    return tuple(dict.fromkeys(well_formed(part) for part in parts if part))


def no_class(values: Sequence[Any], chosen: bool = False) -> str:
    """Why these values can be no labels of one class each, or nothing.

    A column that a person has `chosen` may have many classes in few rows.
    """
    if any(isinstance(value, list | dict) for value in values):
        return "holds lists, not labels"
    different = {str(value) for value in values}
    if any(len(value) > LABEL_LENGTH for value in different):
        return "is free text, not a label"
    most = len(values) - 1 if chosen else len(values) // 2
    if len(different) > LABELS or len(different) > max(20, most):
        kind = "numbers" if all(_is_number(value) for value in different) else "values"
        return f"has {len(different):,} different {kind}, too many for labels"
    return ""


def no_numbers(values: Sequence[Any], chosen: bool = False) -> str:
    """Why these values can be no numbers, or nothing; single ones that are none are bad rows.

    `chosen` changes nothing here.
    """
    del chosen
    if any(isinstance(value, list | dict) for value in values):
        return "holds lists, not numbers"
    if 2 * sum(map(_is_number, values)) < len(values):
        return "holds no numbers"
    return ""


def no_names(values: Sequence[Any], chosen: bool = False) -> str:
    """Why these values can be no labels, several in a row; single bad ones are bad rows.

    `chosen` as in `no_class`.
    """
    names: set[str] = set()
    bad = 0
    for value in values:
        try:
            names.update(as_names(value))
        except BadRow:
            bad += 1
    if 2 * bad > len(values):
        return "holds no labels"
    if any(len(name) > LABEL_LENGTH for name in names):
        return "is free text, not labels"
    if len(names) > SETS or (not chosen and len(names) > 50 and len(names) > len(values)):
        return f"has {len(names):,} different labels, too many"
    return ""


OBJECTIONS: dict[str, Callable[[Sequence[Any], bool], str]] = {  # by the role of what is predicted
    "label": no_class,
    "score": no_numbers,
    "labels": no_names,
}


def _is_number(value: Any) -> bool:
    try:
        as_number(value)
    except BadRow:
        return False
    return True
