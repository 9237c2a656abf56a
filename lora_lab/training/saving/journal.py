"""Journal: writes a run's records, saves and adapter to its folder, from the first step on."""

from __future__ import annotations

import math
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from lora_lab import paths
from lora_lab.config import Origin
from lora_lab.errors import LabError
from lora_lab.records import (
    AppliedRecord,
    CountsRecord,
    ErrorRecord,
    EvalRecord,
    FolderRecord,
    NewsRecord,
    Record,
    ResumedRecord,
    SpectrumRecord,
    State,
    StateRecord,
    StepRecord,
)
from lora_lab.runs.checkpoints import forget_after
from lora_lab.runs.folder import RunFolder
from lora_lab.runs.listing import METRICS, summary_of
from lora_lab.runs.log import RunLog
from lora_lab.runs.metrics import MAX_WAITING, copy_holding
from lora_lab.training.commands import Save
from lora_lab.training.experiment import Experiment
from lora_lab.training.saving.autosave import Autosave
from lora_lab.training.saving.state import resumed_record

RETRY_SECONDS = 10.0  # between two attempts to make a folder
GESTURE_SECONDS = 2.0  # edits that follow each other sooner are one movement of a hand
SUPERSEDED = (CountsRecord, SpectrumRecord, EvalRecord)  # before step 1 only the last one matters
ENDED = (State.FINISHED, State.STOPPED)


class Journal:
    """The folder of one run. A disk that fails is told of; training continues."""

    def __init__(
        self,
        experiment: Experiment,
        where: Path | None,
        resumed: RunFolder | None = None,
        notes: tuple[str, ...] = (),
        origin: Origin | None = None,
    ) -> None:
        """`where`: a folder made at once, so that it fails now or never (LabError); None: one in
        user data, made at the first step, so that opening and looking leaves nothing behind.
        `resumed` is a run that goes on, with `notes` on what differs; `origin` says where this one
        branched off from another, whose past it takes with it."""
        self.experiment = experiment
        self.folder: RunFolder | None = None
        self.saves = Autosave(experiment, None if resumed is None else experiment.step)
        self._origin = origin if resumed is None else resumed.origin()
        self._past = None if origin is None else Path(origin.run) / METRICS
        self._notes, self._resumed = notes, resumed is not None
        self._branched_at = (experiment.step, experiment.edits)
        self._log: RunLog | None = None
        self._early: list[Record] = []
        # As it was opened: edits may come before the first step, and they are records of their own.
        self._opened: Record | None = experiment.loaded()
        self._unsaid: list[ErrorRecord | NewsRecord] = []
        self._edited_at = -math.inf
        self._asked_at = 0  # the step at which all was last to be saved
        self._unsaved = False  # the adapter in the folder is not the one that is trained
        self._open_at = -math.inf  # when to try again to make a folder
        self._told = False  # that none could be made
        self._loss = math.nan
        self._state = State.LOADING
        self._summary = threading.Lock()  # the writer must not overwrite the end with the middle
        try:
            if resumed is not None:
                self.folder = resumed
                ended = {state.value for state in ENDED}
                self._unsaved = summary_of(resumed.path).state not in ended
                resumed.lock()
                resumed.writer = self.saves.writer
                self._open_log()
                self._write(resumed_record(experiment, notes))
            elif where is not None:
                self.folder = RunFolder.create(where.parent, where.name)
                self._begin()
        except LabError:
            self.close()
            raise

    def note(self, record: Record) -> Iterator[Record]:
        """Write a record down; yields what that leads to, and writes that down as well."""
        for found in self._noted(record):
            if not isinstance(found, FolderRecord):
                self._written(found)
            yield found

    def _noted(self, record: Record) -> Iterator[Record]:
        if isinstance(record, ResumedRecord) and self.folder is not None:
            # Gone back. First the saves of what no longer holds: none may be ahead of the record.
            self.saves.wait()
            yield from self.saves.outcomes()
            forget_after(self.folder.path, record.step, record.edits)
            self.saves.saved = record.step
        if self.folder is None:
            if isinstance(record, SUPERSEDED) and not self.experiment.step:
                self._early = [r for r in self._early if type(r) is not type(record)]
            if len(self._early) < MAX_WAITING or not isinstance(record, StepRecord):
                self._early.append(record)
            if isinstance(record, StepRecord):
                yield from self._open()
        else:
            self._written(record)
        self._heed(record)
        if self.folder is not None:
            yield from self._safe(record)
        while self._unsaid:
            yield self._unsaid.pop(0)

    def _heed(self, record: Record) -> None:
        """What a record means for what stands in the folder."""
        if isinstance(record, StepRecord):
            self._loss = record.loss
        elif isinstance(record, StateRecord):
            self._state = record.state
        edited = isinstance(record, AppliedRecord) and bool(record.changes)
        if edited and record.step:
            self._edited_at = time.monotonic()
        moved = edited or isinstance(record, StepRecord | ResumedRecord)
        self._unsaved = self._unsaved or moved
        if moved or isinstance(record, EvalRecord):  # it may be the best one
            self.saves.behind = True

    def _safe(self, record: Record) -> Iterator[Record]:
        """Save what ought to be saved now."""
        assert self.folder is not None
        paused = self._state is State.PAUSED
        if isinstance(record, StepRecord):
            yield from self.saves.outcomes()
            if self.saves.due():
                self._checkpoint()
            elif self.saves.adapter_next:
                self.saves.order_adapter(self.folder)
        elif isinstance(record, StateRecord):
            if paused and record.step:
                self._checkpoint()
            yield from self._summarised()
        elif isinstance(record, AppliedRecord) and record.step and record.changes and paused:
            self._checkpoint()  # no step will come by and do it

    def before_edit(self) -> None:
        """Keep a checkpoint of what stands, so that the edit to come can be undone.

        A dragged slider edits many times; what stood before the drag is kept.
        """
        if self.folder is None or not self.experiment.step:
            return
        if time.monotonic() - self._edited_at > GESTURE_SECONDS:
            self._checkpoint(keep=True)

    def save(self) -> Iterator[Record]:
        """Write adapter and checkpoint to the run's folder unless they stand there as they are."""
        for found in self._saved():
            if not isinstance(found, FolderRecord):
                self._written(found)
            yield found
        while self._unsaid:
            yield self._unsaid.pop(0)

    def _saved(self) -> Iterator[Record]:
        step = self.experiment.step
        if step and self._unsaved:
            self._open_at = -math.inf
            yield from self._open()
        if self.folder is None:
            return
        if step != self._asked_at:  # what is refused now is told, though it was before
            self._asked_at, self.saves.refused = step, False
        if step and self._unsaved and self._stands():
            try:
                yield from Save().run(self.experiment, self.folder)
                self._unsaved = False
                self.saves.adapter_saved()
            except LabError as error:
                self._regret(str(error))  # after what is said of the checkpoint
        self.saves.wait()
        yield from self.saves.outcomes()
        if step and self.saves.behind:
            self._checkpoint()
            self.saves.wait()
            yield from self.saves.outcomes()
        yield from self._summarised()

    def fail(self, message: str, details: str) -> None:
        """Write down what the run has died of."""
        self._written(StateRecord(State.FAILED, self.experiment.step, message, details))

    @property
    def last_save(self) -> int | None:
        """The step of the newest checkpoint that was written; None: there is none."""
        return self.saves.saved

    def end(self, failed: bool) -> None:
        """Say how the run has ended where it was not to its end; it may be resumed all the same."""
        if self._only_opened:
            return
        if self._state not in ENDED:
            self._state = State.FAILED if failed else State.STOPPED
        self.saves.wait()
        for found in (*self.saves.outcomes(), *self._summarised()):
            self._written(found)

    def close(self) -> None:
        """Raises LabError where records could not be written to the last."""
        self.saves.close()
        try:
            if self.folder is not None:
                self.folder.close()
        finally:
            if self._log is not None:
                self._log.close()

    def _write(self, record: Record) -> None:
        assert self.folder is not None
        if self._log is not None:
            self._log.note(record)
        self.folder.append([record])

    def _written(self, record: Record) -> None:
        """Write down; what the disk refuses is said once, kept in memory and tried again."""
        if self.folder is None:
            return
        try:
            self._write(record)
        except LabError as error:
            self._regret(str(error))

    def _checkpoint(self, keep: bool = False) -> None:
        folder = self.folder
        assert folder is not None
        if not self._stands():
            return
        # A checkpoint whose steps are not on record would leave a gap in the curve for ever.
        try:
            folder.flush()
        except LabError as error:  # said once; the lines wait and are tried again
            self._regret(str(error))
        facts = self._facts()

        def then() -> None:
            with self._summary:
                if not self._only_opened:
                    folder.write_summary(**facts, state=self._state.value)

        self.saves.order(folder, then, keep)

    def _stands(self) -> bool:
        """Whether the folder is there; one that was taken away is made anew where that can be."""
        folder = self.folder
        assert folder is not None
        here = folder.in_place
        if here and folder.held:
            self._open_log()
            return True
        try:
            if here:  # another folder in its place, or the lock was taken away
                folder.unlock()
                folder.lock()
                self._open_log()
                return True
            folder.path.mkdir(exist_ok=True)  # not its parents: a drive may be unplugged
            folder.unlock()
            self._begin()
            self.saves.write_anew()
        except (LabError, OSError) as error:
            if not self.saves.refused:
                self.saves.refused = True
                what = "cannot be used" if here else "is gone"
                self._regret(
                    f"The run's folder {folder.path} {what} ({error}). Training continues in "
                    "memory; reconnect the folder's drive, or export the adapter before you close."
                )
            return False
        self._regret(
            f"The run's folder {folder.path} was missing and has been recreated. What it held of "
            "the steps before this one is lost; everything that is needed to resume is saved."
        )
        return True

    @property
    def _only_opened(self) -> bool:
        """Whether it is a run that was to go on and did not yet: it is as it was."""
        return self._resumed and self._state is State.LOADING

    def _facts(self) -> dict[str, Any]:
        """How far the run is."""
        experiment = self.experiment
        return {
            "step": experiment.step, "max_steps": experiment.stage.end, "loss": self._loss,
            "best": experiment.best.loss, "seconds": experiment.training_seconds,
            "hyper": {"rank": experiment.hyper.rank, "alpha": experiment.hyper.alpha},
        }  # fmt: skip

    def _summarised(self) -> Iterator[Record]:
        """Write down how far the run is."""
        if self.folder is None or self._only_opened:
            return
        try:
            with self._summary:
                self.folder.write_summary(**self._facts(), state=self._state.value)
        except LabError as error:
            if not self.saves.refused:
                self.saves.refused = True
                yield ErrorRecord(self.experiment.step, str(error))

    def _open(self) -> Iterator[Record]:
        """Make the folder where there is none yet; a failure is told of once, and tried again."""
        if self.folder is not None or time.monotonic() < self._open_at:
            return
        self._open_at = time.monotonic() + RETRY_SECONDS
        name = f"{time.strftime('%Y%m%d-%H%M%S')}-{self.experiment.config.preset or 'run'}"
        folder = None
        try:
            self.folder = folder = RunFolder.create(paths.runs(), name, unique=True)
            self._begin()
            self._told = False
            yield FolderRecord(self.experiment.step, str(folder.path))
        except LabError as error:
            self.folder = None
            if folder is not None:
                self._drop(folder)
            if not self._told:
                self._told = True
                yield ErrorRecord(self.experiment.step, f"The run is not recorded. {error}")

    def _drop(self, folder: RunFolder) -> None:
        """Take away a folder that could not be begun."""
        if self._log is not None:
            self._log.close()
            self._log = None
        with suppress(LabError):
            folder.close()
        shutil.rmtree(folder.path, ignore_errors=True)

    def _begin(self) -> None:
        """Write what a run begins with; raises LabError."""
        assert self.folder is not None
        experiment, folder = self.experiment, self.folder
        folder.lock()
        folder.writer = self.saves.writer
        if not folder.in_place:
            folder.write_config(experiment.config, experiment.base_fingerprint, self._origin)
        self._open_log()
        if self._past is not None and not (folder.path / METRICS).exists():
            self._take_past(folder, self._past)
        data = experiment.task.data
        said = () if data is None else (replace(data, rows=(), lengths=None),)  # no one's texts
        for record in (self._opened or experiment.loaded(), *said, *self._early):
            self._write(record)
        self._early, self._opened = [], None

    def _take_past(self, folder: RunFolder, past: Path) -> None:
        """Begin a branch with what its parent has recorded; raises LabError."""
        (step, edits), name = self._branched_at, past.parent.name
        if past.exists():
            copy_holding(past, folder.path / METRICS, step, edits)
        else:  # the branch is a run of its own all the same
            words = f"{name} is gone, and with it what it recorded of the steps up to {step:,}."
            self._unsaid.append(NewsRecord(self.experiment.step, words))
        if self._log is not None:
            self._log.say(f"branch of {name} at step {step:,}")
        self._write(resumed_record(self.experiment, self._notes))

    def _open_log(self) -> None:
        """Open log.txt where it is not open; a run is kept without it, and it is tried again."""
        assert self.folder is not None
        if self._log is None:
            self._log = RunLog(self.folder.path)
        if refused := self._log.renew():
            words = f"{refused} The run continues and is saved without its log."
            self._unsaid.append(NewsRecord(self.experiment.step, words))

    def _regret(self, message: str) -> None:
        """Say as soon as it can be said what has failed."""
        self._unsaid.append(ErrorRecord(self.experiment.step, message))
