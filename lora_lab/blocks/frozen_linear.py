"""Linear layers by the quicker library: plain ones, and those that are called with another W."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd.function import once_differentiable

from lora_lab.blocks.gemm import is_onednns, onednn_is_quicker, product


class QuickLinear(nn.Linear):
    """nn.Linear that multiplies as `product.LowRankLinear` does, and to the same bits.

    So an adapter that adds nothing yet, one that is off and a layer without one answer alike.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # (…, in) → (…, out)
        return linear(x, self.weight, self.bias)


def linear(x: torch.Tensor, W: torch.Tensor, b: torch.Tensor | None) -> torch.Tensor:
    """F.linear by the library that adapted layers take: (…, out) of x (…, in) and W (out, in)."""
    if torch.is_autocast_enabled(x.device.type) or not is_onednns(x, W):
        return F.linear(x, W, b)
    return _Linear.apply(x, W, b)


def quicken(model: nn.Module) -> None:
    """Make each nn.Linear of `model` a QuickLinear where oneDNN's products are the quicker ones."""
    if onednn_is_quicker():
        for module in model.modules():
            if type(module) is nn.Linear:
                module.__class__ = QuickLinear


class _Linear(torch.autograd.Function):
    """y = x Wᵀ + b with gradients for all three, as far as they are asked for."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, W: torch.Tensor, b: torch.Tensor | None) -> torch.Tensor:
        ctx.save_for_backward(x if ctx.needs_input_grad[1] else None, W)
        return product(x, W, b)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, W = ctx.saved_tensors
        wants_x, wants_W, wants_b = ctx.needs_input_grad
        rows = dy.reshape(-1, len(W))  # (n, out)
        dx = product(dy, W.t()) if wants_x else None
        dW = product(rows.t(), x.reshape(len(rows), -1).t()) if wants_W else None
        return dx, dW, rows.sum(0) if wants_b else None
