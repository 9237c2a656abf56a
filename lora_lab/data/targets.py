"""What a text is to be mapped to: a class, a number, or any of several labels; and what is none."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, Protocol

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
    """The labels of a cell, each once: a list, or text with | ; or , between; () for none.

    Raises BadRow where they cannot be read, or are more than all rows together may have.
    """
    if is_missing(value):
        return ()
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = from_text(value)
        except ValueError:
            raise BadRow("its labels are a list that is not JSON") from None
    listed = isinstance(value, list | tuple)
    cells = value if listed else SEPARATORS.split(as_label(value), SETS)
    if len(cells) > SETS:
        raise BadRow(f"it has over {SETS:,} labels")
    parts = [as_label(cell) for cell in cells] if listed else [cell.strip() for cell in cells]
    return tuple(dict.fromkeys(well_formed(part) for part in parts if part))


class Judge(Protocol):
    """Is told the values of a column one by one, and says why they cannot be predicted."""

    @property
    def settled(self) -> bool:
        """Whether there is an objection already, whatever comes."""
        ...

    def add(self, value: Any) -> None: ...

    def objection(self, chosen: bool = False) -> str:
        """Why these values cannot be predicted, or nothing.

        A column that a person has `chosen` may have many classes in few rows.
        """
        ...


class Classes:
    """Whether values can be labels of one class each; different ones are held up to `most`."""

    def __init__(self, most: int = COUNTED) -> None:
        self._most, self._count, self._different = most, 0, set[str]()
        self._listed = self._free = False

    @property
    def settled(self) -> bool:
        return self._listed or self._free or len(self._different) > min(self._most, LABELS)

    def add(self, value: Any) -> None:
        self._count += 1
        if isinstance(value, list | dict):
            self._listed = True
        elif len(word := str(value)) > LABEL_LENGTH:
            self._free = True
        elif len(self._different) <= self._most:
            self._different.add(word)

    def objection(self, chosen: bool = False) -> str:
        if self._listed:
            return "holds lists, not labels"
        if self._free:
            return "is free text, not a label"
        different = self._different
        most = self._count - 1 if chosen else self._count // 2
        if not self.settled and len(different) <= max(20, most):
            return ""
        kind = "numbers" if all(_is_number(value) for value in different) else "values"
        over = "over " if len(different) > COUNTED else ""
        return f"has {over}{min(len(different), COUNTED):,} different {kind}, too many for labels"


class Numbers:
    """Whether values can be numbers; single ones that are none are bad rows."""

    def __init__(self, most: int = 0) -> None:
        del most  # none is held
        self._count = self._numbers = 0
        self.settled = False

    def add(self, value: Any) -> None:
        self._count += 1
        self._numbers += _is_number(value)
        self.settled = self.settled or isinstance(value, list | dict)

    def objection(self, chosen: bool = False) -> str:
        del chosen
        if self.settled:
            return "holds lists, not numbers"
        return "holds no numbers" if 2 * self._numbers < self._count else ""


class Names:
    """Whether values can be labels, several in a row; single bad ones are bad rows."""

    def __init__(self, most: int = COUNTED) -> None:
        self._most, self._count, self._bad, self._names = most, 0, 0, set[str]()
        self._free = False

    @property
    def settled(self) -> bool:
        return self._free or len(self._names) > min(self._most, SETS)

    def add(self, value: Any) -> None:
        self._count += 1
        if len(self._names) > self._most:
            return
        try:
            names = as_names(value)
        except BadRow:
            self._bad += 1
            return
        self._free = self._free or any(len(name) > LABEL_LENGTH for name in names)
        self._names.update(name for name in names if len(name) <= LABEL_LENGTH)

    def objection(self, chosen: bool = False) -> str:
        if 2 * self._bad > self._count:
            return "holds no labels"
        if self._free:
            return "is free text, not labels"
        many = len(self._names)
        if self.settled or (not chosen and many > max(50, self._count)):
            return f"has {many:,} different labels, too many"
        return ""


# By the role of what is predicted: a judge that holds about so many different values.
JUDGES: dict[str, Callable[[int], Judge]] = {"label": Classes, "score": Numbers, "labels": Names}


def _is_number(value: Any) -> bool:
    try:
        as_number(value)
    except BadRow:
        return False
    return True
