"""Journal: writes a run's records, checkpoints and adapter to its folder, from the first step on.

Checkpoints are copied between two steps and written on a thread of their own, every few seconds of
training, so that a run whose process is killed loses no more than that.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil

from lora_lab import paths
from lora_lab.config import Origin
from lora_lab.errors import LabError
from lora_lab.formats import FORMATS
from lora_lab.records import (
    AppliedRecord,
    CheckpointRecord,
    CountsRecord,
    ErrorRecord,
    EvalRecord,
    FolderRecord,
    Record,
    ResumedRecord,
    SpectrumRecord,
    State,
    StateRecord,
    StepRecord,
)
from lora_lab.runs.checkpoints import forget_after, write_checkpoint
from lora_lab.runs.folder import RunFolder
from lora_lab.runs.listing import METRICS
from lora_lab.runs.log import RunLog
from lora_lab.runs.metrics import copy_holding
from lora_lab.runs.writer import Writer
from lora_lab.training.commands import Save
from lora_lab.training.experiment import Experiment
from lora_lab.training.ration import Ration
from lora_lab.training.state import state_of

ADAPTER_SECONDS = 30.0  # between two adapters beside the checkpoints, which hold all of it
GESTURE_SECONDS = 2.0  # edits that follow each other sooner are one movement of a hand
SHARE_OF_MEMORY = 0.5  # of what is free, for the copies of a checkpoint
SUPERSEDED = (CountsRecord, SpectrumRecord, EvalRecord)  # before step 1 only the last one matters


class Journal:
    """The folder of one run. A disk that fails is told of; the training goes on."""

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
        self._origin, self._notes = origin, notes
        self._branched_at = (experiment.step, experiment.edits)
        self._log: RunLog | None = None
        self._edited_at = -math.inf
        self._best_kept = experiment.best.step  # whose adapter lies in the folder
        self.folder: RunFolder | None = None
        self._early: list[Record] = []
        self._unsaved = False
        self._told = False
        self._writer = Writer()
        self._autosave = Ration(share=0.01, interval=experiment.config.autosave_seconds)
        self._unsaid: list[str] = []
        self._too_large = False  # for a copy of it
        self._adapter_due = time.monotonic() + ADAPTER_SECONDS
        self._refused = False  # the last checkpoint could not be written
        self._saved_step = -1
        self._loss = float("nan")
        self._state = State.LOADING
        if resumed is not None:
            self.folder = resumed
            resumed.lock()
            resumed.writer = self._writer
            self._open_log()
            resumed_at = ResumedRecord(experiment.step, notes, experiment.edits, experiment.leg)
            self._write(resumed_at)
            self._saved_step = experiment.step
        elif where is not None:
            self.folder = RunFolder.create(where.parent, where.name)
            self._begin()

    def note(self, record: Record) -> Iterator[Record]:
        """Write a record down; yields what that leads to."""
        if isinstance(record, StepRecord):
            self._unsaved, self._loss = True, record.loss
        elif isinstance(record, AppliedRecord) and record.changes:
            self._unsaved = True
        elif isinstance(record, StateRecord):
            self._state = record.state
        elif isinstance(record, ResumedRecord) and self.folder is not None:  # gone back
            self._writer.wait()
            forget_after(self.folder.path, record.step)
            self._saved_step, self._unsaved = record.step, True
        try:
            if self.folder is not None:
                self._write(record)
            elif isinstance(record, StepRecord):
                yield from self._open()
                if self.folder is not None:
                    self._write(record)
            else:
                if isinstance(record, SUPERSEDED):
                    self._early = [r for r in self._early if type(r) is not type(record)]
                self._early.append(record)
        except LabError as error:  # the metrics keep their lines and try again by themselves
            yield ErrorRecord(self.experiment.step, str(error))
        if isinstance(record, StepRecord):
            yield from self._autosaved()
        elif isinstance(record, AppliedRecord) and record.step and record.changes:
            self._edited_at = time.monotonic()
            if self._state is State.PAUSED:  # no step will soon come by and save it
                yield from self._autosaved()
        elif isinstance(record, StateRecord) and self.folder is not None:
            if record.state is State.PAUSED and record.step:
                self._checkpoint()
            yield from self._summarised()

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
        if not (self._unsaved and self.experiment.step):
            yield from self._summarised()
            return
        self._told = False
        yield from self._open()
        if self.folder is None:
            return
        try:
            for record in Save().run(self.experiment, self.folder):
                yield record
                self._write(record)
            self._unsaved, self._best_kept = False, self.experiment.best.step
        except LabError as error:
            yield ErrorRecord(self.experiment.step, str(error))
        if self._saved_step != self.experiment.step:
            self._checkpoint()
        self._writer.wait()
        yield from self._outcomes()
        yield from self._summarised()

    def end(self, failed: bool) -> None:
        """Say how the run has ended where it was not to its end; it may be resumed all the same."""
        if self._state not in (State.FINISHED, State.STOPPED):
            self._state = State.FAILED if failed else State.STOPPED
        for _ in self._summarised():
            continue

    @property
    def last_save(self) -> int | None:
        """The step of the newest checkpoint that was ordered; None: there is none."""
        return self._saved_step if self._saved_step >= 0 else None

    def close(self) -> None:
        """Raises LabError where records could not be written to the last."""
        self._writer.close()
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

    def _autosaved(self) -> Iterator[Record]:
        yield from self._outcomes()
        now = time.perf_counter()
        if self.folder is not None and self._autosave.due(now):
            with self._autosave:
                self._checkpoint()
                yield from self._summarised()

    def _checkpoint(self, keep: bool = False) -> None:
        """Copy the state now, and let the writer have it; `keep` one for going back."""
        experiment, folder = self.experiment, self.folder
        assert folder is not None
        if not self._fits() or not self._stands():
            return
        # A checkpoint whose steps are not on record would leave a gap in the curve for ever.
        try:
            folder.flush()
        except LabError as error:  # said once; the lines wait and are tried again
            self._unsaid.append(str(error))
        tensors, facts = state_of(experiment)
        step = experiment.step
        if not keep:
            self._saved_step = step
        weights, best, now = None, None, time.monotonic()
        if experiment.has_factors and now >= self._adapter_due and not keep:
            weights, self._adapter_due = experiment.weights(), now + ADAPTER_SECONDS
            if experiment.best.step != self._best_kept:
                best, self._best_kept = experiment.best.weights, experiment.best.step

        def job() -> CheckpointRecord:
            written = write_checkpoint(folder.path, step, tensors, facts, keep)
            if weights is not None:  # for whoever wants it and no more than it, after a crash
                folder.save_adapter(weights, FORMATS["peft"].save)
            if best is not None:
                folder.save_best(best, FORMATS["peft"].save)
            return CheckpointRecord(step, str(written))

        self._writer.offer(job, lasting=keep)

    def _stands(self) -> bool:
        """Whether the folder is there; one that was taken away is made anew where that can be."""
        folder = self.folder
        assert folder is not None
        if folder.stands:
            return True
        try:
            folder.close()
        except LabError as error:
            self._unsaid.append(str(error))
        try:
            folder.path.mkdir(exist_ok=True)  # not its parents: a drive may be unplugged
            self._begin()
        except (LabError, OSError) as error:
            if not self._refused:
                self._refused = True
                self._unsaid.append(
                    f"The run's folder {folder.path} is gone ({error}). Training goes on in "
                    "memory; put the folder's drive back, or export the adapter before you close."
                )
            return False
        self._unsaid.append(
            f"The run's folder {folder.path} was gone and has been made anew. The record of the "
            "steps before this one is lost; everything that is needed to go on is saved."
        )
        return True

    def _fits(self) -> bool:
        """Whether two more copies of the state leave the machine its memory; said once if not."""
        trained = sum(p.numel() * p.element_size() for p in self.experiment.parameters())
        free = psutil.virtual_memory().available
        if (fits := 2 * 3 * trained <= SHARE_OF_MEMORY * free) or self._too_large:
            return fits  # the values, and Adam's two averages
        self._too_large = True
        self._unsaid.append(
            f"The run is not saved while it trains: a copy of its {trained / 1e9:.1f} GB and their "
            f"averages does not fit beside it into the {free / 1e9:.1f} GB that are free."
        )
        return False

    def _outcomes(self) -> Iterator[Record]:
        """What has come of the checkpoints; a disk that refuses them is told of once."""
        while self._unsaid:
            yield ErrorRecord(self.experiment.step, self._unsaid.pop(0))
        for outcome in self._writer.outcomes():
            if isinstance(outcome, CheckpointRecord):
                self._refused = False
                if self.folder is not None:
                    self.folder.append([outcome])
                yield outcome
                continue
            if not self._refused:
                self._refused = True
                reason = getattr(outcome, "strerror", None) or outcome
                yield ErrorRecord(
                    self.experiment.step,
                    f"The run could not be saved: {reason}. Training goes on, saving is tried "
                    "again, and what was saved before still stands.",
                )

    def _summarised(self) -> Iterator[Record]:
        """Write down how far the run is."""
        if self.folder is None:
            return
        experiment = self.experiment
        try:
            self.folder.write_summary(
                state=self._state.value, step=experiment.step, max_steps=experiment.leg[1],
                loss=self._loss, best=experiment.best.loss, seconds=experiment.training_seconds,
                hyper={"rank": experiment.hyper.rank, "alpha": experiment.hyper.alpha},
            )  # fmt: skip
        except LabError as error:
            if not self._refused:
                self._refused = True
                yield ErrorRecord(experiment.step, str(error))

    def _open(self) -> Iterator[Record]:
        """Make the folder where there is none yet; tell of a failure once until the next save."""
        if self.folder is not None or self._told:
            return
        name = f"{time.strftime('%Y%m%d-%H%M%S')}-{self.experiment.config.preset or 'run'}"
        try:
            self.folder = RunFolder.create(paths.runs(), name, unique=True)
            self._begin()
            yield FolderRecord(self.experiment.step, str(self.folder.path))
        except LabError as error:
            self.folder, self._told = None, True
            yield ErrorRecord(self.experiment.step, f"The run is not recorded. {error}")

    def _begin(self) -> None:
        assert self.folder is not None
        experiment, origin = self.experiment, self._origin
        self.folder.lock()
        self.folder.writer = self._writer
        self.folder.write_config(experiment.config, experiment.base_fingerprint, origin)
        self._open_log()
        if origin is not None:
            step, edits = self._branched_at
            past = Path(origin.run) / METRICS
            copy_holding(past, self.folder.path / METRICS, step, edits)
            self._log.say(f"branched off from {Path(origin.run).name} at step {step:,}")
            self._write(ResumedRecord(step, self._notes, edits, experiment.leg))
        data = experiment.task.data
        said = () if data is None else (replace(data, rows=(), lengths=None),)  # no one's texts
        for record in (experiment.loaded(), *said, *self._early):
            self._write(record)
        self._early = []

    def _open_log(self) -> None:
        assert self.folder is not None
        if self._log is not None:
            self._log.close()
        try:
            self._log = RunLog(self.folder.path)
        except OSError as error:
            raise LabError(f"{self.folder.path} cannot be written: {error.strerror}.") from error
