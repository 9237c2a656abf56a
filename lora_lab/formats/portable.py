"""PEFT's folder in the form that every reader of it agrees on.

Runtimes that read PEFT's files differ in what they support: vLLM and llama.cpp's converter know one
α/r for all layers and no patterns, others forget rsLoRA. Here s is folded into B, α = r, every
layer has one rank, and nothing is left that could be read in two ways.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from lora_lab.adapters.weights import AdapterWeights, LayerWeights
from lora_lab.figures import counted
from lora_lab.formats import peft, peft_limits
from lora_lab.formats.peft_parameters import is_expert
from lora_lab.variants import PLAIN


def save(weights: AdapterWeights, folder: Path) -> tuple[str, ...]:
    """Write the folder, and say what was baked in."""
    ready, notes = portable(weights)
    return notes + peft.save(ready, folder)


def limits(weights: AdapterWeights) -> tuple[str, ...]:
    """What the portable form cannot say."""
    ready, _ = portable(weights)
    reasons = list(peft_limits.limits(ready))
    ranks = {layer.rank for layer in weights.layers}
    for layer in weights.layers:
        if layer.magnitude is not None:
            reasons.append(f"{layer.name}: vLLM and llama.cpp have no DoRA; merge it instead")
        if is_expert(layer):
            reasons.append(
                f"{layer.name}: not every reader has PEFT's target_parameters, in which experts "
                "are; write peft, or a merged checkpoint"
            )
        if layer.groups > 1 and len(ranks) > 1:
            reasons.append(
                f"{layer.name}: a convolution in groups cannot be padded to another rank"
            )
    if weights.whole:
        reasons.append(
            f"{weights.whole[0].name}: it is fully trained, and vLLM refuses modules_to_save; "
            "merge the adapter instead"
        )
    return tuple(reasons)


def portable(weights: AdapterWeights) -> tuple[AdapterWeights, tuple[str, ...]]:
    """The same ΔW with s in B, α = r and one rank, and what was done for it."""
    rank = max((layer.rank for layer in weights.layers), default=0)
    layers, notes = [], []
    folded = [layer for layer in weights.layers if layer.scaling != 1]
    if folded:
        s = sorted({float(f"{layer.scaling:.4g}") for layer in folded})
        scalings = f"{s[0]:g}" if len(s) == 1 else f"{s[0]:g} to {s[-1]:g}"
        notes.append(f"the scaling s = {scalings} is folded into lora_B, and α = r")
    if short := [layer for layer in weights.layers if layer.rank < rank]:
        notes.append(f"{counted(len(short), 'layer')} padded with zeros to rank {rank}")
    for layer in weights.layers:
        layers.append(padded(fold(layer), rank))
    return replace(weights, variant=PLAIN, layers=tuple(layers), dropout=0.0), tuple(notes)


def fold(layer: LayerWeights) -> LayerWeights:
    """s in B: exactly in the factors' own type where s is a power of two, else in float32."""
    if layer.scaling == 1:
        return replace(layer, alpha=float(layer.rank))
    B = layer.scaling * layer.lora_B
    if torch.equal(B.double(), layer.scaling * layer.lora_B.double()):
        return replace(layer, lora_B=B, alpha=float(layer.rank), scaling=1.0)
    wide = torch.float64 if layer.lora_B.dtype == torch.float64 else torch.float32
    B = (layer.scaling * layer.lora_B.double()).to(wide)
    return replace(
        layer, lora_A=layer.lora_A.to(wide), lora_B=B, alpha=float(layer.rank), scaling=1.0
    )


def padded(layer: LayerWeights, rank: int) -> LayerWeights:
    """The same ΔW at a higher rank: rows and columns of zeros are added."""
    if (missing := rank - layer.rank) <= 0:
        return layer
    A = torch.cat([layer.lora_A, layer.lora_A.new_zeros(missing, layer.lora_A.shape[1])])
    B = torch.cat([layer.lora_B, layer.lora_B.new_zeros(layer.lora_B.shape[0], missing)], 1)
    return replace(layer, lora_A=A, lora_B=B, alpha=float(rank))
