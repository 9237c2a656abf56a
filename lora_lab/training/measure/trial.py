"""A trial: real steps of a run that are put back to the bit, as if they had not been made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from lora_lab.tasks.draws import random_states, set_random_states
from lora_lab.training.experiment import Experiment
from lora_lab.training.snapshot import Snapshot


@contextmanager
def trial(experiment: Experiment) -> Iterator[Iterator[Any]]:
    """Within, steps may be made on the batches that this gives; afterwards nothing has moved.

    They are the run's own rows in another order, read apart: the place in the course of batches
    stays. What is put back: factors, optimizer, ramps, the model's buffers (running means of a
    normalisation), random states, the parts that a step is worked off in and its loss scale.
    """
    config = experiment.config
    kept, random = Snapshot(experiment), random_states(experiment.device)
    own = experiment.generator.get_state()
    buffers = [(buffer, buffer.clone()) for buffer in experiment.model.buffers()]
    parts = experiment.accumulation, experiment.halvings
    scale = experiment.loss_scale.standing
    batches = experiment.task.batches(config.batch_size, (config.seed + 1) % 2**63)
    try:
        yield batches
    finally:
        experiment.optimizer.zero_grad(set_to_none=True)
        kept.restore()
        with torch.no_grad():
            for buffer, values in buffers:
                buffer.copy_(values)
        experiment.accumulation, experiment.halvings = parts
        experiment.loss_scale.restore(scale)
        experiment.generator.set_state(own)
        set_random_states(experiment.device, random)  # last: what came before may have drawn
