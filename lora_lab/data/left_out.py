"""Rows that are left out: each by its number and the reason, or the first one as an error."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from lora_lab.errors import DataError

NAMED = 5  # rows that a note names
QUOTED = 300  # characters of a reason


class BadRow(Exception):
    """A row that does not say what its form needs, with the reason, which may quote the row."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason if len(reason) <= QUOTED else reason[: QUOTED - 1] + "…")


class Numbered(Protocol):
    """A table that tells where its rows stand."""

    @property
    def path(self) -> Path: ...

    def where(self, number: int) -> str: ...


class LeftOut:
    """The rows of one file that are left out; where none may be, the first one ends the reading.

    Rows that the longest length takes whole are counted, and may be less than half of the others.
    """

    def __init__(self, table: Numbered, allowed: bool) -> None:
        self._table, self._allowed = table, allowed
        self._count, self._first = 0, list[tuple[int, str]]()
        self.too_long = 0

    def add(self, number: int, reason: object) -> None:
        """Row `number` cannot be used. Raises DataError where no row may be left out."""
        if not self._allowed:
            raise DataError(f"{self._table.where(number)}: {reason}. Fix it, or skip bad rows.")
        self._count += 1
        if self._count <= NAMED:
            self._first.append((number, str(reason)))

    def notes(self) -> tuple[str, ...]:
        """One sentence with the count and the first rows by name; none where all are used."""
        if not self._count:
            return ()
        first = [(self._table.where(number), reason) for number, reason in self._first]
        files = {where.rpartition(": ")[0] for where, _ in first}
        if len(files) == 1:  # the file is named once, by whoever shows this
            first = [(where.rpartition(": ")[2], reason) for where, reason in first]
        named = "; ".join(f"{where}: {reason}" for where, reason in first)
        more = f"; and {self._count - NAMED:,} more" if self._count > NAMED else ""
        many = self._count > 1
        return (f"{self._count:,} row{'s were' if many else ' was'} left out ({named}{more})",)

    def check(self, kept: int, reason: str, others: Sequence[str] = ()) -> tuple[str, ...]:
        """The notes, `others` and `reason` for the rows that are `too_long`, of which `kept` are
        not. Raises DataError where no row is kept, or half are too long and none may be left out.
        """
        notes, name, rows = [*self.notes(), *others], self._table.path.name, kept + self.too_long
        if self.too_long:
            many = f"{self.too_long:,} rows were" if self.too_long > 1 else "1 row was"
            if kept and 2 * self.too_long >= rows and not self._allowed:
                raise DataError(
                    f"{name}: of {rows:,} rows {self.too_long:,} would be left out: {reason}. "
                    "Raise the max length, shorten the prompts, or skip bad rows."
                )
            notes.append(f"{many} left out: {reason}")
        if not kept:
            raise DataError(
                f"{name}: no row is left to train on ({'; '.join(notes) or 'all empty'})."
            )
        return tuple(notes)
