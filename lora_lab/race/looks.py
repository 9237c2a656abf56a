"""What a watched race says: how its lanes stand, what it refuses, and what was kept of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lora_lab.records import State


@dataclass(frozen=True)
class LaneNow:
    """How a lane stands. nan and None: not known yet."""

    name: str
    rank: int  # 0: its variant has none
    alpha: float
    learning_rate: float  # as it is set, not as the schedule has it now
    trained: int
    step: int
    state: State
    words: str  # why it stands, or what is to be known of it
    loss: float
    validation_loss: float
    accuracy: float | None
    change: float  # ‖ΔW‖/‖W‖
    sigma: np.ndarray  # of all layers together, by index, descending
    begin: int  # steps before the first of `losses`
    losses: tuple[float, ...]  # since the last look
    cut: float  # validation loss of the highest rank cut to this one


@dataclass(frozen=True)
class RaceNow:
    """How a race stands: a look at all of its lanes."""

    lanes: tuple[LaneNow, ...]
    steps: int  # of the lane that is furthest
    goal: int
    resting: bool  # paused, or no lane has a step to make
    stacked: bool  # as it is asked for
    obstacle: str  # why nothing is stacked now


@dataclass(frozen=True)
class RaceRefused:
    """A request that cannot be followed, with the reason; nothing has changed."""

    message: str


@dataclass(frozen=True)
class LaneKept:
    """A lane stands in a folder of its own as a run."""

    name: str
    path: Path


Item = RaceNow | RaceRefused | LaneKept
