"""What a run's validation figures mean: of which task they are, and of which classes."""

from __future__ import annotations

from pathlib import Path

from lora_lab.runs.lines import lines_of, open_lines, parsed

LOADED = b'{"record":"LoadedRecord"'
Measure = tuple[str, tuple[str, ...]]  # the task, and its classes
UNKNOWN: Measure = ("", ())


def measure_of(metrics: Path) -> Measure:
    """That of the newest stage of a run; runs that share it are measured alike."""
    newest = b""
    try:
        with open_lines(metrics) as file:
            for line in lines_of(file):
                if line.startswith(LOADED):
                    newest = line
    except OSError:
        return UNKNOWN
    row = parsed(newest.rstrip()) or {}
    task, classes = row.get("task"), row.get("classes")
    if not isinstance(task, str) or not isinstance(classes, list):
        return UNKNOWN
    return task, tuple(map(str, classes))
