"""AdamW whose averages are kept in 8 bits: a code for each number, a scale for each block of them.

The code is bitsandbytes' dynamic one (Dettmers et al. 2022, arXiv 2110.02861): few bits of fraction
near 0, where a decimal exponent takes them, and many near 1. No more is kept between two steps.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch

from lora_lab.training.adam import FusedAdamW

BLOCK = 256  # numbers that share a scale
SMALLEST = 4096  # numbers of a tensor; of a smaller one the averages stay floats
DECADES = 7
AVERAGES = {"exp_avg": True, "exp_avg_sq": False}  # whether it has a sign


@cache
def dynamic_code(signed: bool, device: str = "cpu") -> torch.Tensor:
    """(256) of float32, ascending: what the codes 0 … 255 stand for, between −1 or 0 and 1."""
    values = [0.0, 1.0]
    for i in range(DECADES):
        edges = torch.linspace(0.1, 1, 2 ** (i + (not signed)) + 1)
        middles = 10 ** (i + 1 - DECADES) * ((edges[:-1] + edges[1:]) / 2)
        values += middles.tolist()
        values += (-middles).tolist() if signed else []
    return torch.tensor(sorted(values), device=device)


def packed(values: torch.Tensor, signed: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Codes, of the shape of `values` and of uint8, and the scale of each block, of float32."""
    code = dynamic_code(signed, str(values.device))
    flat = values.float().flatten()
    padded = torch.nn.functional.pad(flat, (0, -len(flat) % BLOCK)).view(-1, BLOCK)
    scales = padded.abs().amax(1)
    shares = padded / scales.clamp_min(torch.finfo(torch.float32).tiny)[:, None]
    between = (code[1:] + code[:-1]) / 2
    codes = torch.bucketize(shares, between).to(torch.uint8)
    return codes.flatten()[: len(flat)].view(values.shape), scales


def unpacked(codes: torch.Tensor, scales: torch.Tensor, signed: bool) -> torch.Tensor:
    """What `codes` and `scales` stand for, of float32."""
    flat = dynamic_code(signed, str(codes.device))[codes.flatten().int()]
    padded = torch.nn.functional.pad(flat, (0, -len(flat) % BLOCK)).view(-1, BLOCK)
    return (padded * scales[:, None]).flatten()[: len(flat)].view(codes.shape)


class Adam8bit(FusedAdamW):
    """AdamW with `exp_avg` and `exp_avg_sq` of each tensor as …_codes and …_scales."""

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        for group in self.param_groups:
            for p in group["params"]:  # one by one: the floats of one tensor stand at a time
                if p.grad is None:
                    continue
                if p in self.state:
                    self.state[p] = self.averages(self.state[p])
                self.move({**group, "params": [p]})
                self.state[p] = self.kept(self.state[p])

    step.hooked = True  # without torch's profiler mark and hooks around each step

    def state_names(self, count: int) -> tuple[str, ...]:
        """What is kept of a tensor of that many numbers."""
        if count < SMALLEST:
            return (*AVERAGES, "step")
        return (*(f"{key}_{part}" for key in AVERAGES for part in ("codes", "scales")), "step")

    def averages(self, state: dict[str, Any]) -> dict[str, Any]:
        """A tensor's state with its averages as floats."""
        found = dict(state)
        for key, signed in AVERAGES.items():
            if f"{key}_codes" in found:
                parts = (found.pop(f"{key}_{part}") for part in ("codes", "scales"))
                found[key] = unpacked(*parts, signed)
        return found

    def kept(self, state: dict[str, Any]) -> dict[str, Any]:
        """A tensor's state as it is kept."""
        found = dict(state)
        for key, signed in AVERAGES.items():
            if key in found and found[key].numel() >= SMALLEST:
                codes, scales = packed(found.pop(key), signed)
                found |= {f"{key}_codes": codes, f"{key}_scales": scales}
        return found
