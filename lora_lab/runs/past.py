"""What a run has recorded so far, as records again, for a window that opens it anew."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lora_lab.records import EvalRecord, StepRecord
from lora_lab.runs.metrics import parsed

MOST = 50_000  # steps that come back: a curve has no more pixels
STEP, EVALUATION, RESUMED = (
    f'{{"record":"{kind}"'.encode() for kind in ("StepRecord", "EvalRecord", "ResumedRecord")
)
NUMBER = re.compile(rb'"step":(\d+)')


def past_records(path: Path, until: int) -> Iterator[StepRecord | EvalRecord]:
    """Steps (every k-th of a long run, and the last) and evaluations up to step `until`, in order.

    Of a million steps only the lines that come back are parsed. Nothing where the file cannot be
    read: a run can go on without its past.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError:
        return
    kept: list[bytes] = []
    for line in lines:
        if line.startswith((STEP, EVALUATION)):
            kept.append(line)
        elif line.startswith(RESUMED):  # what came after this step was lost, and made again
            step = _step(line)
            while kept and _step(kept[-1]) > step:
                kept.pop()
    while kept and _step(kept[-1]) > until:
        kept.pop()
    steps = sum(line.startswith(STEP) for line in kept)
    every, seen = max(1, -(-steps // MOST)), 0
    for line in kept:
        if line.startswith(STEP):
            seen += 1
            if seen % every and seen != steps:
                continue
        record = _record(line)
        if record is not None:
            yield record


def _step(line: bytes) -> int:
    found = NUMBER.search(line)
    return int(found[1]) if found else 0


def _record(line: bytes) -> StepRecord | EvalRecord | None:
    """None for a torn line, or one of another version of the lab."""
    row = parsed(line)
    if row is None:
        return None
    kind = {"StepRecord": StepRecord, "EvalRecord": EvalRecord}[row.pop("record")]
    try:
        return kind(**{key: _tuples(value) for key, value in row.items()})
    except TypeError:
        return None


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
