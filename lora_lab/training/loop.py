"""The training loop: straight-line code in the order in which things happen.

A generator of records that the window, the command line and the tests all run. Whoever drives it
owns the thread that the model lives on.
"""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace

from lora_lab.errors import LabError
from lora_lab.records import (
    AppliedRecord,
    CalledOffRecord,
    ErrorRecord,
    EvalRecord,
    ExportingRecord,
    NewsRecord,
    RatePointRecord,
    Record,
    State,
    StateRecord,
    StepRecord,
)
from lora_lab.runs.folder import RunFolder
from lora_lab.training.commands import Command, FindRate
from lora_lab.training.controls import Controls
from lora_lab.training.descent import descend, gradient_norm
from lora_lab.training.edits import apply_hyper
from lora_lab.training.experiment import Experiment
from lora_lab.training.gradients import gradients
from lora_lab.training.nonfinite import diagnosis
from lora_lab.training.optim import Stage, schedule_factor
from lora_lab.training.ration import Ration
from lora_lab.training.snapshot import Snapshot

SPECTRUM_SECONDS = 0.1  # of decomposing dense ΔW at a time, while edits wait
RESTING = (State.PAUSED, State.FINISHED, State.STOPPED)


def train(
    experiment: Experiment,
    controls: Controls,
    *,
    linger: bool = False,
    live: bool = True,
    folder: Callable[[], RunFolder | None] = lambda: None,
    before_edit: Callable[[], None] = lambda: None,
) -> Iterator[Record]:
    """Run training steps until told to stop; yield what happened, in order.

    Without `linger` it ends after `max_steps`. With it, the model stays: edits, evaluations and
    exports are served, and `controls.resume()` trains `max_steps` more on a course of its own.
    Without `live` the wishes of `controls` are left alone (a base is trained as its preset says).
    `before_edit` is called while the settings are still those of the last step.
    """
    config, optimizer = experiment.config, experiment.optimizer
    spectra, evals = Ration(share=0.03, interval=0.1), Ration(share=0.03, interval=0.25)
    copies = Ration(share=0.01, interval=1.0)
    last_good = Snapshot(experiment)
    stale = False  # an edit has moved what an evaluation would see
    state: State | None = None
    steepness = math.nan  # norm of the last finite gradient

    def evaluated(due: bool) -> Iterator[EvalRecord]:
        """The held-out data now, unless something else has become more urgent meanwhile.

        Without a window nobody edits: there only a wish to stop is.
        """
        paused = controls.paused
        applied = experiment.hyper if live else controls.hyper

        def urgent() -> bool:
            return controls.anything_new(applied, paused=paused) if linger else controls.stopping

        record = experiment.evaluate(given_up=urgent, due=due)
        if record is not None:
            yield record

    def served(command: Command) -> Iterator[Record]:
        """What comes of a command; a long one may be broken off on its way.

        A search is by the wish to stop as well; an export that was asked for is written.
        """
        nonlocal state, stale, last_good
        wished, applied_then = controls.hyper, experiment.hyper
        found = _served(command, experiment, folder())
        for record in found:
            yield record
            if not isinstance(record, RatePointRecord | ExportingRecord):
                continue
            unwanted = controls.stopping and isinstance(command, FindRate)
            if unwanted or controls.is_broken_off(command):
                found.close()  # what it holds, it puts back
                yield CalledOffRecord(experiment.step, type(command).__name__)
        if experiment.hyper is not applied_then:  # gone back: the settings of then hold again
            controls.settle(wished, experiment.hyper)
            controls.pause()
            state, stale, last_good = None, True, Snapshot(experiment)

    def edited() -> Iterator[Record]:
        """The newest wish applied, where it is not yet."""
        nonlocal stale
        if not live or controls.hyper is experiment.hyper:
            return
        before_edit()
        if not experiment.finite():  # nothing can be decomposed or rescaled
            restored = last_good.restore()
            message = f"The factors were not finite; the adapter of step {restored} is back."
            yield ErrorRecord(experiment.step, message)
        applied = _edited(experiment, controls)
        yield applied
        if isinstance(applied, AppliedRecord):
            yield experiment.counts()
            stale = stale or _moves_evaluation(applied)
        if controls.paused:
            stale = True
            yield experiment.spectrum()

    yield experiment.counts()
    yield experiment.spectrum()
    untrained = experiment.evaluate(enabled=False)
    assert untrained is not None
    yield untrained
    if experiment.step:  # a run that is resumed, perhaps from between a step and its validation
        due = config.eval_steps and experiment.step % config.eval_steps == 0
        missed = bool(due) or experiment.step >= experiment.stage.end
        missed = missed and experiment.best.last != experiment.step
        now_on = experiment.evaluate(noted=missed)
        assert now_on is not None
        yield now_on
        if missed and _patience_is_over(experiment):
            yield _given_up(experiment, controls)
            state = State.STOPPED
            if not linger:
                return
    elif experiment.hyper.enabled:  # ΔW = 0, so the answers are the same
        yield experiment.best.note(replace(untrained, enabled=True), experiment)

    while controls.wait_for_turn(
        experiment.hyper if live else controls.hyper, resting=state in RESTING
    ):
        for command in controls.take_commands():
            yield from served(command)
        yield from edited()
        if controls.take_finish() and state not in (State.STOPPED, State.FINISHED):
            controls.pause()
            state, experiment.stage = State.STOPPED, Stage(experiment.stage.begin, experiment.step)
            yield experiment.spectrum()
            found = list(evaluated(due=False))
            stale = not found
            yield from found
            yield _state(state, experiment)
            if not linger:
                break
        if controls.paused:
            if state not in RESTING:
                ended = 0 < experiment.stage.end <= experiment.step
                state = State.FINISHED if ended else State.PAUSED
                yield experiment.spectrum()
                yield _state(state, experiment)
                if ended and not linger:  # it was cut off after its last step
                    break
            if stale:
                for record in evaluated(due=False):
                    stale = False
                    yield record
            continue
        if experiment.step >= experiment.stage.end:  # training on after the end: another stage
            experiment.stage = Stage(experiment.step, experiment.step + config.max_steps)
        begin, end = experiment.stage
        if state is not State.RUNNING:
            state = State.RUNNING
            yield _state(state, experiment)

        began = time.perf_counter()
        factor = schedule_factor(config, experiment.step - begin, end - begin)
        learning_rate = experiment.hyper.learning_rate * factor
        batch = next(experiment.batches)
        value, part, halvings, short = gradients(experiment, batch)
        if halvings:
            yield NewsRecord(
                experiment.step,
                f"Step {experiment.step + 1} ran out of memory. From here on a step is worked off "
                f"in {experiment.accumulation} parts, which changes nothing of what is computed.",
            )
        if short:
            controls.pause()
            state = State.PAUSED
            yield ErrorRecord(experiment.step, _too_large(experiment, short))
            yield _state(state, experiment, short)
            continue
        norm = gradient_norm(optimizer) if math.isfinite(value) else math.nan
        if not math.isfinite(norm):
            # The step is not applied: what was learned up to here still stands.
            broken = not math.isfinite(value)
            restored = last_good.step if broken else experiment.step
            found = diagnosis(experiment, part, value, steepness, restored)
            optimizer.zero_grad(set_to_none=True)
            if broken:
                last_good.restore()
            controls.pause()
            state = State.PAUSED
            yield found
            yield experiment.spectrum()
            yield _state(state, experiment, found.message)
            continue
        steepness = norm
        if copies.due(began):  # these very tensors have just given a finite loss and gradient
            with copies:
                last_good = Snapshot(experiment)
        descend(experiment, learning_rate, norm)
        experiment.step += 1
        now = time.perf_counter()
        experiment.training_seconds += now - began
        yield StepRecord(experiment.step, value, learning_rate, experiment.training_seconds)

        finished = experiment.step >= end
        if finished or spectra.due(now, urgent=stale):
            with spectra:
                record = experiment.spectrum(math.inf if finished else SPECTRUM_SECONDS)
            yield record
        wanted = config.eval_steps and experiment.step % config.eval_steps == 0
        if finished or wanted or (not config.eval_steps and evals.due(now, urgent=stale)):
            with evals:
                found = list(evaluated(due=True))
            stale = not found  # given up: once what was urgent is done
            yield from found
            if _patience_is_over(experiment):
                yield _given_up(experiment, controls)
                state = State.STOPPED
                if not linger:
                    break
                continue
        if finished:
            state = State.FINISHED
            if linger:
                controls.pause()
            yield _state(state, experiment)
            if not linger:
                break
    for command in controls.take_commands():  # asked for before the end: never dropped
        yield from served(command)
    yield from edited()  # nor is what was wished in the moment of the stop


def _state(state: State, experiment: Experiment, message: str = "") -> StateRecord:
    return StateRecord(state, experiment.step, message, goal=experiment.stage.end)


def _too_large(experiment: Experiment, reason: str) -> str:
    return (
        f"Step {experiment.step + 1} does not fit into memory even in {experiment.accumulation} "
        f"parts ({reason}). What was learned is kept. Open the run with a smaller batch, shorter "
        "texts, checkpointing or bfloat16."
    )


def _patience_is_over(experiment: Experiment) -> bool:
    patience = experiment.config.patience
    return 0 < patience <= experiment.best.unimproved and experiment.step < experiment.stage.end


def _given_up(experiment: Experiment, controls: Controls) -> StateRecord:
    """End the run where it is."""
    controls.pause()
    experiment.stage = Stage(experiment.stage.begin, experiment.step)
    best = experiment.best
    message = (
        f"The last {best.unimproved} validations gave no better loss than {best.loss:.4g} at step "
        f"{best.step:,}, so the run has ended."
    )
    if best.weights is not None:
        message += " The adapter of that step is kept as well."
    return _state(State.STOPPED, experiment, message)


def _edited(experiment: Experiment, controls: Controls) -> AppliedRecord | ErrorRecord:
    """Apply the newest wish; one that fails leaves everything as it was, and is withdrawn."""
    before, wished = Snapshot(experiment), controls.hyper
    try:
        return apply_hyper(experiment, wished)
    except Exception as error:  # noqa: BLE001 - whatever it was, what stood before still stands
        before.restore()
        message = f"The edit was not applied: {error}"
        return ErrorRecord(experiment.step, message, traceback.format_exc())
    finally:
        controls.settle(wished, experiment.hyper)


def _moves_evaluation(applied: AppliedRecord) -> bool:
    """Whether an edit changed what an evaluation would see at once."""
    moving = {"enabled", "rank", "alpha", "layer_ranks", "frozen_layers"}
    return any(field in moving for field, _, _ in applied.changes)


def _served(command: Command, experiment: Experiment, folder: RunFolder | None) -> Iterator[Record]:
    """A command that fails leaves a record; the training goes on."""
    try:
        yield from command.run(experiment, folder)
        return
    except LabError as error:
        message, details = str(error), traceback.format_exc()
    except Exception as error:  # noqa: BLE001 - no command may take the model with it
        message, details = f"{type(error).__name__}: {error}", traceback.format_exc()
    yield ErrorRecord(experiment.step, message, details, type(command).__name__)
