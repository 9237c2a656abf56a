"""The race: lanes over one base take a step each in turn; they are added, cloned and dropped."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from lora_lab.config import RunConfig, changed
from lora_lab.errors import ConfigError
from lora_lab.progress import Report, silent
from lora_lab.race.base import SharedBase, check
from lora_lab.race.lane import Lane
from lora_lab.race.stacking import Stacking
from lora_lab.tasks.base import Evaluation
from lora_lab.tasks.draws import random_states, set_random_states
from lora_lab.training.descent import descend, gradient_norm
from lora_lab.training.experiment import Experiment
from lora_lab.training.gradients import gradients
from lora_lab.training.measure.rank_hint import held_out_at_cut
from lora_lab.training.measure.trial import trial
from lora_lab.training.saving.state import restore, state_of
from lora_lab.variants import VARIANTS

MANY = 1_000_000  # steps at a time: as many as a stack makes
TRIED, SECONDS = 20, 0.2  # at most, of the steps that a lane's price is made of


@dataclass(frozen=True)
class Price:
    """What a race costs."""

    seconds: float  # all steps and validations
    step: float  # seconds of one step of every lane
    largest: float  # seconds of the slowest lane's step
    base_bytes: int  # of the parameters that are shared
    trained: int  # numbers of all lanes
    stacked: float = math.nan  # seconds of one step of all lanes in a stack; nan: there is none
    obstacle: str = ""  # why there is none


class Race:
    """K runs over one frozen base on the same batches: each as if it were alone, to the bit.

    A race costs the K steps of its lanes, and the memory of one base and K adapters. With `stacked`
    those that can be make their steps as one, which is as exact as rounding and quicker for small
    nets and short batches. No two calls come at the same time.
    """

    def __init__(
        self, lanes: Mapping[str, RunConfig], report: Report = silent, stacked: bool = False
    ) -> None:
        """Open the base and every lane, by name.

        Raises LabError for lanes that cannot be, or cannot share a base; Cancelled as `report`.
        """
        if not lanes:
            raise ConfigError("A race needs a lane at least.")
        for config in lanes.values():
            check(config, next(iter(lanes.values())))
        self.base = SharedBase(next(iter(lanes.values())), report)
        self.lanes: dict[str, Lane] = {}
        self.steps = 0  # rounds so far
        self.stacked = stacked
        self.stacking = Stacking(self.base)
        self._share = 1 / len(lanes)
        for name, config in lanes.items():
            self._enter(name, config)

    @property
    def running(self) -> bool:
        """Whether any lane would make a step."""
        return any(lane.running for lane in self.lanes.values())

    @property
    def goal(self) -> int:
        """Steps of the longest lane."""
        return max((lane.experiment.stage.end for lane in self.lanes.values()), default=0)

    def price(self) -> Price:
        """What the steps that are left cost, by a few that are tried and put back to the bit."""
        each, total = [], 0.0
        for lane in self.lanes.values():
            experiment = lane.experiment
            each.append(_seconds_of_a_step(experiment))
            config, left = experiment.config, experiment.stage.end - experiment.step
            began = time.perf_counter()
            experiment.held_out(True)
            passes = 2 + (left // config.eval_steps if config.eval_steps else 0)
            total += left * each[-1] + passes * (time.perf_counter() - began)
        trained = sum(lane.trained for lane in self.lanes.values())
        together, why = self.stacking.seconds([*self.lanes.values()])
        return Price(total, sum(each), max(each), self.base.nbytes, trained, together, why)

    def step(self, most: int = MANY) -> int:
        """A step of every lane that runs, or up to `most` at a time in a stack; how many.

        A lane that is not finite stands, and the others go on.
        """
        running = [lane for lane in self.lanes.values() if lane.running]
        together, count = self.stacking.advance(running, most) if self.stacked else ((), 1)
        for lane in running:
            for _ in range(0 if lane in together else count):
                if lane.running:
                    lane.advance()
        self.steps += count
        return count

    def add(self, name: str, config: RunConfig) -> Lane:
        """A lane more, from step 0 on and on the batches from the first; `note` says so.

        Raises LabError, with nothing changed, for one that cannot be.
        """
        lane = self._enter(name, config)
        if self.steps:
            lane.note = f"joined at step {self.steps:,} of the race, and begins at step 0"
        return lane

    def clone(self, source: str, name: str, **values: Any) -> Lane:
        """A lane that goes on where `source` stands now, with other settings where `values` say so.

        Without `values` its steps are those of `source`, to the bit. Raises LabError for settings
        that cannot be, with nothing changed.
        """
        origin = self.lane(source)
        if origin.ended:
            raise ConfigError(f"Lane {source} is at its end: no step is left to make.")
        changed(origin.experiment.hyper, **values)  # refused before anything is there
        experiment = self.base.experiment(origin.experiment.config)
        lane = self._made(name, experiment)
        tensors, facts = state_of(origin.experiment)
        restore(experiment, tensors, facts)
        lane.take_over(origin)
        lane.note = f"cloned from {source} at step {experiment.step:,}"
        self.lanes[name] = lane
        if values:
            lane.edit(**values)
        return lane

    def drop(self, name: str) -> None:
        """Take a lane out; the others go on as they would have."""
        self.lane(name).close()
        del self.lanes[name]

    def lane(self, name: str) -> Lane:
        """The lane of that name; raises ConfigError where there is none."""
        if name not in self.lanes:
            raise ConfigError(no_lane(name, self.lanes))
        return self.lanes[name]

    def edit(self, name: str, **values: Any) -> None:
        """Give a lane other settings from its next step on: rank, α, learning rate and so on."""
        self.lane(name).edit(**values)

    def cuts(self) -> tuple[str, dict[str, Evaluation]]:
        """The lane of the highest rank, and its ΔW cut to the rank of each lower one, measured.

        Beside a lane that was trained at that rank this says what training with more gave. ("", {})
        where no lane's factors are all of its ΔW, or no other rank is lower.
        """
        able = {
            name: lane for name, lane in self.lanes.items()
            if VARIANTS[lane.experiment.config.variant].exact_sigma
            and lane.experiment.has_factors and lane.experiment.finite()
        }  # fmt: skip
        top = max(able, key=lambda name: able[name].experiment.hyper.rank, default="")
        if not top:
            return "", {}
        most = able[top].experiment.hyper.rank
        cut: dict[int, Evaluation] = {}
        found = {}
        for name, lane in self.lanes.items():
            rank = lane.experiment.hyper.rank
            if not lane.experiment.has_factors or rank >= most:
                continue
            if rank not in cut:
                cut[rank] = held_out_at_cut(able[top].experiment, rank)
            found[name] = cut[rank]
        return (top, found) if found else ("", {})

    def close(self) -> None:
        """End all lanes where they stand."""
        for name in tuple(self.lanes):
            self.drop(name)

    def _enter(self, name: str, config: RunConfig) -> Lane:
        lane = self._made(name, self.base.experiment(config))
        self.lanes[name] = lane
        return lane

    def _made(self, name: str, experiment: Experiment) -> Lane:
        if name in self.lanes:
            raise ConfigError(f"There is a lane {name} already.")
        return Lane(name, experiment, self.base.random, self._share)


def no_lane(name: str, lanes: Iterable[str]) -> str:
    """The sentence for a lane that is not among these."""
    return f"There is no lane {name}. There are: {', '.join(lanes) or 'none'}."


def _seconds_of_a_step(experiment: Experiment) -> float:
    """By steps that are put back to the bit; the first warms up."""
    times: list[float] = []
    random = random_states(experiment.device)
    with trial(experiment) as batches:
        while len(times) < 2 or (len(times) < TRIED and sum(times[1:]) < SECONDS):
            began = time.perf_counter()
            set_random_states(experiment.device, random)  # as at each turn of a lane
            found = gradients(experiment, next(batches))
            if math.isfinite(found.loss):
                norm = gradient_norm(experiment.optimizer)
                descend(experiment, experiment.hyper.learning_rate, norm)
            times.append(time.perf_counter() - began)
    return median(times[1:])
