"""The runs of a folder at a glance: from two small files each, never from their metrics."""

from __future__ import annotations

import json
import math
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lora_lab.atomic import write_file
from lora_lab.errors import LabError, not_written
from lora_lab.runs.lock import is_live

CONFIG, SUMMARY, CHECKPOINTS = "config.json", "state.json", "checkpoints"
METRICS = "metrics.jsonl"
NAME = re.compile(r"(?:step|kept)-(\d{9,})")  # of a checkpoint; the latter stay for going back
LABEL = "label.json"  # name and note: what people call a run
LARGEST = 2**20
LONGEST = 2000  # characters of a name or a note
INTERRUPTED = "interrupted"
GOING = ("loading", "running", "paused")  # states that end with the process


@dataclass(frozen=True)
class RunSummary:
    """One run: what it was asked, how far it is."""

    path: str
    name: str
    state: str  # running, paused, finished, stopped, failed, interrupted; "" where none was written
    title: str  # preset or task
    variant: str
    rank: int
    alpha: float
    step: int
    max_steps: int
    loss: float
    best: float  # lowest validation loss
    seconds: float
    started: str
    label: str = ""  # what a person calls it
    note: str = ""
    bytes: int = 0  # of the whole folder
    parent: str = ""  # name of the run that it branched from
    parent_step: int = 0

    @property
    def interrupted(self) -> bool:
        return self.state == INTERRUPTED


def list_runs(parent: Path) -> list[RunSummary]:
    """Every run in `parent`, the newest first; folders that are none are passed over."""
    try:
        folders = [entry for entry in os.scandir(parent) if entry.is_dir()]
    except OSError:
        return []
    runs = []
    for folder in folders:
        if folder.name.startswith("."):  # it is being written
            continue
        try:
            runs.append(summary_of(Path(folder.path)))
        except LabError:
            continue
    return sorted(runs, key=lambda run: (run.started, run.name), reverse=True)


def summary_of(path: Path) -> RunSummary:
    """One run; raises `LabError` where there is none."""
    about = _read(path / CONFIG)
    config = about.get("config")
    if not isinstance(config, dict):
        raise LabError(f"{path} is no run: its {CONFIG} says nothing of one.")
    summary = _read(path / SUMMARY, missing={})
    state = str(summary.get("state", ""))
    if state in GOING and not is_live(path):
        state = INTERRUPTED
    hyper = summary.get("hyper") or config.get("hyper") or {}
    label = _read(path / LABEL, missing={})
    origin = about.get("origin")
    origin = origin if isinstance(origin, dict) else {}
    return RunSummary(
        path=str(path),
        name=path.name,
        state=state,
        title=str(config.get("preset") or config.get("task") or ""),
        variant=str(config.get("variant", "")),
        rank=_whole(hyper.get("rank")),
        alpha=_number(hyper.get("alpha")),
        step=_whole(summary.get("step")),
        max_steps=_whole(summary.get("max_steps") or config.get("max_steps")),
        loss=_number(summary.get("loss")),
        best=_number(summary.get("best")),
        seconds=_number(summary.get("seconds")),
        started=str(about.get("started", "")),
        label=_text(label.get("name")),
        note=_text(label.get("note")),
        bytes=_size(path),
        parent=str(origin.get("run", "")),
        parent_step=_whole(origin.get("step")),
    )


def written_state(path: Path) -> str:
    """The state that a run's folder says it is in; "" where nobody wrote one."""
    return str(_read(path / SUMMARY, missing={}).get("state", ""))


def listed(run: Path) -> list[tuple[int, Path]]:
    """(step, folder) of every checkpoint by its name, the oldest first."""
    saved = []
    try:
        entries = list(os.scandir(run / CHECKPOINTS))
    except OSError:
        return []
    for entry in entries:
        if match := NAME.fullmatch(entry.name):
            saved.append((int(match[1]), Path(entry.path)))
    return sorted(saved)


def resumable(path: Path) -> int | None:
    """The step that a run can be resumed from; None where it has no checkpoint."""
    saved = listed(path)
    return saved[-1][0] if saved else None


def _read(path: Path, missing: dict[str, Any] | None = None) -> dict[str, Any]:
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError("it is too long for what it should hold")
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        if missing is not None:
            return missing
        raise LabError(f"{path.parent} is no run: it has no {path.name}.") from None
    except (OSError, ValueError, RecursionError) as error:
        if missing is not None:
            return missing
        raise LabError(f"{path} cannot be read: {error}") from error
    return value if isinstance(value, dict) else {}


def set_label(run: Path, name: str, note: str) -> None:
    """Give a run a name and a note; raises `LabError` where they cannot be written."""
    text = json.dumps({"name": name[:LONGEST], "note": note[:LONGEST]}, ensure_ascii=False)
    try:
        write_file(run / LABEL, f"{text}\n".encode())
    except OSError as error:
        raise not_written(run / LABEL, error) from error


def name_run(run: Path, name: str) -> None:
    """Give a run a name unless it has one; raises `LabError` where it cannot be written."""
    if not (run / LABEL).exists():
        set_label(run, name, "")


def _size(path: Path) -> int:
    """Bytes of all files in a folder, links not followed; what vanishes meanwhile counts as 0."""
    total = 0
    try:
        entries = list(os.scandir(path))
    except OSError:
        return 0
    for entry in entries:
        try:
            if entry.is_dir(follow_symlinks=False):
                total += _size(Path(entry.path))
            else:
                total += entry.stat(follow_symlinks=False).st_size
        except OSError:
            continue
    return total


def _text(value: Any) -> str:
    return value[:LONGEST] if isinstance(value, str) else ""


def _whole(value: Any) -> int:
    return value if type(value) is int else 0


def _number(value: Any) -> float:
    return float(value) if type(value) in (int, float) else math.nan
