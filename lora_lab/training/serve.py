"""What is served between two steps: commands, edits, pauses and ends, with what they measure.

The loop calls these in its own order; here lies what they share with it.
"""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from lora_lab.errors import Cancelled, LabError
from lora_lab.exported import ExportingRecord
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.measured import RatePointRecord, TurnRecord
from lora_lab.progress import Report
from lora_lab.records import (
    AppliedRecord,
    CancelledRecord,
    ErrorRecord,
    EvalRecord,
    Record,
    State,
    StateRecord,
)
from lora_lab.runs.folder import RunFolder
from lora_lab.training.commands import Clip, Command, FindRate, Save
from lora_lab.training.controls import Controls
from lora_lab.training.edits import apply_hyper
from lora_lab.training.experiment import Experiment
from lora_lab.training.measure.at_opening import Known, measured_at_opening
from lora_lab.training.nonfinite import diagnosis
from lora_lab.training.optim import Stage
from lora_lab.training.snapshot import Snapshot

RESTING = (State.PAUSED, State.FINISHED, State.STOPPED)
ENDS = (State.FINISHED, State.STOPPED)
MOVES_EVALUATION = {"enabled", "rank", "alpha", "layer_ranks", "frozen_layers"}


class Server:
    """The state that a run is in, and the way from each request to the records that answer it."""

    def __init__(
        self,
        experiment: Experiment,
        controls: Controls,
        serve_after_training: bool,
        live: bool,
        folder: Callable[[], RunFolder | None],
        before_edit: Callable[[bool], None],
        save: Callable[[str], Iterator[Record]],
    ) -> None:
        """The arguments are those of `loop.train`."""
        self.turns = False  # whether it says where other runs may have theirs
        self._experiment, self._controls = experiment, controls
        self._serve_after_training, self._live = serve_after_training, live
        self._folder, self._before_edit, self._save = folder, before_edit, save
        self.state: State | None = None  # None: the next one is said, whatever it is
        self.ended = False  # nothing is served any more
        self.paused = False  # no step is to be made now
        self.stale = False  # an edit has moved what an evaluation would see
        self.last_good = Snapshot(experiment)
        experiment.inference.leave = lambda: controls.stopping

    # -- before the first step, and between two of them ------------------------------------------

    def open(self, known: Known, report: Report) -> Iterator[Record]:
        """What stands before the first step: counts, spectrum, losses with the adapter off and on.

        A run that is resumed may have been cut off between a step and its validation, or before
        its end was written: both are made good. Whoever ends the run waits for no measurement.
        """
        controls = self._controls
        yield self._experiment.counts()
        yield self._experiment.spectrum()
        made_good = yield from measured_at_opening(
            self._experiment, known, lambda: controls.stopping or controls.skipping, report
        )
        controls.skipping = False  # another stage is measured again
        if made_good and self.patience_is_over():
            yield from self.stop_early()

    def wait_for_turn(self) -> bool:
        """Sleep while there is nothing to do; False once the loop is to be left."""
        applied = self._experiment.hyper if self._live else self._controls.hyper
        resting = self.state in RESTING
        return not self.ended and self._controls.wait_for_turn(applied, resting=resting)

    def serve(self) -> Iterator[Record]:
        """Commands, the newest edit, an end that was asked for, and a pause, in this order.

        Before them the turn that others may have, where several runs share a thread.
        """
        if self.turns:
            yield TurnRecord(self._experiment.step)
        yield from self._serve_commands()
        yield from self._edit()
        if self._controls.take_finish() and self.state not in ENDS:
            yield from self._stop()
        self.paused = self._controls.paused  # read once: what comes now is served before a step
        if self.paused and not self.ended:
            yield from self._pause()

    def serve_last(self) -> Iterator[Record]:
        """What was asked for in the moment of the end is not dropped."""
        yield from self._serve_commands()
        yield from self._edit()

    # -- states ----------------------------------------------------------------------------------

    def enter(self, state: State, message: str = "") -> StateRecord:
        self.state = state
        experiment = self._experiment
        return StateRecord(state, experiment.step, message, goal=experiment.stage.end)

    def finish(self) -> Iterator[Record]:
        """The last step of the stage is made."""
        if self._serve_after_training:
            self._controls.pause()
        yield self._end(State.FINISHED)

    def patience_is_over(self) -> bool:
        experiment, patience = self._experiment, self._experiment.config.patience
        waited = 0 < patience <= experiment.best.unimproved
        return waited and experiment.step < experiment.stage.end

    def stop_early(self) -> Iterator[Record]:
        """End the run where it is: it has stopped improving."""
        self._controls.pause()
        self._end_stage_here()
        best = self._experiment.best
        message = (
            f"The last {best.unimproved} validations gave no better loss than {best.loss:.4g} at "
            f"step {best.step:,}, so the run has ended."
        )
        if best.weights is not None:
            message += " The adapter of that step is kept as well."
        yield self._end(State.STOPPED, message)

    def pause_too_large(self, reason: str) -> Iterator[Record]:
        """A step does not fit into memory even in the smallest parts."""
        experiment = self._experiment
        self._controls.pause()
        yield ErrorRecord(
            experiment.step,
            f"Step {experiment.step + 1} does not fit into memory even in "
            f"{experiment.accumulation} parts ({reason}). What was learned is kept. Open the "
            "run again with a smaller batch, shorter texts, checkpointing or bfloat16.",
        )
        yield self.enter(State.PAUSED, reason)

    def pause_not_finite(self, part: Any, loss: float, last_norm: float) -> Iterator[Record]:
        """A step with a NaN or an infinity is not applied: what was learned still stands."""
        experiment = self._experiment
        lost = not math.isfinite(loss)  # the factors themselves may be at fault
        restored = self.last_good.step if lost else experiment.step
        record = diagnosis(experiment, part, loss, last_norm, restored)
        experiment.optimizer.zero_grad(set_to_none=True)
        if lost:
            self.last_good.restore()
        self._controls.pause()
        yield record
        yield experiment.spectrum()
        yield self.enter(State.PAUSED, record.message)

    def _stop(self) -> Iterator[Record]:
        """The person has ended the run at this step."""
        self._controls.pause()
        self._end_stage_here()
        self.state = State.STOPPED
        yield self._experiment.spectrum()
        evaluation = self.evaluate(due=False)
        self.stale = evaluation is None
        if evaluation is not None:
            yield evaluation
        yield self._end(State.STOPPED)

    def _pause(self) -> Iterator[Record]:
        experiment = self._experiment
        if self.state not in RESTING:
            # A run that was cut off after its last step has only its end left to be written.
            finished = 0 < experiment.stage.end <= experiment.step
            self.state = State.FINISHED if finished else State.PAUSED
            yield experiment.spectrum()
            yield self._end(State.FINISHED) if finished else self.enter(State.PAUSED)
            if self.ended:
                return
        if self.stale and (evaluation := self.evaluate(due=False)) is not None:
            self.stale = False
            yield evaluation

    def _end(self, state: State, message: str = "") -> StateRecord:
        self.ended = not self._serve_after_training
        return self.enter(state, message)

    def _end_stage_here(self) -> None:
        experiment = self._experiment
        experiment.stage = Stage(experiment.stage.begin, experiment.step)

    # -- what is asked for -----------------------------------------------------------------------

    def evaluate(self, due: bool) -> EvalRecord | None:
        """The validation data now; None where something has become more urgent meanwhile.

        Without a window nobody edits: there only a request to stop is.
        """
        controls, paused = self._controls, self._controls.paused
        applied = self._experiment.hyper if self._live else controls.hyper

        def should_stop() -> bool:
            if self._serve_after_training:
                return controls.anything_new(applied, paused=paused)
            return controls.stopping

        return self._experiment.evaluate(should_stop=should_stop, due=due)

    def _serve_commands(self) -> Iterator[Record]:
        for command, requested in self._controls.take_commands():
            yield from self._serve_command(command, requested)

    def _serve_command(self, command: Command, requested: Hyperparameters) -> Iterator[Record]:
        """What comes of a command; a long one may be cancelled on its way.

        A search is by a request to stop as well; an export that was asked for is written. Going
        back replaces the settings that were `requested` when it was asked for, and no newer ones.
        """
        experiment, controls = self._experiment, self._controls
        applied = experiment.hyper
        experiment.should_stop = lambda: controls.stopping or controls.is_cancelled(command)
        if isinstance(command, Clip):
            self._before_edit(True)
            self.stale = True
        if isinstance(command, Save):
            work = self._save(command.parent)
        else:
            work = command.run(experiment, self._folder())
        records = _records_of(work, command, experiment)
        for record in records:
            if experiment.hyper is not applied:  # gone back: the settings of then hold again
                controls.settle(requested, experiment.hyper)  # before anyone reads that they do
            yield record
            if not isinstance(record, RatePointRecord | ExportingRecord):
                continue
            unwanted = controls.stopping and isinstance(command, FindRate)
            if unwanted or controls.is_cancelled(command):
                records.close()  # what it holds, it puts back
                yield CancelledRecord(experiment.step, type(command).__name__)
        if isinstance(command, Clip):
            self.last_good = Snapshot(experiment)
        if experiment.hyper is not applied:
            controls.pause()
            self.state, self.stale, self.last_good = None, True, Snapshot(experiment)

    def _edit(self) -> Iterator[Record]:
        """Apply the newest settings, where they are not applied yet."""
        experiment, controls = self._experiment, self._controls
        if not self._live or controls.hyper is experiment.hyper:
            return
        old, new = experiment.hyper, controls.hyper
        fewer = new.rank < old.rank or new.dimension < old.dimension
        self._before_edit(fewer or new.layer_ranks != old.layer_ranks)
        if not experiment.finite():  # nothing can be decomposed or rescaled
            restored = self.last_good.restore()
            message = f"The factors were not finite; the adapter of step {restored} is back."
            yield ErrorRecord(experiment.step, message)
        record = _apply(experiment, controls)
        yield record
        if isinstance(record, AppliedRecord):
            yield experiment.counts()
            moved = {field for field, _, _ in record.changes}
            self.stale = self.stale or bool(moved & MOVES_EVALUATION)
        if controls.paused:
            self.stale = True
            yield experiment.spectrum()


def _apply(experiment: Experiment, controls: Controls) -> AppliedRecord | ErrorRecord:
    """Apply the newest settings; where that fails all is as it was, and they are withdrawn."""
    before, requested = Snapshot(experiment), controls.hyper
    try:
        return apply_hyper(experiment, requested)
    except Exception as error:  # noqa: BLE001 - whatever it was, what stood before still stands
        before.restore()
        message = f"The edit was not applied: {error}"
        return ErrorRecord(experiment.step, message, traceback.format_exc())
    finally:
        controls.settle(requested, experiment.hyper)


def _records_of(
    work: Iterator[Record], command: Command, experiment: Experiment
) -> Iterator[Record]:
    """A command that fails leaves a record; the training continues."""
    try:
        yield from work
        return
    except Cancelled:
        yield CancelledRecord(experiment.step, type(command).__name__)
        return
    except LabError as error:
        message, details = str(error), traceback.format_exc()
    except Exception as error:  # noqa: BLE001 - no command may take the model with it
        message, details = f"{type(error).__name__}: {error}", traceback.format_exc()
    yield ErrorRecord(experiment.step, message, details, type(command).__name__)
