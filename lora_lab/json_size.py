"""How much a text of JSON may hold, counted before it is parsed: "[]," takes 64 bytes of memory."""

from __future__ import annotations

from typing import Any

MOST_LISTS = 2**19  # and tables, 100 MB of them: a model of 70,000 matrices is told in 400,000
MOST_VALUES = 2**21  # in them; of such a model 1.5 million


def check_size(text: bytes | str, lists: int = MOST_LISTS, values: int = MOST_VALUES) -> None:
    """Raise ValueError where a text opens more lists and tables, or has more commas, than it may.

    Those within strings count as well.
    """
    if len(text) <= min(lists, values):  # as nearly all are
        return
    for found, most, what in (
        (lists_in(text), lists, "lists and tables"),
        (_count(text, ","), values, "values"),
    ):
        if found > most:
            raise ValueError(f"it holds {found:,} {what}, and no more than {most:,} are read")


def lists_in(text: bytes | str) -> int:
    """How many lists and tables a text opens at most."""
    return _count(text, "[") + _count(text, "{")


def parts_in(text: bytes | str) -> int:
    """How many values a text has at most: each but the whole stands behind one of these marks."""
    return lists_in(text) + _count(text, ",")


def _count(text: bytes | str, mark: str) -> int:
    return text.count(mark) if isinstance(text, str) else text.count(mark.encode())


def values_in(table: Any) -> int:
    """How many values a table of JSON has, those within others as well."""
    count, within = 0, [table]
    while within:
        value = within.pop()
        count += 1
        if isinstance(value, dict | list):
            within += value.values() if isinstance(value, dict) else value
    return count
