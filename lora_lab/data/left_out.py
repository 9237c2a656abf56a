"""Rows that are left out: each by its number and the reason, or the first one as an error."""

from __future__ import annotations

from typing import Protocol

from lora_lab.errors import DataError

NAMED = 5  # rows that a note names


class BadRow(Exception):
    """A row that does not say what its form needs, with the reason."""


class Numbered(Protocol):
    """A table that tells where its rows stand."""

    def where(self, number: int) -> str: ...


class LeftOut:
    """The rows of one file that are left out; where none may be, the first one ends the reading."""

    def __init__(self, table: Numbered, allowed: bool) -> None:
        self._table, self._allowed = table, allowed
        self._rows: list[tuple[int, str]] = []

    def add(self, number: int, reason: object) -> None:
        """Row `number` cannot be used. Raises DataError where no row may be left out."""
        if not self._allowed:
            raise DataError(f"{self._table.where(number)}: {reason}. Fix it, or skip bad rows.")
        self._rows.append((number, str(reason)))

    def notes(self) -> tuple[str, ...]:
        """One sentence with the count and the first rows by name; none where all are used."""
        if not self._rows:
            return ()
        first = [(self._table.where(number), reason) for number, reason in self._rows[:NAMED]]
        files = {where.rpartition(": ")[0] for where, _ in first}
        if len(files) == 1:  # the file is named once, by whoever shows this
            first = [(where.rpartition(": ")[2], reason) for where, reason in first]
        named = "; ".join(f"{where}: {reason}" for where, reason in first)
        more = f"; and {len(self._rows) - NAMED:,} more" if len(self._rows) > NAMED else ""
        many = len(self._rows) > 1
        return (f"{len(self._rows):,} row{'s were' if many else ' was'} left out ({named}{more})",)
