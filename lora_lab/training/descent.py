"""From gradients to a step: their norm, its limit, the rates of the groups, and the ramps."""

from __future__ import annotations

import torch

from lora_lab.training.experiment import Experiment
from lora_lab.training.optim import set_rates


def gradient_norm(optimizer: torch.optim.Optimizer) -> float:
    """Of all gradients together; not finite if one of them is not."""
    if not (held := gradients_of(optimizer)):
        return 0.0
    # One kernel for all norms; torch.nn.utils.get_total_norm takes three times as long here.
    norms = torch.stack(torch._foreach_norm(held))
    return norms.double().norm().item()


def descend(experiment: Experiment, learning_rate: float, norm: float) -> None:
    """Move every trained tensor once, by gradients whose norm is `norm`."""
    optimizer = experiment.optimizer
    if (limit := experiment.max_grad_norm) and norm > limit:
        torch._foreach_mul_(gradients_of(optimizer), limit / norm)
    set_rates(optimizer, learning_rate)
    for ramp in experiment.ramps:
        ramp.before_step()
    optimizer.step()
    experiment.ramps = [ramp for ramp in experiment.ramps if ramp.after_step()]


def gradients_of(optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    """Those that a step is made by."""
    held = (p for group in optimizer.param_groups for p in group["params"])
    return [p.grad for p in held if p.grad is not None]  # frozen layers have none
