"""Journal: writes a run's records, checkpoints and adapter to its folder, from the first step on.

Checkpoints are copied between two steps and written on a thread of their own, every few seconds of
training, so that a run whose process is killed loses no more than that.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from lora_lab import paths
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
from lora_lab.runs.checkpoints import write_checkpoint
from lora_lab.runs.folder import RunFolder
from lora_lab.runs.writer import Writer
from lora_lab.training.commands import Save
from lora_lab.training.experiment import Experiment
from lora_lab.training.ration import Ration
from lora_lab.training.state import state_of

ADAPTER_SECONDS = 30.0  # between two adapters beside the checkpoints, which hold all of it
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
    ) -> None:
        """`where`: a folder made at once, so that it fails now or never (LabError); None: one in
        user data, made at the first step, so that opening and looking leaves nothing behind.
        `resumed` is a run that goes on, with `notes` on what differs."""
        self.experiment = experiment
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
            resumed.append([ResumedRecord(experiment.step, notes)])
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
        try:
            if self.folder is not None:
                self.folder.append([record])
            elif isinstance(record, StepRecord):
                yield from self._open()
                if self.folder is not None:
                    self.folder.append([record])
            else:
                if isinstance(record, SUPERSEDED):
                    self._early = [r for r in self._early if type(r) is not type(record)]
                self._early.append(record)
        except LabError as error:  # the metrics keep their lines and try again by themselves
            yield ErrorRecord(self.experiment.step, str(error))
        if isinstance(record, StepRecord):
            yield from self._autosaved()
        elif isinstance(record, StateRecord) and self.folder is not None:
            if record.state is State.PAUSED and record.step:
                self._checkpoint()
            yield from self._summarised()

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
                self.folder.append([record])
            self._unsaved = False
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

    def close(self) -> None:
        """Raises LabError where records could not be written to the last."""
        self._writer.close()
        if self.folder is not None:
            self.folder.close()

    def _autosaved(self) -> Iterator[Record]:
        yield from self._outcomes()
        now = time.perf_counter()
        if self.folder is not None and self._autosave.due(now):
            with self._autosave:
                self._checkpoint()
                yield from self._summarised()

    def _checkpoint(self) -> None:
        """Copy the state now, and let the writer have it."""
        experiment, folder = self.experiment, self.folder
        assert folder is not None
        if not self._fits():
            return
        # A checkpoint whose steps are not on record would leave a gap in the curve for ever.
        try:
            folder.flush()
        except LabError as error:  # said once; the lines wait and are tried again
            self._unsaid.append(str(error))
        tensors, facts = state_of(experiment)
        step = self._saved_step = experiment.step
        weights, now = None, time.monotonic()
        if experiment.has_factors and now >= self._adapter_due:
            weights, self._adapter_due = experiment.weights(), now + ADAPTER_SECONDS

        def job() -> CheckpointRecord:
            written = write_checkpoint(folder.path, step, tensors, facts)
            if weights is not None:  # for whoever wants it and no more than it, after a crash
                folder.save_adapter(weights, FORMATS["peft"].save)
            return CheckpointRecord(step, str(written))

        self._writer.offer(job)

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
        self.folder.lock()
        self.folder.write_config(self.experiment.config, self.experiment.base_fingerprint)
        self.folder.append([self.experiment.loaded(), *self._early])
        self._early = []
