"""What a run's validation figures mean: of which task they are, and of which classes."""

from __future__ import annotations

from pathlib import Path

from lora_lab.runs.metrics import parsed

LOADED = b'{"record":"LoadedRecord"'
Measure = tuple[str, tuple[str, ...]]  # the task, and its classes
UNKNOWN: Measure = ("", ())


def measure_of(metrics: Path) -> Measure:
    """That of the newest stage of a run; runs that share it are measured alike."""
    newest = b""
    try:
        with metrics.open("rb") as lines:
            for line in lines:
                if line.startswith(LOADED):
                    newest = line
    except OSError:
        return UNKNOWN
    row = parsed(newest.rstrip()) or {}
    task, classes = row.get("task"), row.get("classes")
    if not isinstance(task, str) or not isinstance(classes, list):
        return UNKNOWN
    return task, tuple(map(str, classes))
