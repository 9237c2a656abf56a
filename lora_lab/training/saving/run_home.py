"""The life of a run's folder: made or taken over, locked, made anew where it was taken away."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from lora_lab import paths
from lora_lab.config import Origin
from lora_lab.errors import LabError
from lora_lab.folders import remove_folder
from lora_lab.records import ErrorRecord, FolderRecord
from lora_lab.runs.folder import RunFolder
from lora_lab.runs.listing import METRICS, new_name
from lora_lab.runs.metrics import copy_holding
from lora_lab.runs.own_files import PRIVATE
from lora_lab.training.experiment import Experiment
from lora_lab.training.saving.autosave import Autosave
from lora_lab.training.saving.record_writer import RecordWriter
from lora_lab.training.saving.state import resumed_record

RETRY_SECONDS = 10.0  # between two attempts to make a folder


class RunHome:
    """Gives the records of one run their folder, and keeps it usable."""

    def __init__(
        self,
        experiment: Experiment,
        records: RecordWriter,
        saves: Autosave,
        origin: Origin | None = None,
        past: Path | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        """`past`: metrics of the run that this one branches off from, with `notes` on that."""
        self._experiment, self._records, self._saves = experiment, records, saves
        self._origin, self._past, self._notes = origin, past, notes
        self._branched_at = (experiment.step, experiment.edits)
        self._try_at = -math.inf  # when to try again to make a folder
        self.refused = False  # that none could be made was said

    def create(self, where: Path) -> None:
        """Make the folder at once; raises LabError."""
        self._records.folder = RunFolder.create(where.parent, where.name)
        self._begin(self._records.folder)

    def take_over(self, folder: RunFolder) -> None:
        """Continue in the folder of a run that is resumed; raises LabError."""
        self._records.folder = folder
        folder.lock()
        folder.writer = self._saves.writer
        self._records.open_log(folder.path)
        self._records.write(resumed_record(self._experiment, self._notes))

    def create_in_user_data(self, now: bool = False) -> Iterator[FolderRecord | ErrorRecord]:
        """Make a folder where there is none yet; a failure is said once, and tried again.

        `now`: though the last attempt is not long ago.
        """
        records = self._records
        if records.folder is not None or (time.monotonic() < self._try_at and not now):
            return
        self._try_at = time.monotonic() + RETRY_SECONDS
        folder = None
        try:
            name = new_name(self._experiment.config)
            records.folder = folder = RunFolder.create(paths.runs(), name, unique=True)
            self._begin(folder)
            self.refused = False
            yield FolderRecord(self._experiment.step, str(folder.path))
        except LabError as error:
            records.folder = None
            if folder is not None:
                self._discard(folder)
            if not self.refused:
                self.refused = True
                yield ErrorRecord(self._experiment.step, f"The run is not recorded. {error}")

    def move_to(self, parent: Path) -> Path:
        """Go on in a new folder in `parent`, with what was recorded; the old one stays as it is.

        The new folder. Raises LabError, and then the run is kept where it was.
        """
        records, folder = self._records, self._records.folder
        if folder is None:
            name = new_name(self._experiment.config)
            records.folder = folder = RunFolder.create(parent, name, unique=True)
            self._begin(folder)
        else:
            recorded = folder.move_to(parent)
            records.close_log()
            if recorded:
                records.open_log(folder.path)
            else:
                self._begin(folder)
            self._saves.write_anew()
        self._saves.refused = False
        return folder.path

    def usable(self) -> bool:
        """Whether the folder is there; one that was taken away is made anew where that can be."""
        folder, records = self._records.folder, self._records
        assert folder is not None
        here = folder.in_place
        if here and folder.held:
            records.open_log(folder.path)
            return True
        try:
            if here:  # another folder in its place, or the lock was taken away
                folder.unlock()
                folder.lock()
                records.open_log(folder.path)
                return True
            folder.path.mkdir(PRIVATE, exist_ok=True)  # not its parents: a drive may be unplugged
            folder.unlock()
            self._begin(folder)
            self._saves.write_anew()
        except (LabError, OSError) as error:
            if not self._saves.refused:
                self._saves.refused = True
                what = "cannot be used" if here else "is gone"
                records.error(
                    f"The run's folder {folder.path} {what} ({error}). Training continues in "
                    "memory; reconnect the folder's drive, or export the adapter before you close."
                )
            return False
        records.error(
            f"The run's folder {folder.path} was missing and has been recreated. What it held of "
            "the steps before this one is lost; everything that is needed to resume is saved."
        )
        return True

    def close(self) -> None:
        """Raises LabError where records could not be written to the last."""
        try:
            if self._records.folder is not None:
                self._records.folder.close()
        finally:
            self._records.close_log()

    def _begin(self, folder: RunFolder) -> None:
        """Write what a run begins with; raises LabError."""
        experiment = self._experiment
        folder.lock()
        folder.writer = self._saves.writer
        if not folder.in_place:
            folder.write_config(experiment.config, experiment.base_fingerprint, self._origin)
        self._records.open_log(folder.path)
        if self._past is not None and not (folder.path / METRICS).exists():
            self._take_past(folder, self._past)
        self._records.write_opening()

    def _take_past(self, folder: RunFolder, past: Path) -> None:
        """Begin a branch with what its parent has recorded; raises LabError."""
        (step, edits), name = self._branched_at, past.parent.name
        if past.exists():
            copy_holding(past, folder.path / METRICS, step, edits)
        else:  # the branch is a run of its own all the same
            words = f"{name} is gone, and with it what it recorded of the steps up to {step:,}."
            self._records.news(words)
        self._records.log(f"branch of {name} at step {step:,}")
        record = resumed_record(self._experiment, self._notes)
        self._records.write(replace(record, step=step, edits=edits))

    def _discard(self, folder: RunFolder) -> None:
        """Take away a folder that could not be begun."""
        self._records.close_log()
        with suppress(LabError):
            folder.close()
        with suppress(OSError):
            remove_folder(folder.path)
