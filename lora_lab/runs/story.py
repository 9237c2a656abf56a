"""What a run's folder records: settings, what happened and still holds, in plain tables.

A script, a report and event files are all written from this; nothing is loaded but JSON.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lora_lab.config import Origin, RunConfig, checked
from lora_lab.errors import LabError
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.runs.listing import METRICS
from lora_lab.runs.metrics import ENDS, read_sound
from lora_lab.runs.saved_config import SavedConfig

Row = dict[str, Any]
MOST_MOVES = 20_000  # edits and stages that a script repeats, some megabytes


@dataclass(frozen=True)
class RecordedStage:
    """From step `since` on, the learning rate is on a course from step `begin` to step `end`."""

    since: int
    begin: int
    end: int


@dataclass(frozen=True)
class Story:
    """One run as its folder records it.

    `rows` are the records that still hold, in order, each whole and of a kind that is known.
    """

    path: Path
    about: Row  # config.json
    config: RunConfig
    rows: tuple[Row, ...]
    origin: Origin | None = None

    def of(self, kind: str) -> list[Row]:
        """The records of one kind, such as "StepRecord"."""
        return self._by_kind.get(kind, [])

    def last(self, kind: str) -> Row | None:
        """The newest record of one kind."""
        rows = self.of(kind)
        return rows[-1] if rows else None

    @cached_property
    def _by_kind(self) -> dict[str, list[Row]]:
        by_kind: dict[str, list[Row]] = {}
        for row in self.rows:
            by_kind.setdefault(str(row.get("record")), []).append(row)
        return by_kind

    @property
    def loaded(self) -> Row:
        """What was loaded before the first step."""
        return self.of("LoadedRecord")[0]

    @property
    def last_step(self) -> int:
        row = self.last("StepRecord")
        return row["step"] if row else 0

    @property
    def start(self) -> Hyperparameters:
        """The settings before any edit; a branch's are those that its parent began with."""
        return checked(Hyperparameters, self.loaded["hyper"], str(self.path))

    @property
    def edits(self) -> list[Row]:
        """The edits that changed something and still hold, each made before step `step` + 1."""
        return [row for row in self.of("AppliedRecord") if row.get("changes")]

    def stages(self) -> list[RecordedStage]:
        """The stages of the LR schedule, in order: training on after an end begins another.

        Raises LabError for a run that was moved too often for a script of it.
        """
        length = self.config.max_steps
        begin, end, goal = 0, length, 0
        stages = [RecordedStage(0, begin, end)]
        for row in self.rows:
            kind, step = row.get("record"), row.get("step", 0)
            if kind == "ResumedRecord" and row.get("stage"):
                begin, end = row["stage"]
                if (begin, end) != (stages[-1].begin, stages[-1].end):
                    stages.append(RecordedStage(step, begin, end))
            elif kind == "StateRecord" and row.get("state") in ENDS:
                end = min(end, step)  # the steps before followed the old schedule
            elif kind == "StateRecord" and row.get("state") == "running":
                goal = row.get("goal", 0)  # 0 in the runs of an older lab
            elif kind == "StepRecord" and step > end:
                begin, end = step - 1, goal if goal >= step else step - 1 + length
                stages.append(RecordedStage(begin, begin, end))
        if (moves := len(stages) + len(self.edits)) > MOST_MOVES:
            raise LabError(
                f"{self.path.name} was edited or trained on {moves:,} times, and no script repeats "
                f"over {MOST_MOVES:,}. Its report and its settings can be written."
            )
        return [stage for stage in stages if stage.since < max(1, self.last_step)]


def story_of(run: Path) -> Story:
    """Read a run's folder.

    Raises LabError where it is none, has no record of its model, or one that is damaged.
    """
    saved = SavedConfig.read(run)
    rows = tuple(read_sound(run / METRICS))
    story = Story(run, saved.about, saved.config, rows, saved.origin)
    if story.last("LoadedRecord") is None:
        raise LabError(f"{run.name} has no record of a model that was opened; train it first.")
    return story
