"""Snapshot: what is learned at one step, kept aside so that a failure can be undone."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import torch
from torch import nn

from lora_lab.adapters import AdapterLayer
from lora_lab.training.experiment import Experiment
from lora_lab.training.optim import regroup


class Kept(NamedTuple):
    """One trained tensor as it was."""

    layer: AdapterLayer
    label: str
    values: torch.Tensor
    requires_grad: bool
    state: dict[str, Any]  # of the optimizer


class Snapshot:
    """Copies of every trained tensor, of its optimizer state, and of the settings they live by."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        self.step = experiment.step
        self.hyper = experiment.hyper
        self._ramps = [copy.copy(ramp) for ramp in experiment.ramps]
        self._settings = [
            (layer, layer.scaling, layer.dropout, _copies(layer.beside()))
            for layer in experiment.lora_layers
        ]
        states = experiment.optimizer.state
        self.kept = tuple(
            Kept(layer, label, p.detach().clone(), p.requires_grad, _copies(states.get(p)))
            for layer in experiment.layers.values()
            for label, p in layer.named_parameters(recurse=False)
        )

    def restore(self) -> int:
        """Put everything back, ranks included; returns the step that it is from.

        The applied settings are those of the snapshot then, so that newer ones are applied anew.
        """
        experiment = self.experiment
        optimizer = experiment.optimizer
        optimizer.state.clear()
        for layer, label, values, requires_grad, state in self.kept:
            p = nn.Parameter(values.clone(), requires_grad)
            setattr(layer, label, p)
            if state:
                optimizer.state[p] = _copies(state)
        if experiment.space is not None:
            experiment.space.project(self.hyper.dimension)
        decay = self.hyper.weight_decay
        regroup(optimizer, experiment.layers.values(), experiment.config, decay)
        for layer, scaling, dropout, beside in self._settings:
            layer.scaling, layer.dropout = scaling, dropout
            for label, tensor in _copies(beside).items():
                setattr(layer, label, tensor)
        experiment.ramps = [copy.copy(ramp) for ramp in self._ramps]
        experiment.hyper, experiment.moving = self.hyper, False
        return self.step


def _copies(state: dict[str, Any] | None) -> dict[str, Any]:
    return {key: _copied(value) for key, value in (state or {}).items()}


def _copied(value: Any) -> Any:
    return value.detach().clone() if isinstance(value, torch.Tensor) else value
