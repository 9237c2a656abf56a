"""Memory preview: the peak of a training step of an experiment, as it is configured and adapted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from torch import nn

from lora_lab.adapters import AdapterLayer
from lora_lab.analysis.memory import MemoryEstimate, estimate_memory
from lora_lab.errors import LabError
from lora_lab.records import MemoryRecord
from lora_lab.training.devices import device_bytes
from lora_lab.training.experiment import Experiment


def memory_preview(experiment: Experiment, full: bool = False) -> MemoryRecord:
    """The peak of a step on a batch of the run's size; where it cannot be told, the reason.

    The batch is none of the run's, which stay as they were, and one of the largest. The model has
    its adapters already: they count among the weights. `full` asks for that of full fine-tuning as
    well, which trains the base and has no adapter in its optimizer.
    """
    began = time.perf_counter()
    device = device_bytes(experiment.device)
    try:
        found = _estimate(experiment, _trained)
        whole = _estimate(experiment, _base) if full and experiment.has_factors else None
    except LabError as error:
        seconds = time.perf_counter() - began
        return MemoryRecord(experiment.step, 0, 0, 0, 0, seconds, str(error), device)
    return MemoryRecord(
        step=experiment.step,
        weights=found.weights + found.adapter,
        gradients=found.gradients,
        optimizer=found.optimizer,
        activations=found.activations + found.holes,
        seconds=time.perf_counter() - began,
        device=device,
        full=whole.resident if whole is not None else 0,
    )


def _estimate(
    experiment: Experiment, prepare: Callable[[nn.Module], Iterable[nn.Parameter]]
) -> MemoryEstimate:
    config, task = experiment.config, experiment.task
    return estimate_memory(
        experiment.model,
        task.heaviest(config.batch_size, config.accumulation),
        task.loss,
        prepare=prepare,
        states_per_parameter=2 if config.optimizer == "adamw" else int(config.momentum > 0),
    )


def _trained(twin: nn.Module) -> Iterable[nn.Parameter]:
    return [p for p in twin.parameters() if p.requires_grad]


def _base(twin: nn.Module) -> Iterable[nn.Parameter]:
    """Everything but the adapters trains."""
    layers = [module for module in twin.modules() if isinstance(module, AdapterLayer)]
    beside = {id(p) for layer in layers for p in layer.adapter_parameters()}
    trained = []
    for p in twin.parameters():
        if p.is_floating_point():
            p.requires_grad_(id(p) not in beside)
            if p.requires_grad:
                trained.append(p)
    return trained
