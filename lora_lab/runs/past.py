"""What a run has recorded so far, as records again, for a window that opens it anew."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import IO, Any

import numpy as np

from lora_lab.door import door
from lora_lab.errors import LabError
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.measured import ClippedRecord
from lora_lab.names import brief
from lora_lab.records import (
    EvalRecord,
    LayerSpectrum,
    PaceRecord,
    PastEditRecord,
    SpectrumRecord,
    StepRecord,
    frozen_array,
)
from lora_lab.runs.holding import Holding
from lora_lab.runs.lines import LONGEST, open_lines, parsed
from lora_lab.runs.own_files import open_own
from lora_lab.runs.record_sense import flaw_alone
from lora_lab.runs.row_shape import flaw, known

MOST = 20_000  # steps that come back: ten for each pixel of a wide curve
STEP, EVALUATION, EDIT, RESUMED, CLIPPED, PACE, SPECTRUM, COUNTS = (
    f'{{"record":"{kind}Record"'.encode()
    for kind in ("Step", "Eval", "Applied", "Resumed", "Clipped", "Pace", "Spectrum", "Counts")
)
KINDS = (STEP, EVALUATION, EDIT, RESUMED, CLIPPED, PACE)
FLOAT = rb"(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)"  # finite
PLAIN_STEP = re.compile(
    rb'\{"record":"StepRecord","step":(\d{1,18}),"loss":%b,"learning_rate":%b,"seconds":%b\}'
    % (FLOAT, FLOAT, FLOAT)
)  # as metrics.step_line writes it: 20,000 of them are no work for a parser of JSON
NUMBER = re.compile(rb'"step":(\d{1,18})(?!\d)')
EDITS = re.compile(rb'"edits":(\d{1,18})(?!\d)')
BLOCK = 2**20  # bytes that are looked through at a time
MARK = len(b'{"record":"')  # where the kind of a line begins
DIGITS = 18  # of the number of a step, at most
HEAD = len(STEP) + len(b',"step":')  # where the number of a step begins

Past = StepRecord | EvalRecord | PastEditRecord | ClippedRecord | PaceRecord


@door(LabError)
def past_records(path: Path, until: int) -> Iterator[Past]:
    """Steps (every k-th of a long run, and the last), evaluations and edits up to step `until`.

    Of a million steps only the lines that come back are kept and parsed. Nothing where the file
    cannot be read: a run can be resumed without its past.
    """
    try:
        with open_lines(path) as file:
            lines = _fewer(_held(file, until))
    except OSError:
        return
    newest: dict[type, int] = {}
    for line in lines:
        record = _record(line)
        if record is None or not 0 <= record.step <= until:
            continue
        if not isinstance(record, StepRecord) and flaw_alone(record):
            continue
        # In a file made by hand they may go back, and no curve does.
        if record.step >= newest.get(type(record), 0):
            newest[type(record)] = record.step + isinstance(record, StepRecord)
            yield record


def _held(file: IO[bytes], until: int) -> list[bytes]:
    """The lines that come back, without what a run lost that was resumed from before it."""
    held: Holding[bytes] = Holding([])
    every, count, room, last = 1, 0, MOST, b""  # every k-th step, so many of them, at most `room`
    for block in _blocks(file):
        for line in _without_most(block, every, until):
            if not line.startswith(KINDS) or not line.endswith(b"}"):  # of another kind, or torn
                continue
            step = _step(line)
            if line.startswith(RESUMED):
                if not NUMBER.search(line):
                    continue
                edits = EDITS.search(line)
                held.go_back(step, int(edits[1]) if edits else -1)
                last = b"" if last and _step(last) > step else last
            elif step > until:
                continue
            elif not line.startswith(STEP):
                edit = line.startswith(EDIT) and b'"changes":[]' not in line
                held.add(line, step, edit or line.startswith(CLIPPED))
            else:
                last = line
                if step % every:
                    continue
                held.add(line, step)
                count += 1
                if count > room * (1 + held.unsettled) and (count := _settled(held)) > room:
                    every *= 2
                    others = np.array([not row.startswith(STEP) for row in held.rows])
                    held.keep(others | (np.array(held.steps) % every == 0))
                    count = _settled(held)
                    room = max(MOST, 2 * count)  # in a file made by hand all may be step 0
    held.settle()
    if last and _step(last) % every:
        at = len(held.rows)
        while at and held.steps[at - 1] >= _step(last):
            at -= 1
        held.rows.insert(at, last)
    return list(held.rows)


def _fewer(lines: list[bytes]) -> list[bytes]:
    """Of each kind about `MOST` and the last; a run's own evaluations and edits are not as many."""
    left = Counter(line[MARK : MARK + 1] for line in lines)
    # By an odd number, since evaluations with the adapter and without it come in turn.
    every = {kind: 2 * (count // (2 * MOST)) + 1 for kind, count in left.items()}
    few = []
    for line in lines:
        left[kind := line[MARK : MARK + 1]] -= 1
        if left[kind] % every[kind] == 0:
            few.append(line)
    return few


def _settled(held: Holding[bytes]) -> int:
    """How many steps hold."""
    held.settle()
    return sum(row.startswith(STEP) for row in held.rows)


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    """The file in pieces of whole lines."""
    parts: list[bytes] = []  # of a line whose end has not come
    while data := file.read(BLOCK):
        if cut := data.rfind(b"\n") + 1:
            yield b"".join([*parts, data[:cut]])
            parts = []
        parts.append(data[cut:])
        if len(parts) > LONGEST // BLOCK:  # no record: it is passed over like a torn one
            parts = []
    if rest := b"".join(parts):
        yield rest


def _without_most(block: bytes, every: int, until: int) -> list[bytes]:
    """The lines of a block, of its steps up to `until` only every k-th and the last.

    Ten thousand lines at once: asked one by one, those of a million steps take four times as long.
    """
    signs = np.frombuffer(block + bytes(HEAD + DIGITS), np.uint8)  # none is beyond the last line
    ends = np.flatnonzero(signs[: len(block)] == ord("\n"))
    if not block.endswith(b"\n"):
        ends = np.append(ends, len(block))
    starts = np.append(0, ends[:-1] + 1)
    digit = is_step = np.all([signs[starts + MARK + i] == sign for i, sign in enumerate(b"Ste")], 0)
    numbers = np.zeros(len(starts), np.int64)
    for place in range(DIGITS):
        values = signs[starts + HEAD + place].astype(np.int64) - ord("0")
        digit = digit & (values >= 0) & (values <= 9)
        if not digit.any():
            break
        numbers = np.where(digit, 10 * numbers + values, numbers)
    held = is_step & (numbers <= until)
    some = ~is_step | (held & (numbers % every == 0))
    some[np.flatnonzero(held)[-1:]] = True
    return [block[a:b] for a, b in zip(starts[some].tolist(), ends[some].tolist(), strict=True)]


def _step(line: bytes) -> int:
    try:
        return int(line[HEAD : line.index(b",", HEAD, HEAD + DIGITS + 1)])  # of most lines
    except ValueError:
        match = NUMBER.search(line)
        return int(match[1]) if match else 0


def last_spectrum(path: Path) -> SpectrumRecord | None:
    """The newest singular values that were recorded; None where there are none."""
    row = _last_row(path, SPECTRUM)
    if row is None or not known(row) or flaw(row):
        return None
    layers = [
        LayerSpectrum(**{f.name: layer[f.name] for f in fields(LayerSpectrum) if f.name != "sigma"},
                      sigma=frozen_array(layer["sigma"]))
        for layer in row["layers"]
    ]  # fmt: skip
    return SpectrumRecord(row["step"], tuple(layers))


def last_trained(path: Path) -> int:
    """How many parameters were trained at the end; 0 where it was not recorded."""
    row = _last_row(path, COUNTS)
    return 0 if row is None or not known(row) or flaw(row) else row["adapter"]


def _last_row(path: Path, mark: bytes) -> dict[str, Any] | None:
    """The last line that begins so, searched from the end: it is near it, or nowhere."""
    mark = b"\n" + mark
    try:
        with open(open_own(path), "rb") as file:
            start, after = file.seek(0, os.SEEK_END), b""
            while start:
                end, start = start, max(0, start - BLOCK)
                file.seek(start)
                block = file.read(end - start) + after
                if (at := block.rfind(mark)) >= 0:
                    file.seek(start + at + 1)
                    return parsed(file.readline(LONGEST))
                after = block[: len(mark) - 1]  # it may be on the border
    except OSError:
        return None
    return None


def _record(line: bytes) -> Past | None:
    """None for a torn line, for an edit of nothing, or one of another version of the lab."""
    if match := PLAIN_STEP.fullmatch(line):
        step, loss, rate, seconds = match.groups()
        return StepRecord(int(step), float(loss), float(rate), float(seconds))
    row = parsed(line)
    if row is None or not known(row) or flaw(row):
        return None
    if row["record"] == "AppliedRecord":
        if not row.get("changes"):
            return None
        changes = row["changes"][: len(Hyperparameters.model_fields)]
        told = tuple((brief(field), _told(old), _told(new)) for field, old, new in changes)
        return PastEditRecord(row["step"], told)
    kinds = (StepRecord, EvalRecord, ClippedRecord, PaceRecord)
    kind = next(kind for kind in kinds if kind.__name__ == row["record"])
    return kind(**{f.name: _tuples(row[f.name]) for f in fields(kind)})


def _told(value: Any) -> Any:
    """A value of a setting; of more than a word or a number as much as is told of an edit."""
    return brief(str(value)) if isinstance(value, str | list | dict) else value


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
