"""Counting intruder dimensions in one layer at a time, so that training is never held up for long.

A whole model may take minutes. Whoever asks continues with the next layer or leaves it.
"""

from __future__ import annotations

import torch

from lora_lab.analysis.intruders import intruder_dimensions
from lora_lab.errors import LabError
from lora_lab.measured import IntruderRecord
from lora_lab.training.experiment import Experiment

LARGEST = 6e9  # out · in · min(out, in): two SVDs of 1,800 × 1,800, some 6 s on one core


@torch.no_grad()
def count_intruders(
    experiment: Experiment, name: str, strongest: int, threshold: float
) -> IntruderRecord:
    """The intruders among the `strongest` directions of W + ΔW of layer `name`.

    A layer that is too large for a click is not looked at, and the record says so. Raises LabError
    for a layer that is not adapted, and where W or ΔW is not finite.
    """
    layer = experiment.layers.get(name)
    if layer is None:
        raise LabError(f"{name} is not adapted in this run.")
    out_features, in_features = layer.shape
    if out_features * in_features * min(layer.shape) > LARGEST:
        reason = f"{out_features:,} × {in_features:,} would hold the training up for too long"
        return IntruderRecord(experiment.step, name, strongest, threshold, reason=reason)
    result = intruder_dimensions(layer.matrix, layer, strongest, threshold)
    return IntruderRecord(
        experiment.step, name, strongest, threshold, result.checked,
        tuple(place + 1 for place in result.indices), result.similarity,
    )  # fmt: skip
