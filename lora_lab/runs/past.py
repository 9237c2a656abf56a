"""What a run has recorded so far, as records again, for a window that opens it anew."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lora_lab.records import (
    EvalRecord,
    LayerSpectrum,
    PastEditRecord,
    SpectrumRecord,
    StepRecord,
    frozen_array,
)
from lora_lab.runs.metrics import parsed

MOST = 50_000  # steps that come back: a curve has no more pixels
STEP, EVALUATION, EDIT, RESUMED, SPECTRUM, COUNTS = (
    f'{{"record":"{kind}Record"'.encode()
    for kind in ("Step", "Eval", "Applied", "Resumed", "Spectrum", "Counts")
)
FLOAT = rb"(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)"  # finite
PLAIN_STEP = re.compile(
    rb'\{"record":"StepRecord","step":(\d+),"loss":%b,"learning_rate":%b,"seconds":%b\}'
    % (FLOAT, FLOAT, FLOAT)
)  # as metrics.step_line writes it: 50,000 of them are no work for a parser of JSON
NUMBER = re.compile(rb'"step":(\d+)')
EDITS = re.compile(rb'"edits":(\d+)')


Past = StepRecord | EvalRecord | PastEditRecord


def past_records(path: Path, until: int) -> Iterator[Past]:
    """Steps (every k-th of a long run, and the last), evaluations and edits up to step `until`.

    Of a million steps only the lines that come back are parsed. Nothing where the file cannot be
    read: a run can go on without its past.
    """
    try:
        data = path.read_bytes()
    except OSError:
        return
    kinds = (STEP, EVALUATION, EDIT, RESUMED)
    kept = [line for line in data.split(b"\n") if line.startswith(kinds)]
    if RESUMED in data:
        kept = _holding(kept)
    while kept and _step(kept[-1]) > until:
        kept.pop()
    steps = [index for index, line in enumerate(kept) if line.startswith(STEP)]
    every = max(1, -(-len(steps) // MOST))
    if every > 1:
        some = {*steps[every - 1 :: every], steps[-1]}
        others = set(range(len(kept))).difference(steps)
        kept = [kept[index] for index in sorted(some | others)]
    for line in kept:
        record = _record(line)
        if record is not None:
            yield record


def _holding(lines: list[bytes]) -> list[bytes]:
    """Without what a run lost that was resumed from before it, and made again."""
    kept: list[bytes] = []
    for line in lines:
        if not line.startswith(RESUMED):
            kept.append(line)
            continue
        step = _step(line)
        while kept and _step(kept[-1]) > step:
            kept.pop()
        if found := EDITS.search(line):
            _drop_edits(kept, step, int(found[1]))
    return kept


def _step(line: bytes) -> int:
    found = NUMBER.search(line)
    return int(found[1]) if found else 0


def last_spectrum(path: Path) -> SpectrumRecord | None:
    """The newest singular values that were recorded; None where there are none."""
    row = _last_row(path, SPECTRUM)
    if row is None:
        return None
    try:
        layers = [
            LayerSpectrum(**{**layer, "sigma": frozen_array(np.array(layer["sigma"], float))})
            for layer in row["layers"]
        ]
    except (TypeError, KeyError, ValueError):
        return None
    return SpectrumRecord(row["step"], tuple(layers))


def last_trained(path: Path) -> int:
    """How many parameters were trained at the end; 0 where nobody wrote it down."""
    row = _last_row(path, COUNTS) or {}
    return row["adapter"] if type(row.get("adapter")) is int else 0


def _last_row(path: Path, mark: bytes) -> dict[str, Any] | None:
    try:
        data = path.read_bytes()
    except OSError:
        return None
    at = data.rfind(b"\n" + mark)
    return parsed(data[at + 1 :].split(b"\n", 1)[0]) if at >= 0 else None


def _drop_edits(kept: list[bytes], step: int, holding: int) -> None:
    """Take away the edits at `step` that came after the first `holding` of the run."""
    made = sum(line.startswith(EDIT) and b'"changes":[]' not in line for line in kept)
    for index in range(len(kept) - 1, -1, -1):
        if made <= holding or _step(kept[index]) < step:
            return
        if kept[index].startswith(EDIT) and b'"changes":[]' not in kept[index]:
            del kept[index]
            made -= 1


def _record(line: bytes) -> Past | None:
    """None for a torn line, for an edit of nothing, or one of another version of the lab."""
    if found := PLAIN_STEP.fullmatch(line):
        step, loss, rate, seconds = found.groups()
        return StepRecord(int(step), float(loss), float(rate), float(seconds))
    row = parsed(line)
    if row is None:
        return None
    if row["record"] == "AppliedRecord":
        if not row.get("changes"):
            return None
        return PastEditRecord(row["step"], tuple(_tuples(change) for change in row["changes"]))
    kind = {"StepRecord": StepRecord, "EvalRecord": EvalRecord}[row.pop("record")]
    try:
        return kind(**{key: _tuples(value) for key, value in row.items()})
    except TypeError:
        return None


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
