"""An adapter beside the W it changes: how much it moves, what it amplifies, what it intrudes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch

from lora_lab.adapters.weights import AdapterWeights, LayerWeights
from lora_lab.analysis.amplification import amplification
from lora_lab.analysis.intruders import intruder_dimensions
from lora_lab.errors import AdapterError
from lora_lab.figures import counted
from lora_lab.models.base import Base
from lora_lab.workshop.places import Placed, real_delta

DENSE = 1200  # the largest min(out, in) that is decomposed: two SVDs of W, one of DoRA's ΔW


@dataclass(frozen=True)
class BesideBase:
    """One layer; None where it takes too long or ΔW = 0."""

    name: str
    weight_norm: float  # ‖W‖_F
    relative_norm: float  # ‖ΔW‖_F/‖W‖_F, DoRA's real ΔW
    amplification: float | None  # LoRA §7.3
    intruders: int | None  # of the first ten directions of W + ΔW (Shuttleworth et al. 2024)
    delta_norm: float = 0.0  # ‖ΔW‖_F, DoRA's real ΔW
    sigma: tuple[float, ...] | None = None  # of DoRA's real ΔW, which has full rank


@dataclass(frozen=True)
class AgainstBase:
    """Every layer that the base has a weight for, and what a person should know of the base."""

    rows: tuple[BesideBase, ...]
    notes: tuple[str, ...]


def against_base(weights: AdapterWeights, base: Path, intruders: bool = False) -> AgainstBase:
    """Read one W after the other.

    `intruders` are looked for on request: two SVDs of each W, a minute for a small language model.
    Raises CheckpointError for a base that cannot be read, AdapterError where none or another shape
    of a layer is in it.
    """
    placed = Placed(weights, Base(base), strict=False)
    if not placed.places:
        raise AdapterError(
            f"{base} has no weight for any layer of the adapter ({placed.missing[0]}): it is "
            "another base"
        )
    known = [place for place in placed.places if place.layer.name not in placed.unknown]
    rows = tuple(_beside(place.layer, placed.matrix(place), intruders) for place in known)
    notes = []
    if placed.missing:
        lost = counted(len(placed.missing), "layer")
        notes.append(f"{base.name} has no weight for {lost} ({placed.missing[0]})")
    if placed.unknown:
        lost = counted(len(placed.unknown), "square layer")
        notes.append(f"{lost}: orientation not known without config.json ({placed.unknown[0]})")
    if placed.base.quantized:
        notes.append(
            f"{base.name} is quantized ({placed.base.quantized}): ‖W‖ is that of what it stands for"
        )
    return AgainstBase(rows, tuple(notes))


@torch.no_grad()
def _beside(layer: LayerWeights, W: torch.Tensor, look: bool) -> BesideBase:
    norm = float(W.double().norm())
    delta = real_delta(layer, W)
    size = float(delta.norm())
    factor = intruders = None
    if size and layer.groups == 1:
        value = amplification(W, layer) if layer.magnitude is None else math.nan
        factor = value if math.isfinite(value) else None
        if look and layer.magnitude is None and min(layer.shape) <= DENSE:
            intruders = len(intruder_dimensions(W.double(), layer).indices)
    sigma = None
    if layer.magnitude is not None and min(layer.shape) <= DENSE:
        sigma = tuple(torch.linalg.svdvals(delta).tolist())
    ratio = size / norm if norm else math.nan
    return BesideBase(layer.name, norm, ratio, factor, intruders, size, sigma)
