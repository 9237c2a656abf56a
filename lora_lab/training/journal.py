"""Journal: writes a run's records and its adapter to the run's folder, from the first step on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from lora_lab import paths
from lora_lab.errors import LabError
from lora_lab.records import (
    AppliedRecord,
    CountsRecord,
    ErrorRecord,
    EvalRecord,
    FolderRecord,
    Record,
    SpectrumRecord,
    StepRecord,
)
from lora_lab.runs.folder import RunFolder
from lora_lab.training.commands import Save
from lora_lab.training.experiment import Experiment

SUPERSEDED = (CountsRecord, SpectrumRecord, EvalRecord)  # before step 1 only the last one matters


class Journal:
    """The folder of one run. A disk that fails is told of; the training goes on."""

    def __init__(self, experiment: Experiment, where: Path | None) -> None:
        """`where`: a folder made at once, so that it fails now or never (LabError); None: one in
        user data, made at the first step, so that opening and looking leaves nothing behind."""
        self.experiment = experiment
        self.folder: RunFolder | None = None
        self._early: list[Record] = []
        self._unsaved = False
        self._told = False
        if where is not None:
            self.folder = RunFolder.create(where.parent, where.name)
            self._begin()

    def note(self, record: Record) -> Iterator[Record]:
        """Write a record down; yields what that leads to."""
        if isinstance(record, StepRecord) or (isinstance(record, AppliedRecord) and record.changes):
            self._unsaved = True
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

    def save(self) -> Iterator[Record]:
        """Write the adapter to the run's folder unless it stands there as it is."""
        if not (self._unsaved and self.experiment.step):
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

    def close(self) -> None:
        """Raises LabError where records could not be written to the last."""
        if self.folder is not None:
            self.folder.close()

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
        self.folder.write_config(self.experiment.config, self.experiment.base_fingerprint)
        self.folder.append([self.experiment.loaded(), *self._early])
        self._early = []
