"""Other factors in the place of those in training, for as long as something is measured."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from lora_lab import inits
from lora_lab.adapters import LoRALayer
from lora_lab.adapters.inject import replace_layers
from lora_lab.adapters.kinds import kind_or_none
from lora_lab.adapters.weights import LayerWeights
from lora_lab.errors import AdapterError
from lora_lab.training.experiment import Experiment


@contextmanager
def standing_in(experiment: Experiment, layers: tuple[LayerWeights, ...]) -> Iterator[None]:
    """Within, the model answers with these factors alone, whatever the run adapts and how.

    Layers of the run that get none are the base's; a head that is fully trained beside the adapter
    stays as it is. Raises AdapterError for a layer that is not in the model, has another shape, or
    is fully trained in this run.
    """
    model, live = experiment.model, experiment.layers
    beside = {*experiment.task.new_layers, *experiment.config.whole}
    modules = dict(model.named_modules())
    new: dict[nn.Module, nn.Module] = {
        layer: layer.base_layer for name, layer in live.items() if name not in beside
    }
    for row in layers:
        module = modules.get(row.name)
        if row.name in beside:
            raise AdapterError(f"{row.name} is fully trained in the run that is open.")
        base = live[row.name].base_layer if row.name in live else module
        if base is None or kind_or_none(base) is None:
            raise AdapterError(
                f"{row.name} is not in the model that is open. Open the base of this adapter."
            )
        new[module] = _plain(base, row)
    replace_layers(model, new)
    try:
        yield
    finally:
        replace_layers(model, {other: own for own, other in new.items()})


@torch.no_grad()
def _plain(base: nn.Module, row: LayerWeights) -> LoRALayer:
    """A layer of plain LoRA around the base's, with these factors."""
    layer = LoRALayer(base, row.name, 1, 1.0, inits.PLAIN, torch.Generator())
    if row.shape != layer.shape or row.groups > 1:
        raise AdapterError(
            f"{row.name} is {row.shape[0]} × {row.shape[1]} in the adapter, and "
            f"{layer.shape[0]} × {layer.shape[1]} in the model that is open. Open its base."
        )
    place = {"device": layer.device, "dtype": layer.factor_dtype}
    layer.lora_A = nn.Parameter(row.lora_A.to(**place, copy=True), False)
    layer.lora_B = nn.Parameter(row.lora_B.to(**place, copy=True), False)
    layer.scaling = row.scaling
    return layer.eval()
