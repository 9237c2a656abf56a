"""The lines of metrics.jsonl: which of them hold, and what each says.

A file may have been made by hand, or be of a run of weeks. A line that is longer than any record is
read as several that say nothing; of more steps than a reader asks for, every k-th is kept, and so
it is of spectra: of some models an hour has hundreds of megabytes of them.
"""

from __future__ import annotations

import json
import math
import os
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from lora_lab.errors import LabError
from lora_lab.json_size import check_size, lists_in
from lora_lab.runs.holding import Holding
from lora_lab.runs.own_files import open_own, well_formed
from lora_lab.runs.row_shape import flaw

STEP_LINE = b'{"record":"StepRecord","step":'
SPECTRUM_LINE = b'{"record":"SpectrumRecord"'
READ = 2**17  # bytes at a time: after few this thread goes on before the window's has woken
LONGEST = 2**25  # bytes of a line: the spectra of the largest models have some megabytes
MOST = 2**62  # of what a step can be in a file made by hand
# Records that are no steps, and what they take in memory, where not all are asked for: a million
# evaluations of ten classes, with their confusion matrices, are 2.4 GB of it.
MOST_BESIDE, MOST_BYTES = 10**6, 5 * 2**29
MOST_SPECTRA = 2**28  # bytes of spectra, where not all are asked for
LIST = 128  # bytes that each list or table of a record counts beside its text
# Marks of rows; the last spectrum may go when another comes.
EDIT, STEP, SPECTRUM, LAST_SPECTRUM = 1, 2, 3, 4
NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def open_lines(path: Path) -> IO[bytes]:
    """A run's own file for `lines_of`; raises OSError."""
    return open(open_own(path), "rb", buffering=READ)


def lines_of(file: IO[bytes]) -> Iterator[bytes]:
    """The lines of a file, those of over `LONGEST` bytes in pieces."""
    while raw := file.readline(LONGEST):
        yield raw


def whole_lines(file: IO[bytes]) -> Iterator[bytes]:
    """Those that have come as a whole; before one that is still being written the file stays."""
    for raw in lines_of(file):
        if not raw.endswith(b"\n") and len(raw) < LONGEST:
            file.seek(-len(raw), os.SEEK_CUR)
            return
        yield raw


def held_lines(
    path: Path, until: tuple[int, int] | None = None, most: int | None = None
) -> Iterator[bytes]:
    """The lines that hold; where `until` is given, those up to a step with so many edits.

    Of over `most` steps some are left out that are neither before nor after another record, and of
    spectra of over `MOST_SPECTRA` bytes all but the last and each k-th. Of a long run only the
    places of those lines are in memory. Raises OSError, and LabError for a record of resuming that
    does not say where, or for more records than a reader of `most` can hold.
    """
    if most is None:
        yield from _all_held(path, until)
        return
    holding: Holding[int] = Holding(array("q"))
    places, steps, marks = holding.rows, holding.steps, holding.edits
    every, seen, count, beside, room = 1, 0, 0, 0, most
    loose = False  # whether the last row is left out when another step follows
    spectra = _Spectra(holding)
    with open_lines(path) as file:
        at = 0
        for raw in lines_of(file):
            place, at = at, at + len(raw)
            if (step := _step_in(raw)) >= 0:
                if loose:
                    places.pop(), steps.pop(), marks.pop()
                else:
                    count += 1
                seen += 1
                loose = every > 1 and seen % every != 0 and marks[-1:] == bytes([STEP])
                places.append(place)
                steps.append(step)
                marks.append(STEP)
                if count > 2 * room and (count := _settled(holding)) > room:
                    chosen, fixed = _every_other(marks)
                    holding.keep(chosen)
                    every, count, loose = 2 * every, marks.count(STEP), False
                    room = max(most, 2 * fixed)
                continue
            if (row := parsed(raw)) is None:
                continue
            if row.get("record") == "ResumedRecord":
                holding.go_back(*_back(path, row))
            loose = False
            places.append(place)
            steps.append(_step_of(row))
            marks.append(EDIT if _is_edit(row) else 0)
            size = len(raw) + LIST * lists_in(raw)
            if raw.startswith(SPECTRUM_LINE):
                spectra.add(size)
            else:
                beside += size
            if many := len(marks) - count > MOST_BESIDE * (1 + holding.unsettled):
                count = _settled(holding)
                many = len(marks) - count > MOST_BESIDE
            if many or beside > MOST_BYTES:
                raise LabError(
                    f"{path} is too long to be read whole: beside its steps it has over "
                    f"{MOST_BESIDE:,} records, or so many that they take over "
                    f"{MOST_BYTES // 2**20:,} MB of memory."
                )
        holding.settle()
        for place in places:
            file.seek(place)
            yield file.readline(LONGEST)


def _all_held(path: Path, until: tuple[int, int] | None) -> Iterator[bytes]:
    """Every line that holds: the file is gone through twice, so that not even places are kept.

    A row holds where no later record of going back leads to a step before its own; of those that
    changed settings the rule counts, so that these few are held.
    """
    edits: Holding[int] = Holding(array("q"))  # numbers of lines
    backs: list[tuple[float, int]] = []  # before which line, to which step
    count = 0
    with open_lines(path) as file:
        for number, raw in enumerate(lines_of(file)):
            count = number + 1
            if _step_in(raw) >= 0 or (row := parsed(raw)) is None:
                continue
            if row.get("record") == "ResumedRecord":
                back = _back(path, row)
                edits.go_back(*back)
                backs.append((number, back[0]))
            elif _is_edit(row):
                edits.add(number, _step_of(row), True)
        if until is not None:
            edits.go_back(*until)
            backs.append((math.inf, until[0]))
        edits.settle()
        least: list[tuple[float, float]] = [(math.inf, math.inf)]  # up to which line, which step
        for before, step in reversed(backs):
            least.append((before, min(step, least[-1][1])))
        changing = iter([*edits.rows, -1])
        next_edit = next(changing)
        file.seek(0)
        for number, raw in zip(range(count), lines_of(file), strict=False):
            while number >= least[-1][0]:
                least.pop()
            step = _step_in(raw)
            if step < 0:
                if (row := parsed(raw)) is None:
                    continue
                if _is_edit(row):
                    if number != next_edit:
                        continue
                    next_edit = next(changing)
                step = _step_of(row)
            if step <= least[-1][1]:
                yield raw


def _step_in(raw: bytes) -> int:
    """The step of a line that the lab wrote of one; -1 for any other, which is read as a table."""
    if raw.startswith(STEP_LINE) and raw.endswith(b"}\n"):
        number = raw[len(STEP_LINE) : raw.find(b",", len(STEP_LINE))]
        if number.isdigit() and len(number) < 19:
            return int(number)
    return -1


def _step_of(row: dict[str, Any]) -> int:
    step = row.get("step")
    return max(-1, min(step, MOST)) if type(step) is int else -1  # -1: of none


def _is_edit(row: dict[str, Any]) -> bool:
    """Whether a record tells of changed settings."""
    changed = row.get("record") == "AppliedRecord" and bool(row.get("changes"))
    return changed or row.get("record") == "ClippedRecord"


def _back(path: Path, row: dict[str, Any]) -> tuple[int, int]:
    """Where a run was resumed, and with how many edits; raises LabError where it does not say."""
    if part := flaw(row):
        raise damaged(path, row, part)
    return row["step"], row["edits"]


def _settled(holding: Holding[int]) -> int:
    """How many steps hold; asked where so many rows were added that going through them is due."""
    holding.settle()
    return holding.edits.count(STEP)


def _every_other(marks: bytearray) -> tuple[np.ndarray, int]:
    """Which rows (bool) stay: every second step, and all that are, or are beside, other records.

    And how many steps are beside others.
    """
    step = np.frombuffer(bytes(marks), np.uint8) == STEP
    beside = step & ~(np.append(step[1:], False) & np.append(False, step[:-1]))
    return ~step | beside | (np.cumsum(step) % 2 == 0), int(beside.sum())


class _Spectra:
    """Of spectra that are added to rows, one behind the other, the last and each k-th stay."""

    def __init__(self, holding: Holding[int]) -> None:
        self._holding = holding
        self._every, self._number, self._length = 1, -1, 0  # k; which the last is; its bytes
        self._size = 0  # bytes of those that stay

    def add(self, length: int) -> None:
        """The last row is a spectrum, a line of so many bytes."""
        rows, marks = self._holding, self._holding.edits
        if (last := marks.rfind(LAST_SPECTRUM)) >= 0:
            if self._number % self._every:
                rows.drop(last)
            else:
                marks[last] = SPECTRUM
                self._size += self._length
        if self._size > MOST_SPECTRA:
            rows.settle()
            kept = np.frombuffer(bytes(marks), np.uint8) == SPECTRUM
            rows.keep(~kept | (np.cumsum(kept) % 2 == 1))
            self._every, self._size = 2 * self._every, self._size // 2
        marks[-1] = LAST_SPECTRUM
        self._number, self._length = self._number + 1, length


def damaged(path: object, row: dict[str, Any], part: str) -> LabError:
    """What to raise where a field of a record is not what it should be."""
    step = f" of step {row['step']:,}" if type(row.get("step")) is int else ""
    return LabError(f"{path} is damaged: the {row['record']}{step} has no {part} as it should be.")


def parsed(raw: bytes) -> dict[str, Any] | None:
    """One line as a plain table; None for one that was torn, or holds more than any record."""
    if raw[:64].lstrip()[:1] != b"{":  # of gigabytes without a line end nothing is decoded
        return None
    try:
        check_size(raw)
        text = raw.decode()
        spelled = 'NaN"' in text or 'Infinity"' in text
        value = (SPELLED if spelled else PLAIN).decode(text)
        value = well_formed(value) if "\\ud" in text.lower() else value
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _finite_again(table: dict[str, Any]) -> dict[str, Any]:
    return {key: _number(value) for key, value in table.items()}


def _number(value: Any) -> Any:
    if isinstance(value, list):
        return [_number(item) for item in value]
    return NOT_FINITE.get(value, value) if isinstance(value, str) else value


# Made once: a million lines are read with them, few of which hold what JSON has no number for.
PLAIN, SPELLED = json.JSONDecoder(), json.JSONDecoder(object_hook=_finite_again)
