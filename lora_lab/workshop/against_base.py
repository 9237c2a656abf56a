"""An adapter beside the W it changes: how much it moves, what it amplifies, what it intrudes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from lora_lab.adapters.weights import AdapterWeights, LayerWeights
from lora_lab.analysis.amplification import amplification
from lora_lab.analysis.intruders import intruder_dimensions
from lora_lab.errors import AdapterError
from lora_lab.models.inspect import describe, read_tensor
from lora_lab.workshop.merge_base import layer_of, matrix_of, real_delta

DENSE = 1200  # the largest min(out, in) whose intruders are looked for: two SVDs of W


@dataclass(frozen=True)
class BesideBase:
    """One layer; None where it takes too long or ΔW = 0."""

    name: str
    weight_norm: float  # ‖W‖_F
    relative_norm: float  # ‖ΔW‖_F/‖W‖_F, DoRA's real ΔW
    amplification: float | None  # LoRA §7.3
    intruders: int | None  # of the first ten directions of W + ΔW (Shuttleworth et al. 2024)


def against_base(
    weights: AdapterWeights, base: Path, intruders: bool = False
) -> Iterator[BesideBase]:
    """Every layer that the base has a weight for, read one at a time.

    `intruders` are looked for on request: two SVDs of each W, a minute for a small language model.
    Raises CheckpointError for a base that cannot be read, AdapterError where none or another shape
    of a layer is in it.
    """
    wanted = {layer.name: layer for layer in weights.layers}
    keys = [(t.name, layer_of(t.name, wanted)) for t in describe(base).tensors]
    matching = [(key, layer) for key, layer in keys if layer is not None]
    if not matching:
        raise AdapterError(f"{base} has no weight for any layer of the adapter: it is another base")
    for key, layer in matching:
        yield _beside(layer, matrix_of(layer, read_tensor(base, key)), intruders)


@torch.no_grad()
def _beside(layer: LayerWeights, W: torch.Tensor, look: bool) -> BesideBase:
    if tuple(W.shape) != layer.shape:
        raise AdapterError(
            f"{layer.name} is {tuple(W.shape)} in the base and {layer.shape} in the adapter, which "
            "is for another base"
        )
    norm = float(W.double().norm())
    delta = real_delta(layer, W)
    size = float(delta.norm())
    factor = intruders = None
    if size and layer.groups == 1:
        value = amplification(W, layer) if layer.magnitude is None else math.nan
        factor = value if math.isfinite(value) else None
        if look and layer.magnitude is None and min(layer.shape) <= DENSE:
            intruders = len(intruder_dimensions(W.double(), layer).indices)
    return BesideBase(layer.name, norm, size / norm if norm else math.nan, factor, intruders)
