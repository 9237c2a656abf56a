"""The gradients of one step, in parts where memory is short: the same mathematics either way.

A device that runs out of memory in mid-step is recovered from outside the handler, since the
traceback holds the very tensors that are in the way (pytorch#18853): everything is let go of, the
batch is cut into twice as many parts, and the step is made anew.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch

from lora_lab import garbage
from lora_lab.door import is_out_of_memory
from lora_lab.errors import LabError
from lora_lab.records import NewsRecord
from lora_lab.tasks.draws import random_states, set_random_states
from lora_lab.training.descent import gradients_of
from lora_lab.training.experiment import Experiment
from lora_lab.training.parallel.group import Group, NoTargets, Share

MOST_HALVINGS = 3


class Gradients(NamedTuple):
    """What one step's forward and backward passes gave."""

    loss: float  # not finite where a part's was not; the gradients are not whole then
    part: Any  # the last part that was looked at
    halvings: int  # times that memory was short in this step
    failed: str = ""  # why there are none: memory is short even in the smallest parts


def gradients(experiment: Experiment, batch: Any, group: Group | None = None) -> Gradients:
    """Fill every trained tensor's .grad with that of the mean loss over `batch`.

    The processes of a `group` compute a share of it each; memory that is short in one of them is
    so in all. In float16 the loss is scaled by what the experiment has found to fit; where a
    gradient overflows, the step is made again at half of that, with the same random draws.
    """
    scale, device = experiment.loss_scale, experiment.device
    scale.begin_step()
    rows, halvings, sharded, passes = batch, 0, experiment.config.shard_base, 0
    if group is not None:
        processes = group.place.processes
        rows = experiment.task.dealt(batch, group.place.number, processes)
        if sharded:  # whoever has fewer parts than another passes on without them
            dealt = (experiment.task.dealt(batch, number, processes) for number in range(processes))
            passes = max(len(experiment.task.parts(each, experiment.accumulation))
                         for each in dealt if each is not None)  # fmt: skip
    while True:
        experiment.optimizer.zero_grad(set_to_none=True)
        share, part, reason = None, None, ""
        drawn = random_states(device) if scale.active else None
        try:
            share, part = _accumulate(experiment, rows, group is None, passes, batch)
        except LabError:
            raise
        except Exception as error:
            if not is_out_of_memory(error):
                raise LabError(
                    "The model's own code fails in a step of training: "
                    f"{str(error).splitlines()[0][:300] if str(error) else type(error).__name__}. "
                    "Often an activation or dropout with inplace=True overwrites what another "
                    "needs. Change that in its code."
                ) from error
            reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            if sharded:  # the others are in the middle of theirs
                raise LabError(
                    f"A process ran out of memory in a step ({reason}). Over a sharded base it "
                    "is not made again in smaller parts: begin with more of them (--accumulation)."
                ) from error
        if share is None:  # the exception and what its traceback held are gone
            free(experiment)
        loss = share.loss if share else None
        if group is not None:
            loss = group.summed(experiment, share)
            if share and loss is not None and math.isfinite(share.loss) > math.isfinite(loss):
                part = _not_finite(experiment, batch)  # it is in rows of another process
        if loss is not None:
            if drawn is None or scale.fits(loss, gradients_of(experiment.optimizer)):
                return Gradients(loss, part, halvings)
            set_random_states(device, drawn)
            continue
        if experiment.halvings >= MOST_HALVINGS:
            return Gradients(math.nan, None, halvings, reason or "another process ran out of it")
        experiment.halvings += 1
        halvings += 1
        experiment.accumulation *= 2


def unread_gradients(experiment: Experiment, batch: Any) -> torch.Tensor:
    """`gradients` in one process, without waiting for the device: the loss stays there, of float64.

    It may be not finite, and the gradients are still multiplied by the loss scale. What goes wrong
    is raised as it comes.
    """
    experiment.optimizer.zero_grad(set_to_none=True)
    return _accumulate(experiment, batch, True, 0, None, read=False)[0].loss


def more_parts(experiment: Experiment) -> NewsRecord:
    return NewsRecord(
        experiment.step,
        f"Step {experiment.step + 1} ran out of memory. From now on each step is computed in "
        f"{experiment.accumulation} parts, with the same result.",
    )


def free(experiment: Experiment) -> None:
    """Let go of gradients and of what the device keeps for later."""
    experiment.optimizer.zero_grad(set_to_none=True)
    garbage.collect()
    if experiment.device.type == "cuda":
        torch.cuda.empty_cache()
    elif experiment.device.type == "mps":
        torch.mps.empty_cache()


@torch.no_grad()
def _not_finite(experiment: Experiment, batch: Any) -> Any:
    """The first part of a batch whose loss is not finite; None where none is, here and now."""
    for part, _ in experiment.task.parts(batch, experiment.accumulation):
        if not math.isfinite(experiment.task.loss(experiment.model, part).item()):
            return part
    return None


def _accumulate(
    experiment: Experiment,
    batch: Any,
    alone: bool,
    passes: int,
    spare: Any,
    read: bool = True,
) -> tuple[Share, Any]:
    """Add up the gradients of the parts of `batch`; None is one without a row.

    At least as many `passes` as are asked for are made: those beyond the parts count nothing, and
    where there is no row they look at some of `spare`.
    """
    task, model = experiment.task, experiment.model
    part: Any = None
    value: Any = 0.0
    parts = () if batch is None else task.parts(batch, experiment.accumulation)
    if alone and not parts:
        raise NoTargets
    for part, share in parts:
        slope = share * experiment.loss_scale.scale
        with experiment.loss_scale.ahead(slope):
            loss = task.loss(model, part)
        if not loss.requires_grad:
            raise LabError(
                "The loss depends on nothing that is trained, so there is nothing to learn: the "
                "forward pass is detached, or none of the targets requires a gradient. Change the "
                "model's code, or take other targets."
            )
        value += share * (loss.item() if read else loss.detach().double())  # item() waits for it
        if read and not math.isfinite(value) and not passes:
            break
        (loss if slope == 1 else slope * loss).backward()
    for _ in range(passes - len(parts)):
        more = task.parts(spare, experiment.accumulation)[0][0] if part is None else part
        (0 * task.loss(model, more)).backward()
    return Share(value, 1.0 if alone else sum(task.weight(part) for part, _ in parts)), part
