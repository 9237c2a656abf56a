"""The gradients of one step, in parts where memory is short: the same mathematics either way.

A device that runs out of memory in mid-step is recovered from outside the handler, since the
traceback holds the very tensors that are in the way (pytorch#18853): everything is let go of, the
batch is cut into twice as many parts, and the step is made anew.
"""

from __future__ import annotations

import gc
import math
from typing import Any, NamedTuple

import torch

from lora_lab.errors import LabError
from lora_lab.training.devices import is_out_of_memory
from lora_lab.training.experiment import Experiment

MOST_HALVINGS = 3


class Gradients(NamedTuple):
    """What one step's forward and backward passes gave."""

    loss: float  # not finite where a part's was not; the gradients are not whole then
    part: Any  # the last part that was looked at
    halvings: int  # times that memory was short in this step
    failed: str = ""  # why there are none: memory is short even in the smallest parts


def gradients(experiment: Experiment, batch: Any) -> Gradients:
    """Fill every trained tensor's .grad with that of the mean loss over `batch`."""
    halvings = 0
    while True:
        experiment.optimizer.zero_grad(set_to_none=True)
        try:
            loss, part = _accumulate(experiment, batch)
            return Gradients(loss, part, halvings)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise LabError(
                    "The model's own code fails in a step of training: "
                    f"{str(error).splitlines()[0][:300] if str(error) else type(error).__name__}. "
                    "Often an activation or dropout with inplace=True overwrites what another "
                    "needs. Change that in its code."
                ) from error
            reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        # Here the exception and what its traceback held are gone.
        free(experiment)
        if experiment.halvings >= MOST_HALVINGS:
            return Gradients(math.nan, None, halvings, reason)
        experiment.halvings += 1
        halvings += 1
        experiment.accumulation *= 2


def free(experiment: Experiment) -> None:
    """Let go of gradients and of what the device keeps for later."""
    experiment.optimizer.zero_grad(set_to_none=True)
    gc.collect()
    if experiment.device.type == "cuda":
        torch.cuda.empty_cache()
    elif experiment.device.type == "mps":
        torch.mps.empty_cache()


def _accumulate(experiment: Experiment, batch: Any) -> tuple[float, Any]:
    task, model, value = experiment.task, experiment.model, 0.0
    part: Any = None
    for part, share in task.parts(batch, experiment.accumulation):
        loss = task.loss(model, part)
        if not loss.requires_grad:
            raise LabError(
                "The loss depends on nothing that is trained, so there is nothing to learn: the "
                "forward pass is detached, or none of the targets requires a gradient. Change the "
                "model's code, or take other targets."
            )
        value += share * loss.item()  # on an accelerator this waits for the device
        if not math.isfinite(value):
            break
        (loss if share == 1 else share * loss).backward()
    return value, part
