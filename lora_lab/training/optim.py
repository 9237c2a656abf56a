"""The optimizer, the course of its learning rate, and the slow start of fresh directions."""

from __future__ import annotations

import math

import torch
from torch import nn

from lora_lab.adapters.lora import LoRALayer
from lora_lab.config import Hyperparameters, RunConfig

RAMP_STEPS = 50


def build_optimizer(
    parameters: list[nn.Parameter], config: RunConfig, hyper: Hyperparameters
) -> torch.optim.Optimizer:
    """AdamW (Loshchilov & Hutter 2019), fused where the device has it; no decay means Adam."""
    fused = parameters[0].device.type in ("cpu", "cuda", "mps")
    return torch.optim.AdamW(
        parameters,
        lr=hyper.learning_rate,
        betas=config.betas,
        eps=config.eps,
        weight_decay=hyper.weight_decay,
        fused=fused,
    )


def schedule_factor(config: RunConfig, step: int, length: int) -> float:
    """What multiplies the learning rate at `step` (0-based) of a course of `length` steps."""
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    done = (step - config.warmup_steps) / max(1, length - config.warmup_steps)
    if config.schedule == "linear":
        return 1 - done
    if config.schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * done))
    return 1.0


class Ramp:
    """Lets the fresh directions of a grown layer move at a share of the rate that rises to 1.

    Adam's first steps have full size whatever the gradient's, which would kick a converged model;
    scaling the gradient would not help, so the update itself is scaled.
    """

    def __init__(self, layer: LoRALayer, start: int, stop: int, steps: int = RAMP_STEPS) -> None:
        """Directions `start` … `stop`−1 of `layer`; growing further leaves them where they are."""
        self.layer, self.steps = layer, steps
        self.fresh = slice(start, stop)
        self.taken = 0

    def before_step(self) -> None:
        self._A = self.layer.lora_A.detach()[self.fresh].clone()
        self._B = self.layer.lora_B.detach()[:, self.fresh].clone()

    def after_step(self) -> bool:
        """Scale the step just made; False once the ramp is at its end."""
        self.taken += 1
        share = self.taken / self.steps
        with torch.no_grad():
            self.layer.lora_A[self.fresh].lerp_(self._A, 1 - share)
            self.layer.lora_B[:, self.fresh].lerp_(self._B, 1 - share)
        return self.taken < self.steps
