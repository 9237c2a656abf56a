"""AdamW as torch has it, with less around it."""

from __future__ import annotations

from typing import Any

import torch


class FusedAdamW(torch.optim.AdamW):
    """torch.optim.AdamW(fused=True), its state and results to the bit, with less around them.

    Beside the adapters of a small net torch's own bookkeeping takes longer than the kernels.
    """

    found_inf: torch.Tensor | None = None  # of float32; where it is 1 a step changes nothing

    def __init__(self, params: Any, **settings: Any) -> None:
        super().__init__(params, fused=True, **settings)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        for group in self.param_groups:
            self.move(group)

    step.hooked = True  # without torch's profiler mark and hooks around each step

    def move(self, group: dict[str, Any]) -> None:
        """One step of the tensors of a group that have a gradient."""
        moving = [p for p in group["params"] if p.grad is not None]
        if not moving:
            return
        if any(p not in self.state for p in moving):
            self._init_group(group, [], [], [], [], [], [])
        states = [self.state[p] for p in moving]
        steps = [state["step"] for state in states]
        found = self.found_inf
        if found is None:
            torch._foreach_add_(steps, 1)
        else:  # a list, since a tensor alone is asked for its number
            torch._foreach_add_(steps, [1 - found] * len(steps))
        beta1, beta2 = group["betas"]
        torch._fused_adamw_(
            moving,
            [p.grad for p in moving],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            steps,
            lr=group["lr"],
            beta1=beta1,
            beta2=beta2,
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            amsgrad=False,
            maximize=False,
            found_inf=found,
        )
