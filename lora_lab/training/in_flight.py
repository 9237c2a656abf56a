"""Steps in flight: on an accelerator several are made behind one another, and read together.

To read a loss waits for the device, which then stands idle until more is sent to it. So one step
every WINDOW seconds is looked at as the loop has it, and those behind it are sent as they are.
Whether they are applied is decided on the device: from the first one on whose loss or gradients are
not finite, none is. Once they are read the run stands behind the last one that was applied, as if
no more had been tried, and the next that is looked at is the one that failed, with its batch and
its random draws: it ends as it does in every loop.

No step is in flight behind which something is measured or kept, nor one that several processes or
lanes share, nor while fresh directions of a factor are ramped up; and none of an optimizer that
does not take `found_inf`, which of those here AdamW alone does.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import NamedTuple

import torch

from lora_lab.door import is_out_of_memory
from lora_lab.errors import Cancelled
from lora_lab.records import StepRecord
from lora_lab.runs.snapshots import steps_of
from lora_lab.tasks.draws import RandomStates, random_states, set_random_states
from lora_lab.training.adam import FusedAdamW
from lora_lab.training.controls import Controls
from lora_lab.training.descent import descend_unread, gradients_of, norm_of, rate_of
from lora_lab.training.experiment import Experiment
from lora_lab.training.gradients import free, unread_gradients
from lora_lab.training.learning_check import AGAIN, FIRST
from lora_lab.training.one_step import one_step

WINDOW = {"cuda": 0.05}  # seconds between two looks, by device; elsewhere each step is looked at
MOST = 64  # steps between two looks


class Begin(NamedTuple):
    """Where the run stood before a step."""

    taken: int  # batches
    drawn: RandomStates


class Made(NamedTuple):
    """One step that was sent to the device."""

    begin: Begin
    rate: float
    tokens: int
    loss: torch.Tensor  # of float64, on the device; so is the norm
    norm: torch.Tensor


class InFlight:
    """Sends what may be sent between two steps that are looked at."""

    def __init__(self, experiment: Experiment, controls: Controls, live: bool, alone: bool) -> None:
        """`live` as in `loop.train`; `alone`: nobody else has a part in the steps of this run."""
        self.norm = math.nan  # of the last finite gradient
        self._experiment, self._controls, self._live = experiment, controls, live
        self._window = WINDOW.get(experiment.device.type, 0.0) if alone else 0.0
        self._cycle = experiment.step, experiment.training_seconds  # at the last look but one
        config = experiment.config
        kept = config.snapshots if experiment.has_factors else 0
        self._stops = {FIRST, AGAIN, *(steps_of(kept, config.max_steps) if kept else ())}
        self._made: list[Made] = []

    def ahead(self, wanted: bool) -> Iterator[StepRecord]:
        """Make steps that need not be looked at, where any are `wanted`, and read them together."""
        if not self._window or not wanted or (most := self._most()) < 1:
            return
        problem: Exception | None = None
        began = time.perf_counter()
        try:
            self._send(most, began + self._window)
        except Exception as error:  # noqa: BLE001 - what was made before is read; not so at a
            problem = error  # signal, which may have broken into a step: what was saved stands
        yield from self._read(began)
        if problem is not None:
            raise problem

    def _most(self) -> int:
        """So many steps, by the time that one took lately."""
        experiment = self._experiment
        step, seconds = self._cycle
        self._cycle = experiment.step, experiment.training_seconds
        made, took = experiment.step - step, experiment.training_seconds - seconds
        if type(experiment.optimizer) is not FusedAdamW or experiment.ramps:
            return 0
        if made <= 0 or took <= 0:  # nothing is known, or the run has gone back
            return 0
        every = experiment.config.eval_steps
        stops = {experiment.stage.end, *self._stops}
        if every:
            stops.add((experiment.step // every + 1) * every)
        room = [stop - experiment.step - 1 for stop in stops if stop > experiment.step]
        scale = experiment.loss_scale
        return min(MOST - 1, int(self._window * made / took) - 1, scale.room(), *room)

    def _send(self, most: int, until: float) -> None:
        experiment, controls = self._experiment, self._controls
        device, optimizer, task = experiment.device, experiment.optimizer, experiment.task
        assert isinstance(optimizer, FusedAdamW)
        applied = experiment.hyper if self._live else controls.hyper
        optimizer.found_inf = torch.zeros((), device=device)
        try:
            for step in range(experiment.step, experiment.step + most):
                if time.perf_counter() > until or controls.anything_new(applied, paused=False):
                    return
                start = Begin(experiment.batches.taken, random_states(device))
                try:
                    batch = experiment.batches.take(lambda: controls.stopping or controls.paused)
                except Cancelled:
                    return
                with one_step(experiment, batch):
                    loss = self._loss(batch)
                    if loss is None:
                        self._stand_at(start)
                        return
                    held = gradients_of(optimizer)
                    experiment.loss_scale.divide(held)
                    norm = norm_of(held)
                    good = loss.isfinite() & norm.isfinite()
                    optimizer.found_inf = optimizer.found_inf.masked_fill(~good, 1.0)
                    rate = rate_of(experiment, step)
                    descend_unread(experiment, rate, norm)
                self._made.append(Made(start, rate, task.tokens(batch), loss, norm))
        finally:
            optimizer.found_inf = None

    def _loss(self, batch: object) -> torch.Tensor | None:
        """That of a batch, with gradients; None where the step is to be looked at, for a reason."""
        short = False
        try:
            loss = unread_gradients(self._experiment, batch)
        except Exception as error:  # noqa: BLE001 - it comes again where each kind has its answer
            loss, short = None, is_out_of_memory(error)
        if short:
            free(self._experiment)
        return loss if gradients_of(self._experiment.optimizer) else None

    def _stand_at(self, begin: Begin) -> None:
        """Stand where a step that is not applied has begun."""
        experiment = self._experiment
        experiment.optimizer.zero_grad(set_to_none=True)
        experiment.batches.stand_behind(begin.taken)
        set_random_states(experiment.device, begin.drawn)

    def _read(self, began: float) -> Iterator[StepRecord]:
        experiment, made = self._experiment, self._made
        self._made = []
        if not made:
            return
        found = torch.stack([x for one in made for x in (one.loss, one.norm)]).view(-1, 2).tolist()
        good = next((i for i, two in enumerate(found) if not all(map(math.isfinite, two))),
                    len(made))  # fmt: skip
        if good < len(made):
            self._stand_at(made[good].begin)
            state = experiment.optimizer.state
            for p in [p for p, kept in state.items() if not kept["step"].item()]:
                del state[p]  # of what a step that was not applied is the first to move
        begin, seconds = experiment.step, experiment.training_seconds
        took = time.perf_counter() - began
        experiment.step += good
        experiment.tokens += sum(one.tokens for one in made[:good])
        experiment.loss_scale.good += good if experiment.loss_scale.active else 0
        if good:
            experiment.training_seconds += took
            self.norm = found[good - 1][1]
        for i, (one, (loss, _)) in enumerate(zip(made[:good], found, strict=False), 1):
            yield StepRecord(begin + i, loss, one.rate, seconds + took * i / good)
