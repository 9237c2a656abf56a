"""What a text is to be mapped to: a class, a number, or any of several labels; and what is none."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from typing import Any

from lora_lab.data.left_out import BadRow
from lora_lab.data.values import as_label, as_text, from_text, is_missing, well_formed

LABELS = 1000  # different values that a column of labels may have
LABEL_LENGTH = 100  # characters
SETS = 1000  # different labels that rows of several may have together
COUNTED = 100_000  # different values of a column that are counted
SEPARATORS = re.compile(r"[|;,]")


LARGEST = (2 - 2**-23) * 2.0**127  # of float32, in which scores are learned


def as_number(value: Any) -> float:
    """A cell as a number of float32. Raises BadRow with the reason, for true and false as well."""
    if is_missing(value):
        raise BadRow("there is no number")
    if isinstance(value, list | dict | tuple):
        raise BadRow("there is a list where a number belongs")
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):  # the last: a whole number of 400 digits
        number = math.nan
    if not math.isfinite(number):
        raise BadRow(f"{as_text(value)[:40]!r} is no finite number")
    if abs(number) > LARGEST:
        raise BadRow(f"{as_text(value)[:40]!r} is beyond ±{LARGEST:.2g}, the largest in float32")
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


def no_class(values: Iterable[Any], chosen: bool = False) -> str:
    """Why these values can be no labels of one class each, or nothing.

    A column that a person has `chosen` may have many classes in few rows.
    """
    different: set[str] = set()
    count, listed = 0, False
    for value in values:
        count += 1
        listed = listed or isinstance(value, list | dict)
        if len(different) <= COUNTED:  # what is free text is not held as a whole
            different.add(str(value))
    if listed:
        return "holds lists, not labels"
    if any(len(value) > LABEL_LENGTH for value in different):
        return "is free text, not a label"
    most = count - 1 if chosen else count // 2
    if len(different) > LABELS or len(different) > max(20, most):
        kind = "numbers" if all(_is_number(value) for value in different) else "values"
        over = "over " if len(different) > COUNTED else ""
        many = min(len(different), COUNTED)
        return f"has {over}{many:,} different {kind}, too many for labels"
    return ""


def no_numbers(values: Iterable[Any], chosen: bool = False) -> str:
    """Why these values can be no numbers, or nothing; single ones that are none are bad rows.

    `chosen` changes nothing here.
    """
    del chosen
    count = numbers = 0
    for value in values:
        if isinstance(value, list | dict):
            return "holds lists, not numbers"
        count += 1
        numbers += _is_number(value)
    return "holds no numbers" if 2 * numbers < count else ""


def no_names(values: Iterable[Any], chosen: bool = False) -> str:
    """Why these values can be no labels, several in a row; single bad ones are bad rows.

    `chosen` as in `no_class`.
    """
    names: set[str] = set()
    count = bad = 0
    for value in values:
        count += 1
        if len(names) > COUNTED:
            continue
        try:
            names.update(as_names(value))
        except BadRow:
            bad += 1
    if 2 * bad > count:
        return "holds no labels"
    if any(len(name) > LABEL_LENGTH for name in names):
        return "is free text, not labels"
    if len(names) > SETS or (not chosen and len(names) > 50 and len(names) > count):
        return f"has {len(names):,} different labels, too many"
    return ""


OBJECTIONS: dict[str, Callable[[Iterable[Any], bool], str]] = {  # by the role of what is predicted
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
