"""What a window that comes later must know: what stands now, and the last of what has happened.

The rest of a run's past is in its folder: every record goes there before it comes here, and is
handed to the system within a second. So only the last seconds are kept here, and of each step that
is kept all that was said of it, so that no step is missing and none comes twice.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from pathlib import Path

from lora_lab.hyperparameters import Hyperparameters
from lora_lab.measured import ClippedRecord
from lora_lab.opening_records import DataRecord, LoadedRecord, OpeningRecord
from lora_lab.records import (
    AppliedRecord,
    CheckpointRecord,
    CountsRecord,
    EvalRecord,
    FolderRecord,
    PaceRecord,
    PastEditRecord,
    Record,
    ResumedRecord,
    SpectrumRecord,
    State,
    StateRecord,
    StepRecord,
)
from lora_lab.runs.listing import METRICS
from lora_lab.runs.past import past_records

SECONDS = 5.0  # that a record is kept at least; the run's file has it after one
MOST = 200_000  # records, whatever the disk does
PAST = (StepRecord, EvalRecord, PastEditRecord, ClippedRecord, PaceRecord)


@dataclass(frozen=True)
class Backlog:
    """What one who comes is told: `recent` follows on step `until` of the record in `folder`."""

    loaded: LoadedRecord | None
    folder: str
    until: int  # -1: nothing of the file is needed
    recent: tuple[Record, ...]
    stands: tuple[Record, ...]

    def records(self) -> list[Record]:
        """All of it, the past read from the run's folder, in the order in which a run says it."""
        if self.loaded is None:
            return list(self.stands)
        past: list[Record] = []
        if self.until >= 0 and self.folder:
            past = list(past_records(Path(self.folder) / METRICS, self.until))
        return [self.loaded, *past, *self.recent, *self.stands]


class Standing:
    """Follows all that a session says."""

    def __init__(self) -> None:
        self._recent: deque[tuple[float, Record]] = deque()
        self._loaded: LoadedRecord | None = None
        self._hyper: Hyperparameters | None = None
        self._last: dict[object, Record] = {}
        self._folder = ""
        self.state = State.LOADING
        self.step = self._begin = 0
        self._goal = 0
        self._until = -1
        self._words = "", ""  # message and details of the state

    @property
    def loaded(self) -> bool:
        """Whether a model stands ready."""
        return self._loaded is not None

    def take(self, record: Record, now: float) -> None:
        """Follow one record; `now` in seconds of a clock that never goes back."""
        if isinstance(record, StepRecord):
            self.step = record.step
        elif isinstance(record, LoadedRecord):
            self._loaded, self._hyper, self._last = record, record.hyper, {}
            self.step, self._begin, self._goal, self._until = 0, 0, record.goal, -1
            self._recent.clear()
        elif isinstance(record, ResumedRecord):
            self._go_back(record)
        elif isinstance(record, StateRecord):
            self._enter(record)
        elif isinstance(record, AppliedRecord):
            self._hyper = record.hyper
            if record.changes:
                self._keep(PastEditRecord(record.step, record.changes), now)
        elif isinstance(record, FolderRecord):
            self._folder = record.path
        if isinstance(record, PAST):
            self._keep(record, now)
        if isinstance(record, EvalRecord):
            self._last[(EvalRecord, record.enabled)] = record
        elif isinstance(
            record,
            DataRecord | CountsRecord | SpectrumRecord | CheckpointRecord | OpeningRecord,
        ):  # fmt: skip
            self._last[type(record)] = record

    def backlog(self) -> Backlog:
        """What stands now."""
        state = StateRecord(self.state, self.step, *self._words, goal=self._goal)
        if self._loaded is None:
            opening = self._last.get(OpeningRecord)
            return Backlog(None, "", -1, (), (state, *([opening] if opening else [])))
        loaded = replace(self._loaded, hyper=self._hyper, goal=self._goal or self._loaded.goal)
        stands: list[Record] = []
        if self.step:
            goal = max(self._goal, self.step)
            stands.append(ResumedRecord(self.step, (min(self._begin, self.step), goal)))
        kinds = (DataRecord, CountsRecord, SpectrumRecord, CheckpointRecord)
        stands += [self._last[kind] for kind in kinds if kind in self._last]
        if self._folder:
            stands.append(FolderRecord(self.step, self._folder))
        recent = tuple(record for _, record in self._recent)
        return Backlog(loaded, self._folder, self._until, recent, (*stands, state))

    def _enter(self, record: StateRecord) -> None:
        ended = (State.FINISHED, State.STOPPED)
        if record.state is State.RUNNING and self.state in ended:
            self._begin = record.step  # another stage
        self.state, self.step = record.state, max(record.step, 0)
        self._words = record.message, record.details
        self._goal = record.goal or self._goal

    def _go_back(self, record: ResumedRecord) -> None:
        """What was kept of later steps no longer holds."""
        self.step = record.step
        if record.stage:
            self._begin, self._goal = record.stage[0], record.stage[-1]
        if self._folder:  # its file has all that holds, and knows which edits do
            self._until = record.step
            self._recent.clear()
        else:
            held = [pair for pair in self._recent if pair[1].step <= record.step]  # type: ignore
            self._recent = deque(held)
            self._until = min(self._until, record.step)

    def _keep(self, record: Record, now: float) -> None:
        recent = self._recent
        recent.append((now, record))
        while recent and ((self._folder and recent[0][0] < now - SECONDS) or len(recent) > MOST):
            self._drop_step()

    def _drop_step(self) -> None:
        """Let the oldest step go, with all that was said of it."""
        recent = self._recent
        step = recent[0][1].step  # type: ignore[attr-defined]
        while recent and recent[0][1].step <= step:  # type: ignore[attr-defined]
            recent.popleft()
        self._until = max(self._until, step)
