"""Which lanes of a race are stacked now, how many steps at a time, and what that saves."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import nn

from lora_lab.errors import ConfigError
from lora_lab.race.base import SharedBase
from lora_lab.race.lane import Lane
from lora_lab.race.stack import Stack, obstacle

EVERY = 100  # steps in a stack between two of the lanes' own, which measure and answer edits
SECONDS = 0.1  # of a stack at a time: an edit waits no longer


class Stacking:
    """The stack of a race, made anew where its lanes or their settings are others."""

    def __init__(self, base: SharedBase) -> None:
        self._base = base
        self._model: nn.Module | None = None
        self._stack: Stack | None = None
        self._key: tuple[object, ...] = ()
        self._since, self._each = 0, 0.0
        self.obstacle = ""  # why there is no stack now

    def advance(self, lanes: Sequence[Lane], most: int) -> tuple[Sequence[Lane], int]:
        """Make up to `most` steps of those that can be stacked: who they are, and how many.

        None, and 1, where there is no stack, or it is the turn of the lanes' own loops.
        """
        able = [lane for lane in lanes if self._steps(lane) > 0 and not obstacle(lane)]
        places = [lane.experiment.batches.taken for lane in able]
        group = [x for x in able if x.experiment.batches.taken == max(places, key=places.count)]
        if len(group) < 2 or self._since >= EVERY or not self._made(group):
            self._since = 0
            return (), 1
        assert self._stack is not None
        most = min(most, EVERY - self._since, *map(self._steps, group))
        made = self._stack.advance(max(1, min(most, int(SECONDS / self._each))))
        self._since = self._since + made if made else EVERY  # the lanes' own loops say what it was
        return (group, made) if made else ((), 1)

    def seconds(self, lanes: Sequence[Lane]) -> tuple[float, str]:
        """Of one step of all lanes in a stack; nan with the reason where not all can be."""
        if len(lanes) < 2:
            return math.nan, "a stack needs two lanes at least"
        why = next((f"{x.name}: {words}" for x in lanes if (words := obstacle(x))), "")
        if why or not self._made(lanes):
            return math.nan, why or self.obstacle
        return self._each, ""

    def _steps(self, lane: Lane) -> int:
        """That may be made before its own loop has something to do."""
        experiment = lane.experiment
        if not lane.opened or experiment.ramps or lane.controls.hyper is not experiment.hyper:
            return 0
        step, every = experiment.step, experiment.config.eval_steps
        due = [experiment.stage.end, *([step - step % every + every] if every else [])]
        return min(due) - step - 1

    def _made(self, lanes: Sequence[Lane]) -> bool:
        """Whether there is a stack of these; it is tried once."""
        key = tuple((id(lane), lane.experiment.hyper) for lane in lanes)
        if key != self._key:
            self._key, self._stack, self.obstacle = key, None, ""
            self._model = self._model or self._base.bare()
            try:
                self._stack = Stack(self._model, lanes)
                self._each = self._stack.seconds()
            except ConfigError as error:
                self.obstacle = str(error)
        return self._stack is not None
