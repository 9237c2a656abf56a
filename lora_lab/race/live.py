"""A race that is watched while it runs: how its lanes stand, and requests between two steps."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from lora_lab.config import RunConfig
from lora_lab.errors import LabError
from lora_lab.progress import Report, silent
from lora_lab.race.keep import keep
from lora_lab.race.lane import Lane
from lora_lab.race.looks import Item, LaneKept, LaneNow, RaceNow, RaceRefused
from lora_lab.race.race import Price, Race
from lora_lab.records import frozen_array
from lora_lab.training.time_budget import TimeBudget

EVERY = 0.1  # seconds between two looks
CUTS = 0.03  # of the time, for the cuts of the highest rank
WAITS = 0.1  # seconds until a race that rests looks whether it is to end


class LiveRace:
    """It rests at first. `run` is for one thread; everything else may be called from any other."""

    def __init__(
        self, lanes: Mapping[str, RunConfig], report: Report = silent, stacked: bool = False
    ) -> None:
        """Open the race and try what it costs. Raises as `Race` does."""
        self._race = Race(lanes, report, stacked)
        self.price: Price = self._race.price()
        self.goal = self._race.goal
        self._asked: deque[Callable[[Race], None]] = deque()
        self._kept: deque[str] = deque()
        self._paused, self._news = True, threading.Condition()
        self._shown: dict[str, int] = {}  # losses of each lane that were looked at
        self._budget = TimeBudget(CUTS, 0.5)
        self._cuts: dict[str, float] = {}

    def ask(self, request: Callable[[Race], None]) -> None:
        """Let `request(race)` be called between two steps; what it refuses is said."""
        with self._news:
            self._asked.append(request)
            self._news.notify()

    def ask_to_keep(self, name: str) -> None:
        """Let a lane be written down as a run."""
        with self._news:
            self._kept.append(name)
            self._news.notify()

    def pause(self, paused: bool) -> None:
        """Rest after the step in hand, or go on."""
        with self._news:
            self._paused = paused
            self._news.notify()

    def run(self, report: Report = silent) -> Iterator[Item]:
        """Make steps and look at them now and then, until `report` raises Cancelled.

        It does not end by itself: at the end of all lanes it rests, and another may be added.
        """
        looked = 0.0
        try:
            while True:
                report("", -1.0)
                answered = False
                for item in self._answers():
                    answered = True
                    yield item
                resting = self._paused or not self._race.running
                now = time.perf_counter()
                if answered or now - looked > EVERY or resting:
                    looked = now
                    self._measure_cuts(now, resting)
                    for lane in self._race.lanes.values() if resting else ():
                        lane.measure_again()
                    yield self._look(resting)
                if resting:
                    self._rest(report)
                    looked = 0.0
                elif not self._asked and not self._kept:
                    self._race.step()
        finally:
            self._race.close()

    def _rest(self, report: Report) -> None:
        """Until something is asked for."""

        def waiting() -> bool:
            return not self._asked and not self._kept and (self._paused or not self._race.running)

        while waiting():
            report("", -1.0)
            with self._news:
                self._news.wait_for(lambda: not waiting(), WAITS)

    def _answers(self) -> Iterator[Item]:
        while self._asked or self._kept:
            try:
                if self._asked:
                    self._asked.popleft()(self._race)
                else:
                    name = self._kept.popleft()
                    yield LaneKept(name, keep(self._race.lane(name)))
            except LabError as error:
                yield RaceRefused(str(error))
            else:
                self._cuts = {}

    def _measure_cuts(self, now: float, resting: bool) -> None:
        race = self._race
        if not race.steps or (self._cuts and resting) or not self._budget.due(now, urgent=resting):
            return
        with self._budget:
            self._cuts = {name: found.loss for name, found in race.cuts()[1].items()}

    def _look(self, resting: bool) -> RaceNow:
        race = self._race
        lanes = tuple(map(self._look_at, race.lanes.values()))
        self._shown = {name: n for name, n in self._shown.items() if name in race.lanes}
        steps = max((lane.step for lane in lanes), default=0)
        why = race.stacking.obstacle if race.stacked else ""
        return RaceNow(lanes, steps, race.goal, resting, race.stacked, why)

    def _look_at(self, lane: Lane) -> LaneNow:
        experiment, found = lane.experiment, lane.evaluation
        hyper = lane.controls.hyper
        seen = min(self._shown.get(lane.name, 0), len(lane.losses))
        self._shown[lane.name] = len(lane.losses)
        begin = experiment.step - len(lane.losses) + seen
        return LaneNow(
            lane.name, hyper.rank if experiment.has_factors else 0, hyper.alpha,
            hyper.learning_rate, lane.trained, experiment.step, lane.state,
            lane.message or lane.note, lane.loss, found.loss if found else math.nan,
            found.accuracy if found else None, lane.change, _pooled(lane), begin,
            tuple(lane.losses[seen:]), self._cuts.get(lane.name, math.nan),
        )  # fmt: skip


def _pooled(lane: Lane) -> np.ndarray:
    """√(Σ σᵢ² over the layers) by index i: ‖ΔW‖ of the whole adapter by direction."""
    rows = [layer.sigma for layer in lane.spectrum.layers] if lane.spectrum else []
    total = np.zeros(max(map(len, rows), default=0))
    for row in rows:
        total[: len(row)] += np.square(row)
    return frozen_array(np.sqrt(total))
