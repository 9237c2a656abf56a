"""What a run has recorded so far, as records again, for a window that opens it anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lora_lab.errors import LabError
from lora_lab.records import EvalRecord, StepRecord
from lora_lab.runs.metrics import read_metrics

MOST = 50_000  # steps that come back: a curve has no more pixels


def past_records(path: Path, until: int) -> Iterator[StepRecord | EvalRecord]:
    """Steps (every k-th of a long run, and the last) and evaluations up to step `until`, in order.

    Nothing where the file cannot be read: a run can go on without its past.
    """
    try:
        found = read_metrics(path)
    except LabError:
        return
    rows = [r for r in found if r.get("record") in ("StepRecord", "EvalRecord")]
    rows = [r for r in rows if r.get("step", 0) <= until]
    steps = sum(r["record"] == "StepRecord" for r in rows)
    every, seen = max(1, -(-steps // MOST)), 0
    for row in rows:
        kind = row.pop("record")
        try:
            if kind == "StepRecord":
                seen += 1
                if seen % every == 0 or seen == steps:
                    yield StepRecord(**row)
            else:
                yield _evaluation(row)
        except TypeError:  # of another version of the lab
            continue


def _evaluation(row: dict[str, Any]) -> EvalRecord:
    return EvalRecord(**{key: _tuples(value) for key, value in row.items()})


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
