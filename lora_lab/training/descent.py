"""From gradients to a step: their norm, its limit, the rates of the groups, and the ramps."""

from __future__ import annotations

import torch

from lora_lab.adapters.widened import widened
from lora_lab.rules import schedule_factor
from lora_lab.training.experiment import Experiment
from lora_lab.training.optim import set_rates


def rate_of(experiment: Experiment, step: int) -> float:
    """The learning rate of the step that follows `step`, by the schedule of its stage."""
    begin, end = experiment.stage
    factor = schedule_factor(experiment.config, step - begin, end - begin)
    return experiment.hyper.learning_rate * factor


def gradient_norm(optimizer: torch.optim.Optimizer) -> float:
    """Of all gradients together; not finite if one of them is not."""
    return norm_of(held).item() if (held := gradients_of(optimizer)) else 0.0


def norm_of(gradients: list[torch.Tensor]) -> torch.Tensor:
    """The same on their device, of float64; on the CPU for a device that has none."""
    # One kernel for all norms; torch.nn.utils.get_total_norm takes three times as long here.
    return widened(torch.stack(torch._foreach_norm(gradients))).norm()


def descend(experiment: Experiment, learning_rate: float, norm: float) -> None:
    """Move every trained tensor once, by gradients whose norm is `norm`."""
    optimizer = experiment.optimizer
    if (limit := experiment.max_grad_norm) and norm > limit:
        torch._foreach_mul_(gradients_of(optimizer), limit / norm)
    set_rates(optimizer, learning_rate)
    experiment.moving = True
    for ramp in experiment.ramps:
        ramp.before_step()
    optimizer.step()
    experiment.ramps = [ramp for ramp in experiment.ramps if ramp.after_step()]
    experiment.moving = False


def descend_unread(experiment: Experiment, learning_rate: float, norm: torch.Tensor) -> None:
    """`descend` by a `norm` that stays on the device, to the bit; without ramps.

    The gradients of a step that is not applied may be anything.
    """
    optimizer = experiment.optimizer
    if limit := experiment.max_grad_norm:
        held = gradients_of(optimizer)
        cut = torch.full_like(norm, limit) / norm  # limit / norm is 1 / norm times it
        cut = torch.where(norm > limit, cut, 1.0)
        torch._foreach_mul_(held, cut.to(held[0].dtype))
    set_rates(optimizer, learning_rate)
    experiment.moving = True
    optimizer.step()
    experiment.moving = False


def gradients_of(optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    """Those that a step is made by."""
    held = (p for group in optimizer.param_groups for p in group["params"])
    return [p.grad for p in held if p.grad is not None]  # frozen layers have none
