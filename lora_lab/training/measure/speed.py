"""How many steps of a run this machine makes per second, measured on a few that are put back."""

from __future__ import annotations

import math
import time

import torch

from lora_lab.measured import SpeedRecord
from lora_lab.training.descent import descend, gradient_norm
from lora_lab.training.experiment import Experiment
from lora_lab.training.gradients import gradients
from lora_lab.training.measure.trial import trial

MOST = 20  # steps
ENOUGH = 0.25  # seconds


def measure_speed(experiment: Experiment) -> SpeedRecord:
    """Make steps for ENOUGH seconds, at the present rate; the first one only warms up.

    Where one step takes as long as that, it is the measure. 0 where it does not fit into memory:
    nobody has asked for it yet, so it is no failure.
    """
    began = time.perf_counter()
    times: list[float] = []
    with trial(experiment) as batches:
        while len(times) < MOST and sum(times) < ENOUGH:
            batch = next(batches)
            start = time.perf_counter()
            result = gradients(experiment, batch)
            if result.failed:
                times.clear()
                break
            if math.isfinite(result.loss):
                norm = gradient_norm(experiment.optimizer)
                descend(experiment, experiment.hyper.learning_rate, norm)
            if experiment.device.type == "cuda":
                torch.cuda.synchronize(experiment.device)
            times.append(time.perf_counter() - start)
    counted = times[1:] or times
    trained = sum(p.numel() for p in experiment.parameters() if p.requires_grad)
    per_second = len(counted) / sum(counted) if counted else 0.0
    return SpeedRecord(experiment.step, per_second, trained, time.perf_counter() - began)
