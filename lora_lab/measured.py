"""Records of what is asked for between two steps: merges, cuts, intruders, memory.

They are among the records, and imported from there.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LayerMerge:
    """What a merge would lose of one layer's ΔW, as a share of it, in each dtype of the record."""

    name: str
    shape: tuple[int, int]
    relative_size: float  # ‖ΔW‖_F/‖W‖_F
    loss: tuple[float, ...]  # nan at ΔW = 0 and where it is not finite; inf beyond the dtype


@dataclass(frozen=True)
class MergeRecord:
    """What merging ΔW into W would lose, by dtype of the merged weight; nothing was merged."""

    step: int
    dtypes: tuple[str, ...]
    loss: tuple[float, ...]  # of all layers together
    relative_size: float  # of all layers together
    layers: tuple[LayerMerge, ...]
    share: float = 1.0  # of the entries that was looked at


@dataclass(frozen=True)
class IntruderRecord:
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
class CutRecord:
    """The held-out loss of an adapter from a file, cut to `ranks`, in the model that is open."""

    step: int
    path: str
    ranks: tuple[int, ...]
    loss: float
    accuracy: float | None = None


@dataclass(frozen=True)
class MemoryRecord:
    """What lives at the peak of a training step, estimated without making one; bytes of tensors."""

    step: int
    weights: int  # of base and adapter
    gradients: int
    optimizer: int
    activations: int
    seconds: float  # that the estimate took
    reason: str = ""  # why there is none; all bytes are 0 then

    @property
    def peak(self) -> int:
        return self.weights + self.gradients + self.optimizer + self.activations
