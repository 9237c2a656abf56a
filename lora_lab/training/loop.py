"""The training loop: one step after the other, in the order in which things happen.

A generator of records that the window, the command line and the tests all run. Whoever drives it
owns the thread that the model lives on. What is served between two steps is in `serve.py`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator

from lora_lab.errors import Cancelled
from lora_lab.progress import Report, silent
from lora_lab.records import Record, State, StepRecord
from lora_lab.runs.folder import RunFolder
from lora_lab.training.controls import Controls
from lora_lab.training.descent import descend, gradient_norm, rate_of
from lora_lab.training.experiment import Experiment
from lora_lab.training.gradients import gradients, more_parts
from lora_lab.training.in_flight import InFlight
from lora_lab.training.learning_check import learning_problems
from lora_lab.training.measure.at_opening import Known
from lora_lab.training.one_step import one_step
from lora_lab.training.optim import Stage
from lora_lab.training.pace import Pace
from lora_lab.training.parallel.group import Group
from lora_lab.training.serve import Server
from lora_lab.training.snapshot import Snapshot
from lora_lab.training.time_budget import TimeBudget

SPECTRUM_SECONDS = 0.1  # of decomposing dense ΔW at a time, while edits wait


def train(
    experiment: Experiment,
    controls: Controls,
    *,
    serve_after_training: bool = False,
    live: bool = True,
    folder: Callable[[], RunFolder | None] = lambda: None,
    before_edit: Callable[[bool], None] = lambda cuts: None,
    save: Callable[[str], Iterator[Record]] = lambda parent: iter(()),
    known: Known | None = None,
    report: Report = silent,
    share: float = 1.0,
    group: Group | None = None,
    turns: bool = False,
) -> Iterator[Record]:
    """Run training steps until asked to stop; yield what happened, in order.

    It ends after `max_steps`, unless it is to `serve_after_training`: then the model stays, edits,
    evaluations and exports are served, and `controls.resume()` trains on: the steps that it names,
    else `max_steps` more, a stage with a schedule of its own. Without `live` the settings of
    `controls` are left alone (a base is trained as its preset says). `before_edit` is called while
    the settings are those of the last step; `save` keeps the run when that is asked for, in a new
    folder in the one it is given. What is `known` is not measured at first, and `report` receives
    how far that is. `share` of the thread's time is this run's, where several take turns on it:
    what is measured on the way is kept to a part of that; `turns` says where another may have its
    turn. The other processes of a `group` follow.
    """
    config, optimizer = experiment.config, experiment.optimizer
    spectra = TimeBudget(0.03 * share, interval=0.1 / share)
    evaluations = TimeBudget(0.03 * share, interval=0.25 / share)
    copies = TimeBudget(0.01 * share, interval=1.0 / share)
    pace = Pace(experiment, share)
    server = Server(experiment, controls, serve_after_training, live, folder, before_edit, save)
    server.turns = turns
    flight = InFlight(experiment, controls, live, alone=group is None and not turns)
    yield from server.open(known or Known(), report)
    if server.ended:
        return
    while server.wait_for_turn():
        yield from server.serve()
        if server.ended or server.paused:
            continue
        if experiment.step >= experiment.stage.end:  # training on after the end: another stage
            more = controls.take_further() or config.max_steps
            experiment.stage = Stage(experiment.step, experiment.step + more)
        end = experiment.stage.end
        if server.state is not State.RUNNING:
            yield server.enter(State.RUNNING)

        began = time.perf_counter()
        learning_rate = rate_of(experiment, experiment.step)
        try:
            batch = experiment.batches.take(lambda: controls.stopping or controls.paused)
        except Cancelled:
            continue
        with one_step(experiment, batch):
            if group is not None:
                group.begin_step(experiment, learning_rate)
            loss, part, halvings, failed = gradients(experiment, batch, group)
            if halvings:
                yield more_parts(experiment)
            yield from experiment.trunk.follow(folder(), experiment.step)
            if failed:
                yield from server.pause_too_large(failed)
                continue
            norm = gradient_norm(optimizer) if math.isfinite(loss) else math.nan
            if not math.isfinite(norm):
                yield from server.pause_not_finite(part, loss, flight.norm)
                continue
            flight.norm = norm
            if copies.due(began):  # these very tensors have just given a finite loss and gradient
                with copies:
                    server.last_good = Snapshot(experiment)
            pace.before(began)
            descend(experiment, learning_rate, norm)
        if group is not None:
            group.end_step(experiment)
        experiment.step += 1
        experiment.tokens += experiment.task.tokens(batch)
        now = time.perf_counter()
        experiment.training_seconds += now - began
        yield StepRecord(experiment.step, loss, learning_rate, experiment.training_seconds)
        yield from pace.after(norm)
        yield from learning_problems(experiment)

        finished = experiment.step >= end
        if finished or spectra.due(now, urgent=server.stale):
            with spectra:
                spectrum = experiment.spectrum(math.inf if finished else SPECTRUM_SECONDS)
            yield spectrum
        every = config.eval_steps
        due = experiment.step % every == 0 if every else evaluations.due(now, urgent=server.stale)
        if finished or due:
            with evaluations:
                evaluation = server.evaluate(due=True)
            server.stale = evaluation is None  # cancelled: once what was urgent is done
            if evaluation is not None:
                yield evaluation
            if server.patience_is_over():
                yield from server.stop_early()
                continue
        if finished:
            yield from server.finish()
        yield from flight.ahead(server.state is State.RUNNING and not server.stale)
    yield from server.serve_last()
