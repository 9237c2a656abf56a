"""Weights of the base that PEFT saves beside an adapter without having trained them.

It does so of an embedding or a head that is adapted, and where a vocabulary was resized. A copy of
what the base has anyway says nothing; any other belongs to a base of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from lora_lab.adapters.weights import AdapterWeights
from lora_lab.errors import AdapterError

BASE_LAYER = ".base_layer"  # how PEFT calls the layer that it wrapped


def without_copies(
    weights: AdapterWeights, weight_of: Callable[[str], torch.Tensor | None]
) -> tuple[AdapterWeights, tuple[str, ...]]:
    """`weights` without what the base has just so, and notes; `weight_of` a module's name reads it.

    Raises AdapterError for the weight of an adapted layer that is not the base's, or where the base
    is not at hand: only a PEFT folder can say such a thing.
    """
    kept, notes = [], []
    for layer in weights.whole:
        name = layer.name.removesuffix(BASE_LAYER)
        base = None if layer.saved else weight_of(name)
        if base is not None and layer.bias is None and _same(base, layer.weight):
            notes.append(f"{name}: its whole weight is that of the base, and is left out")
            continue
        if name != layer.name:
            why = "the base is not at hand" if base is None else "the base has another"
            raise AdapterError(
                f"{name}: the weight that it stands on came along in the file, and {why}. Name the "
                "base that it was trained on, or write a PEFT folder, which keeps it as it is."
            )
        kept.append(layer)
    return replace(weights, whole=tuple(kept)), tuple(notes)


def _same(base: torch.Tensor, weight: torch.Tensor) -> bool:
    return base.shape == weight.shape and torch.equal(base.detach().cpu().to(weight.dtype), weight)
