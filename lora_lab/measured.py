"""Records of what is measured or estimated on request, beside a run and without moving it.

They leave the session thread as all records do: frozen, plain, serialisable.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lora_lab.opening_records import DataRow
from lora_lab.records import Look, Record
from lora_lab.sampling import GREEDY, Sampling

MATRIX = {"deep": (2,)}  # see runs.row_shape


@dataclass(frozen=True)
class LayerMerge:
    """What a merge would lose of one layer's ΔW, as a share of it, in each dtype of the record."""

    name: str
    shape: tuple[int, int]
    relative_size: float  # ‖ΔW‖_F/‖W‖_F
    loss: tuple[float, ...]  # nan at ΔW = 0 and where it is not finite; inf beyond the dtype


@dataclass(frozen=True)
class MergeRecord(Record):
    """What merging ΔW into W would lose, by dtype of the merged weight; nothing was merged."""

    step: int
    dtypes: tuple[str, ...]
    loss: tuple[float, ...]  # of all layers together
    relative_size: float  # of all layers together
    layers: tuple[LayerMerge, ...]
    share: float = 1.0  # of the entries that was looked at


@dataclass(frozen=True)
class IntruderRecord(Record):
    """Directions of one layer's W + ΔW that resemble none of W's own; see analysis.intruders."""

    step: int
    layer: str
    strongest: int  # directions that were asked for
    threshold: float  # |cos| below which a direction resembles none
    checked: int = 0  # directions there were
    places: tuple[int, ...] = ()  # of the intruders among them, from 1: the strongest
    similarity: tuple[float, ...] = ()  # of each, the largest |cos| to any of W's own
    reason: str = ""  # why the layer was not looked at


@dataclass(frozen=True)
class CutRecord(Record):
    """The validation loss of an adapter from a file, cut to `ranks`, in the model that is open."""

    step: int
    path: str
    ranks: tuple[int, ...]
    loss: float
    accuracy: float | None = None


@dataclass(frozen=True)
class MixRecord(Look):
    """The validation loss of several adapters at once, in the model that is open."""

    step: int
    mix: Any  # workshop.requests.Mix: what was asked for
    loss: float
    accuracy: float | None = None
    error: float = 0.0  # ‖ΔW − ΣwΔW‖/‖ΣwΔW‖ of the worst layer


@dataclass(frozen=True)
class LayerPairs:
    """One layer of k adapters, each (k, k); see workshop.interference."""

    name: str
    cosines: np.ndarray = field(metadata=MATRIX)
    reads: np.ndarray = field(metadata=MATRIX)  # smallest angle of what they read, in degrees
    writes: np.ndarray = field(metadata=MATRIX)


@dataclass(frozen=True)
class InterferenceRecord(Look):
    """How several adapters stand to each other over the open model."""

    step: int
    paths: tuple[str, ...]  # "" for the adapter in training
    cosines: np.ndarray = field(metadata=MATRIX)  # (k, k) of all layers together
    layers: tuple[LayerPairs, ...]


@dataclass(frozen=True)
class ClipRecord(Record):
    """The validation loss with one layer's σ clipped, and without; nothing was changed."""

    step: int
    layer: str
    keep: int  # so many σ stayed, the others became 0
    ceiling: float  # and those above it became this
    loss: float
    before: float
    accuracy: float | None = None
    accuracy_before: float | None = None


@dataclass(frozen=True)
class ClippedRecord(Record):
    """One layer's σ were clipped; `kept` says whether what stood before can be gone back to."""

    step: int
    layer: str
    keep: int
    ceiling: float
    kept: bool


@dataclass(frozen=True)
class TokenLossRecord(Record):
    """The loss of every token of one training row, with the adapter off and on; nats."""

    step: int
    row: int  # its number, as in DataRow
    off: tuple[float, ...]  # nan for the first: nothing comes before it
    on: tuple[float, ...]


@dataclass(frozen=True)
class MemoryRecord(Record):
    """What lives at the peak of a training step, estimated without making one; bytes of tensors."""

    step: int
    weights: int  # of base and adapter
    gradients: int
    optimizer: int
    activations: int
    seconds: float  # that the estimate took
    reason: str = ""  # why there is none; all bytes are 0 then
    device: int = 0  # bytes that the device has; 0: not known

    @property
    def peak(self) -> int:
        return self.weights + self.gradients + self.optimizer + self.activations


@dataclass(frozen=True)
class SpeedRecord(Record):
    """How fast this machine makes the steps of a run, measured on some that were put back."""

    step: int
    per_second: float  # 0: a step does not fit into memory
    trained: int  # parameters at which it was measured
    seconds: float  # that the measuring took


@dataclass(frozen=True)
class RatePointRecord(Record):
    """One step of a search for the learning rate, which is put back when the search is over."""

    step: int  # of the run, which stands still
    number: int  # of this step of the search, from 1
    steps: int  # that it makes at most
    rate: float
    loss: float  # may be nan or inf


@dataclass(frozen=True)
class RateFoundRecord(Record):
    """A search for the learning rate, at its end; everything is as it was before."""

    step: int
    rates: np.ndarray  # rising by one factor
    losses: np.ndarray
    smoothed: np.ndarray
    steepest: float  # where the smoothed loss falls fastest; nan where it does not fall
    third: float  # a third of the rate at its lowest; nan where it does not fall
    diverged: bool  # it ended early, because the loss rose too far
    seconds: float
    checked: tuple[tuple[float, float, float], ...] = ()  # rate, validation loss before and after

    @property
    def raising(self) -> tuple[tuple[float, float, float], ...]:
        """Those of `checked` that raised the loss: all but the one that is named, where one is."""
        return self.checked if math.isnan(self.steepest) else self.checked[:-1]

    @property
    def most(self) -> float:
        """The largest rate tried that did not raise the loss; nan where no rate tried did."""
        return self.checked[-1][0] if self.raising and self.raising != self.checked else math.nan


@dataclass(frozen=True)
class RankHint:
    """The rank that keeps a share of Σσ² in every layer, and the validation loss at that cut."""

    share: float
    ranks: tuple[int, ...]  # the smallest of each layer
    rank: int  # the largest of them: what a default rank must be
    loss: float
    accuracy: float | None = None


@dataclass(frozen=True)
class RankHintRecord(Record):
    """What ranks the energy of ΔW suggests, each with its validation loss."""

    step: int
    present: int  # the largest rank of any layer now
    loss: float  # held out, as the adapter is
    accuracy: float | None
    hints: tuple[RankHint, ...]


@dataclass(frozen=True)
class WrittenTokens:
    """The tokens, or classes, that a direction u writes, each with its logit, the largest first."""

    positive: tuple[tuple[str, float], ...]
    negative: tuple[tuple[str, float], ...]  # the smallest first


@dataclass(frozen=True)
class Excited:
    """The place of one row at which |v·x| is largest."""

    number: int  # of the row in its file, from 1
    value: float  # v·x there
    before: str  # text around it, where rows are text
    token: str
    after: str
    label: str
    image: np.ndarray | None = field(metadata={"deep": (2, 3)})


@dataclass(frozen=True)
class Direction:
    """One pair of singular vectors of a layer's ΔW."""

    sigma: float
    energy: float  # share of Σσ²
    tokens: WrittenTokens | None
    excited: tuple[Excited, ...]  # the largest |v·x| first
    # (height, width): v, where the layer sees pixels
    picture: np.ndarray | None = field(metadata=MATRIX)


@dataclass(frozen=True)
class DirectionsRecord(Look):
    """What the first directions of one layer's ΔW write, and what excites them."""

    step: int
    layer: str
    rank: int  # directions there are
    directions: tuple[Direction, ...]
    no_tokens: str  # why u names none
    asked_data: bool
    rows: int  # of the data that were looked at
    no_rows: str  # why none could be
    seconds: float


@dataclass(frozen=True)
class WrongRecord(Look):
    """The validation images that the model gets wrong, as the adapter's switch has it."""

    step: int
    enabled: bool
    classes: tuple[str, ...]
    counts: tuple[int, ...]  # wrong of each class
    total: tuple[int, ...]
    rows: tuple[DataRow, ...]  # by class, the surest first; a label is "9 → 4"
    of: tuple[int, ...]  # the class of each row


@dataclass(frozen=True)
class GeneratedRecord(Record):
    """What the model says to one prompt with the adapter off and on, at one step."""

    step: int
    prompt: str
    off: str
    on: str
    seconds: float = 0.0
    sampling: Sampling = GREEDY
    notes: tuple[str, ...] = ()  # on what the checkpoint would do besides
    mix: Any = None  # workshop.requests.Mix that is on, in place of the adapter in training


@dataclass(frozen=True)
class TurnRecord(Record):
    """Nothing of the last step is left to do, and the next has not begun; on request alone."""

    step: int
