"""One run on the cluster, step by step: begun, or resumed from the lab's own checkpoints.

What has become of it lies in a file beside the runs, so that whoever starts the sweep again knows.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from lora_lab.atomic import make_folder, write_file
from lora_lab.config import RunConfig
from lora_lab.errors import LabError
from lora_lab.records import (
    ErrorRecord,
    EvalRecord,
    NonFiniteRecord,
    Record,
    State,
    StepRecord,
)
from lora_lab.runs.listing import written_state
from lora_lab.runs.lock import is_live
from lora_lab.runs.own_files import PRIVATE, Door, checked, read_table
from lora_lab.runs.saves import resumable
from lora_lab.training.controls import Controls
from lora_lab.training.opening import New, Resume

RUNS, OUTCOMES = "runs", "outcomes"  # folders of a sweep
PATIENCE = 60.0  # seconds for a process of before to let go of the run
GOING, DONE, FAILED = "going", "done", "failed"


class Outcome(Door):
    """What stands of a run: its folder among the sweep's, and whether it has ended."""

    run: Annotated[str, Field(max_length=200, pattern=r"^[\w-][\w.-]*$")]
    state: Literal["going", "done", "failed"]
    message: Annotated[str, Field(max_length=10_000)] = ""


def outcome_of(place: Path, id: str) -> Outcome | None:
    """What stands of the run `id` of the sweep in `place`; None before it has begun."""
    path = place / OUTCOMES / f"{id}.json"
    try:
        return checked(Outcome, read_table(path), path)
    except FileNotFoundError:
        return None


class Trial:
    """Advances from one validation to the next. Raises LabError where it could be tried again."""

    def __init__(self, place: Path, id: str, config: RunConfig) -> None:
        self._place, self._id, self._config = place, id, config
        self._controls = Controls(config.hyper)
        self._records: Iterator[Record] | None = None
        self._folder = place / RUNS / f"{id}-0"
        self._step, self._loss, self._failure = 0, math.nan, ""

    def advance(self) -> dict[str, float | bool]:
        """Train up to the next validation: the step, its loss, and whether the run has ended."""
        try:
            ended = self._advance()
        except LabError as error:  # by the lab's own word: another try would end alike
            self._failure, ended = str(error), True
        if ended:
            self._note(FAILED if self._failure else DONE, self._failure)
        return {"step": self._step, "loss": self._loss, "done": ended}

    def _advance(self) -> bool:
        if self._records is None:
            if self._has_ended():
                return True
            self._records = self._opened()
        for record in self._records:
            match record:
                case StepRecord(step=step):
                    self._step = step
                case EvalRecord() if record.enabled and record.step:
                    self._step, self._loss = record.step, record.loss
                    return False
                case NonFiniteRecord():
                    self._fail(record.message)
                case ErrorRecord() if self._controls.paused:
                    self._fail(record.message)  # nobody is here to lower a learning rate
        return True

    def _fail(self, message: str) -> None:
        self._failure = message
        self._controls.stop()

    def close(self) -> None:
        """End the run at its step, saved."""
        self._controls.stop()
        for _ in self._records or ():
            continue

    def _has_ended(self) -> bool:
        """Whether it had come to its end before, in a process that could not say so any more."""
        known = outcome_of(self._place, self._id)
        if known is None:
            return False
        self._folder = self._place / RUNS / known.run
        self._failure = known.message
        if known.state != GOING:
            return True
        return written_state(self._folder) == State.FINISHED.value

    def _opened(self) -> Iterator[Record]:
        from lora_lab.training.run import run

        known = outcome_of(self._place, self._id)
        number = int(known.run.rpartition("-")[2]) if known else 0
        folder = self._place / RUNS / f"{self._id}-{number}"
        self._let_go(folder)
        if known is not None and resumable(folder) is not None:
            self._folder = folder
            return run(Resume.at(folder), self._controls)
        if folder.exists():  # it was killed before its first checkpoint
            folder = folder.with_name(f"{self._id}-{number + 1}")
        self._folder = folder
        self._note(GOING)
        return run(New(self._config, folder), self._controls)

    def _let_go(self, folder: Path) -> None:
        """Wait for a process that the cluster has given up and that still writes; or raise."""
        deadline = time.monotonic() + PATIENCE
        while folder.is_dir() and is_live(folder):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{folder} is still held by another process")
            time.sleep(0.2)

    def _note(self, state: str, message: str = "") -> None:
        folder = self._place / OUTCOMES
        make_folder(folder, PRIVATE)
        table = {"run": self._folder.name, "state": state, "message": message[:10_000]}
        write_file(folder / f"{self._id}.json", json.dumps(table).encode())
