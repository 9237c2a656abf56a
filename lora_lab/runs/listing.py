"""The runs of a folder at a glance: from three small files each, never from their metrics.

Any of them may be somebody else's, or damaged: such a run is listed with what is wrong with it, and
the others are listed all the same.
"""

from __future__ import annotations

import json
import math
import os
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from lora_lab.atomic import write_file
from lora_lab.config import RunConfig
from lora_lab.door import door
from lora_lab.errors import LabError, not_written, system_reason
from lora_lab.folders import contents, folders_in, is_there
from lora_lab.names import is_text
from lora_lab.records import State
from lora_lab.runs.lock import is_live
from lora_lab.runs.own_files import Door, Kind, checked, read_table

CONFIG, SUMMARY, CHECKPOINTS = "config.json", "state.json", "checkpoints"
METRICS = "metrics.jsonl"
MIRROR = "mirror.json"  # in a folder that follows a run of elsewhere: where that is
LABEL = "label.json"  # name and note: what people call a run
LONGEST = 2000  # characters of a name or a note
INTERRUPTED, DAMAGED, ELSEWHERE = "interrupted", "damaged", "elsewhere"
GOING = ("loading", "running", "paused")  # states that end with the process
ENDED = (State.FINISHED, State.STOPPED)  # the model stays, and may be trained on

Steps = Annotated[int, Field(ge=0, lt=2**53)]
Seconds = Annotated[float, Field(ge=0, le=1e12)]  # a clock shows no infinity
Word = Annotated[str, Field(max_length=LONGEST)]


class Shape(Door):
    """Rank and α, as asked for or as they are now."""

    rank: Steps = 0
    alpha: float = math.nan


class Asked(Door):
    """Of config.json, what a list shows of the settings."""

    preset: Word = ""
    task: Word = ""
    variant: Word = ""
    max_steps: Steps | None = None
    hyper: Shape | None = None


class Parent(Door):
    run: Annotated[str, Field(max_length=LONGEST, pattern=r"^[^/\\\x00]*$")] = ""  # a name, no path
    step: Steps = 0


class About(Door):
    """Of config.json, what a list shows."""

    config: Asked
    started: Word = ""
    origin: Parent | None = None


class Summary(Door):
    """state.json: how far a run is."""

    state: Word = ""
    step: Steps = 0
    max_steps: Steps | None = None
    loss: float | None = None
    best: float | None = None
    seconds: Seconds | None = None
    hyper: Shape | None = None


class Label(Door):
    """label.json: what people call a run."""

    name: Annotated[str, Field(max_length=2**16)] = ""
    note: Annotated[str, Field(max_length=2**16)] = ""


@dataclass(frozen=True)
class RunSummary:
    """One run: what it was asked, how far it is."""

    path: str
    name: str
    state: str  # running, paused, finished, stopped, failed; "": not written; or one of the above
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
    flaw: str = ""  # which of its files is damaged, and how

    @property
    def interrupted(self) -> bool:
        return self.state == INTERRUPTED


def list_runs(parent: Path) -> list[RunSummary]:
    """Every run in `parent`, the newest first; folders that are none are passed over.

    One whose settings cannot be read is listed as damaged, with the reason. Raises LabError where
    `parent` cannot be read.
    """
    try:
        folders = [path for path in contents(parent) if os.path.isdir(path)]
    except OSError as error:
        raise LabError(f"{parent} cannot be read: {system_reason(error)}.") from error
    runs = []
    for folder in folders:
        try:
            if folder.name.startswith(".") or not is_there(folder / CONFIG):  # being written
                continue
            runs.append(summary_of(folder))
        except NoRun:
            continue
        except OSError as error:
            if _is_mine(folder):  # in a folder of several people, each one's runs are his own
                runs.append(_damaged(folder, f"{folder} cannot be read: {system_reason(error)}."))
        except LabError as error:
            runs.append(_damaged(folder, str(error)))
    return sorted(runs, key=lambda run: (run.started, run.name), reverse=True)


def _is_mine(path: Path) -> bool:
    """Whether a file or folder belongs to this person; where systems do not say so, it does."""
    return not hasattr(os, "getuid") or os.stat(path).st_uid == os.getuid()


class NoRun(LabError):
    """A folder is something else than a run."""


@door(LabError)
def summary_of(path: Path) -> RunSummary:
    """One run; raises `NoRun` where there is none, and `LabError` for settings that are damaged."""
    try:
        table = read_table(path / CONFIG)
    except FileNotFoundError:
        raise NoRun(f"{path} is no run: it has no {CONFIG}.") from None
    if not isinstance(table.get("config"), dict):
        raise NoRun(f"{path} is no run: its {CONFIG} says nothing of one.")
    about = checked(About, table, path / CONFIG)
    summary, flaw = _told(Summary, path / SUMMARY)
    label, beside = _told(Label, path / LABEL)
    state = DAMAGED if flaw else summary.state
    if state in GOING and not is_live(path):
        state = ELSEWHERE if is_mirror(path) else INTERRUPTED
    config, origin = about.config, about.origin or Parent()
    hyper = summary.hyper or config.hyper or Shape()
    return RunSummary(
        path=str(path),
        name=path.name,
        state=state,
        title=config.preset or config.task,
        variant=config.variant,
        rank=hyper.rank,
        alpha=hyper.alpha,
        step=summary.step,
        max_steps=summary.max_steps or config.max_steps or 0,
        loss=_number(summary.loss),
        best=_number(summary.best),
        seconds=_number(summary.seconds),
        started=about.started,
        label=label.name[:LONGEST],
        note=label.note[:LONGEST],
        bytes=_size(path),
        parent=origin.run,
        parent_step=origin.step,
        flaw=" ".join(words for words in (flaw, beside) if words),
    )


def _damaged(path: Path, flaw: str) -> RunSummary:
    return RunSummary(
        path=str(path), name=path.name, state=DAMAGED, title="", variant="", rank=0,
        alpha=math.nan, step=0, max_steps=0, loss=math.nan, best=math.nan, seconds=math.nan,
        started="", bytes=_size(path), flaw=flaw,
    )  # fmt: skip


def written_state(path: Path) -> str:
    """The state that a run's folder says it is in; "" where nobody wrote one."""
    return _told(Summary, path / SUMMARY)[0].state


def _told(kind: type[Kind], path: Path) -> tuple[Kind, str]:
    """What a file says that may be missing, and what is wrong with it; nothing is taken then."""
    try:
        return checked(kind, read_table(path), path), ""
    except FileNotFoundError:
        return kind(), ""
    except LabError as error:
        return kind(), str(error)


def is_mirror(path: Path) -> bool:
    """Whether a folder follows a run that is trained elsewhere: it has rows, and no checkpoint."""
    return (path / MIRROR).is_file()


def set_label(run: Path, name: str, note: str) -> None:
    """Give a run a name and a note; raises `LabError` where they cannot be written."""
    if not (is_text(name) and is_text(note)):
        raise LabError("Name and note must be text in UTF-8: half a character is in them.")
    text = json.dumps({"name": name[:LONGEST], "note": note[:LONGEST]}, ensure_ascii=False)
    try:
        write_file(run / LABEL, f"{text}\n".encode())
    except OSError as error:
        raise not_written(run / LABEL, error) from error


def new_name(config: RunConfig) -> str:
    """A folder's name for a run that begins now."""
    model = (
        re.sub(r"[^\w.-]+", "-", Path(config.model).stem)[:40].strip("-.") if config.model else ""
    )
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{config.preset or model or 'run'}"


def name_run(run: Path, name: str) -> None:
    """Give a run a name unless it has one; raises `LabError` where it cannot be written."""
    if not (run / LABEL).exists():
        set_label(run, name, "")


def _size(path: Path) -> int:
    """Bytes of all files in a folder, links not followed; what vanishes meanwhile counts as 0."""
    total = 0
    for folder, names in folders_in(path):
        for name in names:
            with suppress(OSError):
                total += os.lstat(folder / name).st_size
    return total


def _number(value: float | None) -> float:
    return math.nan if value is None else value
