"""Memory preview: the peak of a training step of an experiment, as it is configured and adapted."""

from __future__ import annotations

import time

from lora_lab.analysis.memory import estimate_memory
from lora_lab.errors import LabError
from lora_lab.measured import MemoryRecord
from lora_lab.training.devices import device_bytes
from lora_lab.training.experiment import Experiment
from lora_lab.training.optim import states_kept


def memory_preview(experiment: Experiment) -> MemoryRecord:
    """The peak of a step on a batch of the run's size; where it cannot be known, the reason.

    The batch is none of the run's, which stay as they were, and one of the largest. The model has
    its adapters already: they count among the weights.
    """
    began = time.perf_counter()
    config, task = experiment.config, experiment.task
    device = device_bytes(experiment.device)
    rows = config.batch_tokens if task.epoch_steps else config.batch_size  # at most
    try:
        estimate = estimate_memory(
            experiment.model,
            task.heaviest(rows, config.accumulation),
            task.loss,
            prepare=lambda twin: [p for p in twin.parameters() if p.requires_grad],
            states_per_parameter=states_kept(experiment.optimizer),
        )
    except LabError as error:
        seconds = time.perf_counter() - began
        return MemoryRecord(experiment.step, 0, 0, 0, 0, seconds, str(error), device)
    return MemoryRecord(
        step=experiment.step,
        weights=estimate.weights + estimate.adapter,
        gradients=estimate.gradients,
        optimizer=estimate.optimizer,
        activations=estimate.activations + estimate.holes,
        seconds=time.perf_counter() - began,
        device=device,
    )
