"""Linear layers by the quicker library: plain ones, and those that are called with another W."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from lora_lab.blocks.gemm import is_onednns, onednn_is_quicker, product


class QuickLinear(nn.Linear):
    """nn.Linear that multiplies as `product.LowRankLinear` does, and to the same bits.

    So an adapter that adds nothing yet, one that is off and a layer without one answer alike.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # (…, in) → (…, out)
        return linear(x, self.weight, self.bias)


def linear(x: torch.Tensor, W: torch.Tensor, b: torch.Tensor | None = None) -> torch.Tensor:
    """F.linear by the library that adapted layers take: (…, out) of x (…, in) and W (out, in)."""
    # A network may be traced in its own forward, or differentiate there by torch.func.
    otherwise = torch.jit.is_tracing() or torch._C._are_functorch_transforms_active()
    if otherwise or not is_onednns(x, W) or torch.is_autocast_enabled("cpu"):
        return F.linear(x, W, b)
    return _Linear.apply(x, W, b)


def quicken(model: nn.Module) -> None:
    """Make each nn.Linear of `model` a QuickLinear where oneDNN's products are the quicker ones."""
    if onednn_is_quicker():
        for module in model.modules():
            if type(module) is nn.Linear:
                module.__class__ = QuickLinear


class _Linear(torch.autograd.Function):
    """y = x Wᵀ + b with gradients for all three, as asked for, which have gradients themselves."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, W: torch.Tensor, b: torch.Tensor | None) -> torch.Tensor:
        ctx.save_for_backward(x if ctx.needs_input_grad[1] else None, W)
        return product(x, W, b)

    @staticmethod
    def backward(ctx: Any, dy: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, W = ctx.saved_tensors
        wants_x, wants_W, wants_b = ctx.needs_input_grad
        rows = dy.reshape(-1, len(W))  # (n, out)
        dx = linear(dy, W.t()) if wants_x else None
        dW = linear(rows.t(), x.reshape(len(rows), -1).t()) if wants_W else None
        return dx, dW, rows.sum(0) if wants_b else None
