"""Journal: what of a run is saved, and when: checkpoints, the adapter, and how far it is.

The folder itself is kept by `run_home.py`, its records by `record_writer.py`.
"""

from __future__ import annotations

import math
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from lora_lab.config import Origin
from lora_lab.errors import Cancelled, LabError, not_written
from lora_lab.measured import ClippedRecord
from lora_lab.records import (
    AppliedRecord,
    CheckpointRecord,
    ErrorRecord,
    EvalRecord,
    FolderRecord,
    Record,
    ResumedRecord,
    SavedRecord,
    State,
    StateRecord,
    StepRecord,
)
from lora_lab.runs.checkpoints import forget_after
from lora_lab.runs.folder import RunFolder
from lora_lab.runs.listing import ENDED, METRICS, written_state
from lora_lab.training.commands import Save
from lora_lab.training.devices import is_lost
from lora_lab.training.experiment import Experiment
from lora_lab.training.saving.autosave import Autosave
from lora_lab.training.saving.record_writer import RecordWriter
from lora_lab.training.saving.run_home import RunHome

GESTURE_SECONDS = 2.0  # edits that follow each other sooner are one movement of a hand


class Journal:
    """Keeps one run. A disk that fails is reported; the training continues."""

    def __init__(
        self, experiment: Experiment, saves: Autosave, records: RecordWriter, home: RunHome
    ) -> None:
        self.experiment, self.saves = experiment, saves
        self._records, self._home = records, home
        self._edited_at = -math.inf
        self._asked_at = 0  # the step at which all was last to be saved
        self._unsaved = False  # the adapter in the folder is not the one that is trained
        self._loss = math.nan
        self._state = State.LOADING
        self._only_opened = False  # a run that was resumed and has not begun: it is as it was
        self._summary = threading.Lock()  # the writer must not overwrite the end with the middle

    @classmethod
    def new(cls, experiment: Experiment, where: Path | None = None) -> Journal:
        """`where`: a folder made at once, so that it fails now or never (LabError); None: one in
        user data, made at the first step, so that opening and looking leaves nothing behind."""
        saves, records = Autosave(experiment), RecordWriter(experiment)
        journal = cls(experiment, saves, records, RunHome(experiment, records, saves))
        return journal._recorded_in(where)

    @classmethod
    def branch(
        cls, experiment: Experiment, where: Path | None, origin: Origin, notes: tuple[str, ...]
    ) -> Journal:
        """A new one that takes the past of `origin` with it; `where` is that of `new`."""
        saves, records = Autosave(experiment), RecordWriter(experiment)
        home = RunHome(experiment, records, saves, origin, Path(origin.run) / METRICS, notes)
        return cls(experiment, saves, records, home)._recorded_in(where)

    @classmethod
    def resumed(
        cls,
        experiment: Experiment,
        folder: RunFolder,
        origin: Origin | None,
        notes: tuple[str, ...],
    ) -> Journal:
        """Continue in the folder of a run, with `notes` on what differs; raises LabError."""
        saves, records = Autosave(experiment, experiment.step), RecordWriter(experiment)
        home = RunHome(experiment, records, saves, origin, None, notes)
        journal = cls(experiment, saves, records, home)
        journal._only_opened = True
        journal._unsaved = written_state(folder.path) not in {state.value for state in ENDED}
        with journal._beginning(folder.path):
            home.take_over(folder)
        return journal

    def _recorded_in(self, where: Path | None) -> Journal:
        if where is not None:
            with self._beginning(where):
                self._home.create(where)
        return self

    @contextmanager
    def _beginning(self, folder: Path) -> Iterator[None]:
        """What fails in here fails to be written: else it is told as a fault of what was read."""
        try:
            yield
        except LabError:
            self.close()
            raise
        except OSError as error:
            with suppress(LabError):  # of what was lost; the reason is told
                self.close()
            raise not_written(folder, error) from error

    @property
    def folder(self) -> RunFolder | None:
        return self._records.folder

    def note(self, record: Record) -> Iterator[Record]:
        """Write a record down; yields what that leads to, and writes that down as well."""
        for result in self._noted(record):
            if not isinstance(result, FolderRecord):
                self._records.try_write(result)
            yield result

    def _noted(self, record: Record) -> Iterator[Record]:
        if isinstance(record, ResumedRecord) and self.folder is not None:
            # Gone back. First the saves of what no longer holds: none may be ahead of the record.
            self.saves.wait()
            yield from self.saves.outcomes()
            forget_after(self.folder.path, record.step, record.edits)
            self.saves.saved = record.step
        if isinstance(record, FolderRecord):
            return  # where it lies is no part of what a run records
        if self.folder is not None:
            self._records.try_write(record)
        else:
            self._records.wait(record)
            if isinstance(record, StepRecord):
                yield from self._home.create_in_user_data()
        self._follow(record)
        if self.folder is not None:
            yield from self._save_if_due(record)
        yield from self._records.messages()

    def _follow(self, record: Record) -> None:
        """What a record means for what stands in the folder."""
        if isinstance(record, StepRecord):
            self._loss = record.loss
        elif isinstance(record, StateRecord):
            self._state, self._only_opened = record.state, False
        edited = self._edited(record)
        if edited and record.step:
            self._edited_at = time.monotonic()
        moved = edited or isinstance(record, StepRecord | ResumedRecord)
        self._unsaved = self._unsaved or moved
        if moved or isinstance(record, EvalRecord):  # it may be the best one
            self.saves.behind = True

    @staticmethod
    def _edited(record: Record) -> bool:
        changed = isinstance(record, AppliedRecord) and bool(record.changes)
        return changed or isinstance(record, ClippedRecord)

    def _save_if_due(self, record: Record) -> Iterator[Record]:
        assert self.folder is not None
        paused = self._state is State.PAUSED
        if isinstance(record, StepRecord):
            yield from self.saves.outcomes()
            if record.step < self.experiment.step:
                return  # of several that were read together; a save is never ahead of the record
            if self.saves.due():
                self._checkpoint()
            elif self.saves.adapter_next:
                self.saves.order_adapter(self.folder)
        elif isinstance(record, StateRecord):
            if paused and record.step:
                self._checkpoint()
            yield from self._summarise(self._state_so_far(record.step))
        elif self._edited(record) and record.step and paused:
            self._checkpoint()  # no step will come by and do it

    def before_edit(self, cuts: bool) -> None:
        """Keep a checkpoint of what stands, so that the edit to come can be undone.

        A dragged slider edits many times; what stood before the drag is kept. What `cuts` ΔW is
        never dragged, and taking it back needs what stood right before it.
        """
        if self.folder is None or not self.experiment.step:
            return
        if cuts or time.monotonic() - self._edited_at > GESTURE_SECONDS:
            self._checkpoint(keep=True)

    def save(self) -> Iterator[Record]:
        """Write adapter and checkpoint to the run's folder unless they stand there as they are.

        What is refused is said once at each step.
        """
        said = self.experiment.step == self._asked_at
        for result in self._save(said):
            if not isinstance(result, FolderRecord):
                self._records.try_write(result)
            yield result

    def save_in(self, parent: str = "") -> Iterator[Record]:
        """Save all as a person asked, in a new folder in `parent` from now on where one is given.

        It ends with a SavedRecord. Raises LabError, which says what is not saved and why.
        """
        step = self.experiment.step
        if not step:
            raise LabError("Nothing is trained yet, so there is nothing to save.")
        if parent:
            yield FolderRecord(step, str(self._home.move_to(Path(parent))))
            self._unsaved = True
        for result in self._save(said=False):
            if isinstance(result, ErrorRecord) and self._incomplete:
                raise LabError(result.message)
            if not isinstance(result, SavedRecord):
                yield result
        assert self.folder is not None
        yield SavedRecord(step, str(self.folder.adapter))

    def _save(self, said: bool) -> Iterator[Record]:
        """Save, and end with one error where that is not done; `said`: unless it was said."""
        if not said:
            self._asked_at = self.experiment.step
            self.saves.refused = self._home.refused = False
        reasons: list[str] = []
        for result in (*self._saved(), *self._records.messages()):
            if isinstance(result, ErrorRecord):
                reasons.append(result.message)
                continue
            if isinstance(result, CheckpointRecord) and reasons:  # what was refused is made good
                yield ErrorRecord(self.experiment.step, " ".join(reasons))
                reasons.clear()
            yield result
        if self.experiment.step and self._incomplete and not said:
            reasons.insert(0, self._not_saved())
        if reasons:
            yield ErrorRecord(self.experiment.step, " ".join(dict.fromkeys(reasons)))

    @property
    def _incomplete(self) -> bool:
        return self._unsaved or (self.saves.behind and not self.saves.too_large)

    def _not_saved(self) -> str:
        """What is lost if the run ends now."""
        saved = self.saves.saved
        kept = f"the checkpoint of step {saved:,} stands" if saved else "nothing of this run is"
        return f"Step {self.experiment.step:,} is not saved; {kept}."

    def _saved(self) -> Iterator[Record]:
        step = self.experiment.step
        if step and self._unsaved:
            yield from self._home.create_in_user_data(now=True)
        if self.folder is None:
            return
        if step and self._unsaved and self._home.usable():
            try:
                yield from Save().run(self.experiment, self.folder)
                self._unsaved = False
                self.saves.adapter_saved()
            except LabError as error:
                self._records.error(str(error))  # after what is said of the checkpoint
        self.saves.wait()
        yield from self.saves.outcomes()
        if step and self.saves.behind:
            self._checkpoint()
            self.saves.wait()
            yield from self.saves.outcomes()
        yield from self._summarise()

    def leave(
        self, error: Exception | None = None, save: bool = True, cut: bool = False
    ) -> Iterator[Record]:
        """Save what was learned, whatever went wrong, and write down how the run has ended.

        Where it is not at its end it may be resumed all the same. Raises LabError that says how,
        where the `error` is that the device is lost: nothing can be copied from it any more.
        Without `save` nobody wants what is new; `cut`: nor can it be had, in the middle of a step.
        """
        cut = cut or self.experiment.moving
        cancelled = isinstance(error, Cancelled)
        failed = error is not None and not cancelled
        lost = failed and is_lost(error)
        if save and not (lost or cancelled or cut):
            yield from self.save()
        self._finish_saving()  # or the newest save would not be known
        if failed:
            message = self._lost(error) if lost else f"{type(error).__name__}: {error}"
            details = "".join(traceback.format_exception(error))
            step = self.experiment.step
            self._records.try_write(StateRecord(State.FAILED, step, message, details))
        self._end(failed, cut or lost)
        if lost:
            raise LabError(message) from error

    def _finish_saving(self) -> None:
        if not self._only_opened:
            self.saves.wait()
            for outcome in self.saves.outcomes():
                self._records.try_write(outcome)

    def _end(self, failed: bool, cut: bool) -> None:
        if self._only_opened:
            return
        if self._state not in ENDED or (self._incomplete and cut):
            self._state = State.FAILED if failed else State.STOPPED
        for outcome in self._summarise():
            self._records.try_write(outcome)

    def _lost(self, error: Exception) -> str:
        saved, folder, experiment = self.saves.saved, self.folder, self.experiment
        kept = "Nothing was saved yet."
        if saved is not None and folder is not None:
            kept = (
                f"The checkpoint of step {saved:,} is intact: start the lab again, and resume "
                f"{folder.path.name} there (lora-lab resume {folder.path.name}), on another device "
                "with the same settings if this one does not come back."
            )
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        at = f"The device {experiment.device} was lost at step {experiment.step:,}"
        return f"{at} ({reason}). {kept}"

    def close(self) -> None:
        """Raises LabError where records could not be written to the last."""
        self.saves.close()
        self._home.close()

    def _checkpoint(self, keep: bool = False) -> None:
        folder = self.folder
        assert folder is not None
        if not self._home.usable():
            return
        # A checkpoint whose steps are not on record would leave a gap in the curve for ever.
        try:
            folder.flush()
        except LabError as error:  # said once; the lines wait and are tried again
            self._records.error(str(error))
        facts = self._facts()

        def then() -> None:
            with self._summary:
                if not self._only_opened:
                    folder.write_summary(**facts, state=self._state_so_far(facts["step"]).value)

        self.saves.order(folder, then, keep)

    def _facts(self) -> dict[str, Any]:
        """How far the run is."""
        experiment = self.experiment
        return {
            "step": experiment.step, "max_steps": experiment.stage.end, "loss": self._loss,
            "best": experiment.best.loss, "seconds": experiment.training_seconds,
            "hyper": {"rank": experiment.hyper.rank, "alpha": experiment.hyper.alpha},
        }  # fmt: skip

    def _state_so_far(self, step: int) -> State:
        """An end is written once all of it stands: a kill before is told, and can be resumed."""
        open_end = self._incomplete or step < self.experiment.step
        return State.RUNNING if self._state in ENDED and open_end else self._state

    def _summarise(self, state: State | None = None) -> Iterator[ErrorRecord]:
        """Write down how far the run is."""
        if self.folder is None or self._only_opened:
            return
        try:
            with self._summary:
                self.folder.write_summary(**self._facts(), state=(state or self._state).value)
        except LabError as error:
            if not self.saves.refused:
                self.saves.refused = True
                yield ErrorRecord(self.experiment.step, str(error))
