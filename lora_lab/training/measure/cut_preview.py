"""The validation loss of a finished adapter, cut to given ranks, in the model that is open."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from lora_lab.adapters.weights import LayerWeights
from lora_lab.errors import AdapterError
from lora_lab.measured import CutRecord
from lora_lab.training.experiment import Experiment
from lora_lab.workshop.files import opened
from lora_lab.workshop.requests import Source
from lora_lab.workshop.resize import resized


def cut_preview(
    experiment: Experiment, path: str, alpha: float | None, ranks: tuple[int, ...]
) -> CutRecord:
    """Evaluate with the adapter at `path`, cut to `ranks`, in place of the one in training.

    What is in training stands untouched afterwards. Raises AdapterError where the adapter has
    layers that are not adapted here, or other shapes.
    """
    weights, _ = resized(opened(Source(path, alpha)), ranks)
    if weights.whole or any(layer.magnitude is not None for layer in weights.layers):
        raise AdapterError("The loss at the cut is measured for adapters of plain factors only.")
    with standing_in(experiment, weights.layers):
        evaluation = experiment.held_out(enabled=True)
    assert evaluation is not None
    return CutRecord(experiment.step, path, ranks, evaluation.loss, evaluation.accuracy)


@contextmanager
def standing_in(experiment: Experiment, layers: tuple[LayerWeights, ...]) -> Iterator[None]:
    """Within, the live layers multiply by these factors; layers without any by zero."""
    given = {layer.name: layer for layer in layers}
    live = {layer.name: layer for layer in experiment.lora_layers}
    for name, layer in given.items():
        if name not in live or layer.shape != live[name].shape or layer.groups > 1:
            raise AdapterError(
                f"{name} is not adapted in the run that is open, or has another shape there. Open "
                "the same base with these targets to measure the loss."
            )
        if live[name].starts_in_W or hasattr(live[name], "magnitude"):
            raise AdapterError(
                "The run that is open starts in W or is DoRA; open one of plain LoRA to measure."
            )
    kept = [(layer, layer.lora_A, layer.lora_B, layer.scaling) for layer in live.values()]
    try:
        for layer, A, B, _ in kept:
            row = given.get(layer.name)
            if row is None:
                layer.lora_B = nn.Parameter(torch.zeros_like(B), requires_grad=False)
                continue
            layer.lora_A = nn.Parameter(row.lora_A.to(A.device, A.dtype, copy=True), False)
            layer.lora_B = nn.Parameter(row.lora_B.to(B.device, B.dtype, copy=True), False)
            layer.scaling = row.scaling
        yield
    finally:
        for layer, A, B, scaling in kept:
            layer.lora_A, layer.lora_B, layer.scaling = A, B, scaling
