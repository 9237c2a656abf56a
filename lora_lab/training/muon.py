"""Muon: matrices move by an orthogonal matrix near their momentum, all else by AdamW."""

from __future__ import annotations

import math

import torch

from lora_lab.training.adam import FusedAdamW

# Jordan 2024, https://kellerjordan.github.io/posts/muon/: p(x) = a·x + b·x³ + c·x⁵, steep at 0.
QUINTIC = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5
MOMENTUM = 0.95
LEAST = 1e-7  # what a norm is not divided below
AS_ADAM = 0.2  # root mean square of a step over the rate, near AdamW's: Liu et al. 2025


def orthogonalized(M: torch.Tensor) -> torch.Tensor:
    """U·S'·Vᵀ for M = U·S·Vᵀ (rows × columns): its directions, each of a σ between 0.68 and 1.14.

    Five Newton-Schulz steps of the quintic, on the smaller side; a σ below about 1/1000 of ‖M‖_F
    does not get there. They are made in M's own dtype: bfloat16, as in the post, is for speed.
    0 stays 0.
    """
    a, b, c = QUINTIC
    X = M.mT if M.shape[0] > M.shape[1] else M  # wide
    X = X / X.norm().clamp_min(LEAST)
    for _ in range(ITERATIONS):
        gram = X @ X.mT
        X = a * X + (b * gram + c * gram @ gram) @ X
    return X.mT if M.shape[0] > M.shape[1] else X


class Muon(FusedAdamW):
    """m ← μ·m + (1−μ)·g, p ← p − η·λ·p − 0.2·η·√max(rows, columns)·orthogonal((1−μ)·g + μ·m).

    That is torch.optim.Muon with adjust_lr_fn="match_rms_adamw" (Liu et al. 2025, arXiv
    2502.16982), by which one learning rate does for both, for the groups with `orthogonal`. A
    tensor of more dimensions, as of a convolution, is a matrix of its outputs by all else.
    """

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        for group in self.param_groups:
            if group["orthogonal"]:
                self._move_matrices(group)
            else:
                self.move(group)

    step.hooked = True  # without torch's profiler mark and hooks around each step

    def _move_matrices(self, group: dict) -> None:
        rate = group["lr"]
        for p in group["params"]:
            if p.grad is None:
                continue
            state = self.state[p]
            if not state:
                state["momentum_buffer"] = torch.zeros_like(p)
            m = state["momentum_buffer"].lerp_(p.grad, 1 - MOMENTUM)
            step = orthogonalized(p.grad.lerp(m, MOMENTUM).flatten(1))  # Nesterov's
            size = AS_ADAM * math.sqrt(max(step.shape))
            p.mul_(1 - rate * group["weight_decay"]).add_(step.view_as(p), alpha=-rate * size)
