"""Everything that leaves the session thread: frozen, plain values that another process could send.

Numbers, strings, tuples and read-only numpy arrays; never a tensor, a module or a Qt object.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np

from lora_lab.hyperparameters import Hyperparameters


class Record:
    """What leaves the session thread: a frozen dataclass, received by its type."""


class Look(Record):
    """What is looked at on request: rows, images and texts that are no part of a run's record."""


class State(str, Enum):
    """LOADING → PAUSED ⇄ RUNNING → FINISHED | STOPPED | FAILED → CLOSED; only Session sets it.

    PAUSED at step 0 is "ready". FINISHED (all steps made) and STOPPED (ended early) keep the model
    loaded: edits and commands are served, and training on leads back to RUNNING.
    """

    LOADING = "loading"
    PAUSED = "paused"
    RUNNING = "running"
    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"
    CLOSED = "closed"


@dataclass(frozen=True)
class StepRecord(Record):
    """One optimizer step: its loss, and the learning rate it was made with."""

    step: int
    loss: float
    learning_rate: float
    seconds: float  # training time since step 0, pauses left out


@dataclass(frozen=True)
class PaceRecord(Record):
    """What a step did besides its loss, measured now and then."""

    step: int
    seconds: float  # training time since step 0, as in StepRecord
    gradient_norm: float  # of all gradients together, before clipping
    update_ratio: float  # ‖Δθ‖/‖θ‖ of all that is trained; nan where θ = 0
    tokens: int  # trained on since step 0, padding left out; 0: the task reads no text
    memory: int  # bytes: of tensors on an accelerator, of the process on the CPU


@dataclass(frozen=True)
class LayerSpectrum:
    """σ of one layer's ΔW, descending, with the rank measures of lora_lab.analysis.rank."""

    name: str
    sigma: np.ndarray  # of a large ΔW without factors the leading ones
    numerical_rank: int
    stable_rank: float  # nan where ΔW = 0
    effective_rank: float  # nan where ΔW = 0
    delta_norm: float  # ‖ΔW‖_F
    rank: int
    alpha: float
    scaling: float
    error: float = 0.0  # what each σ lies too low at most
    frozen: bool = False


@dataclass(frozen=True)
class SpectrumRecord(Record):
    """Singular values of every adapted layer at one step."""

    step: int
    layers: tuple[LayerSpectrum, ...]
    kept: tuple[tuple[int, float], ...] = ()  # random subspace: smaller d, and the ‖ΔW‖² it keeps


@dataclass(frozen=True)
class CountsRecord(Record):
    """Parameter counts of what is applied now."""

    step: int
    adapter: int  # what is trained
    frozen: int  # the rest: the base, less what full fine-tuning trains of it, and frozen layers
    per_layer: tuple[tuple[str, int], ...]

    @property
    def total(self) -> int:
        return self.adapter + self.frozen


@dataclass(frozen=True)
class AppliedRecord(Record):
    """An edit was applied before the next step; `notes` says what it did (caps, energy, ramps)."""

    step: int
    hyper: Hyperparameters
    # (field, old, new); of layers, those that differ. There are a dozen settings.
    changes: tuple[tuple[str, Any, Any], ...] = field(metadata={"most": 100})
    notes: tuple[str, ...] = ()
    discarded_energy: float = 0.0  # share of Σσ² that a smaller rank cut away, worst layer


@dataclass(frozen=True)
class PastEditRecord(Record):
    """An edit that was made before this run was opened again; nothing is applied now."""

    step: int
    changes: tuple[tuple[str, Any, Any], ...]


@dataclass(frozen=True)
class EvalRecord(Record):
    """A pass over validation data, with the adapter on or off."""

    step: int
    enabled: bool
    loss: float
    accuracy: float | None = None
    correct: tuple[int, ...] = ()  # per class
    total: tuple[int, ...] = ()  # per class
    seconds: float = 0.0
    confusion: tuple[tuple[int, ...], ...] = ()  # [true class][predicted class]
    best: bool = False  # the lowest loss of the run so far, adapter on
    keep_loss: float | None = None  # on rows of the old task, where such were named
    keep_accuracy: float | None = None
    figures: tuple[tuple[str, float], ...] = ()  # (name, value): what else the task measures


@dataclass(frozen=True)
class FolderRecord(Record):
    """The run's own folder stands; from now on everything is written there."""

    step: int
    path: str


@dataclass(frozen=True)
class SavedRecord(Record):
    """The adapter was written to the run's own folder."""

    step: int
    path: str


@dataclass(frozen=True)
class CancelledRecord(Record):
    """A command was ended before it was done, as was asked; it has left nothing behind."""

    step: int
    command: str  # name of its class


@dataclass(frozen=True)
class NewsRecord(Record):
    """Something that a person should know and need not mend."""

    step: int
    message: str


@dataclass(frozen=True)
class CheckpointRecord(Record):
    """Everything that the next step depends on was written to the run's folder."""

    step: int
    path: str


@dataclass(frozen=True)
class ResumedRecord(Record):
    """A run continues from a checkpoint; what was recorded of later steps no longer holds."""

    step: int
    stage: tuple[int, ...] = field(metadata={"once": "leg", "missing": ()})  # its first, last step
    notes: tuple[str, ...] = ()  # why the steps to come may differ from those that were lost
    edits: int = -1  # that hold, the first ones of the run; -1: all up to that step


@dataclass(frozen=True)
class NonFiniteRecord(Record):
    """A step met a NaN or an infinity. It was not applied, and the training pauses."""

    step: int  # that was not made
    what: str  # "loss", "gradient" or "factor"
    layer: str  # where it appeared first; "" where no adapted layer is to blame
    message: str  # all of it in words
    causes: tuple[str, ...]  # likely ones, the likeliest first
    remedies: tuple[str, ...]  # the best first
    restored: int  # step whose adapter stands now
    norm: float  # of the last finite gradient; nan: none was seen


@dataclass(frozen=True)
class ErrorRecord(Record):
    """A command or an edit failed; what stood before still stands."""

    step: int
    message: str
    details: str = ""
    command: str = ""  # name of its class where it was one

    def ends(self, command: type) -> bool:
        """Whether nothing comes any more of such a command."""
        return self.command == command.__name__


@dataclass(frozen=True)
class StateRecord(Record):
    """The session moved to another state; FAILED carries the message and the traceback."""

    state: State
    step: int
    message: str = ""
    details: str = ""
    goal: int = 0  # the step at which the present stage ends; 0: as it was

    def ends(self, command: type) -> bool:
        """Whether nothing comes any more of such a command."""
        return self.state is State.FAILED


def frozen_array(values: Any) -> np.ndarray:
    """A read-only float64 copy that is safe to hand across the door."""
    array = np.array(values, dtype=np.float64)
    array.flags.writeable = False
    return array
