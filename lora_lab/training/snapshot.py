"""Snapshot: what is learned at one step, kept aside so that a failure can be undone."""

from __future__ import annotations

import torch
from torch import nn

from lora_lab.adapters import LoRALayer
from lora_lab.training.experiment import Experiment


class Snapshot:
    """Copies of every trained tensor, of its optimizer state, and of the settings they live by."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        self.step = experiment.step
        self.hyper = experiment.hyper
        self._ramps = list(experiment.ramps)
        self._scaling = {layer: layer.scaling for layer in experiment.lora_layers}
        self._dropout = {layer: layer.dropout for layer in experiment.lora_layers}
        self._tensors = [
            (layer, label, p.detach().clone(), _copy(experiment.optimizer.state.get(p)))
            for layer in experiment.layers.values()
            for label, p in layer.named_parameters(recurse=False)
        ]

    def restore(self) -> int:
        """Put everything back, ranks included; returns the step that it is from.

        The applied settings are those of the snapshot then, so that a newer wish is applied anew.
        """
        experiment = self.experiment
        optimizer = experiment.optimizer
        optimizer.state.clear()
        for layer, label, values, state in self._tensors:
            p = nn.Parameter(values.clone())
            setattr(layer, label, p)
            if state is not None:
                optimizer.state[p] = {key: value.clone() for key, value in state.items()}
        (group,) = optimizer.param_groups
        group["params"] = experiment.parameters()
        group["weight_decay"] = self.hyper.weight_decay
        for layer in experiment.layers.values():
            if isinstance(layer, LoRALayer):
                layer.scaling, layer.dropout = self._scaling[layer], self._dropout[layer]
        experiment.ramps = list(self._ramps)
        experiment.hyper = self.hyper
        return self.step


def _copy(state: dict[str, torch.Tensor] | None) -> dict[str, torch.Tensor] | None:
    return {key: value.clone() for key, value in state.items()} if state else None
