"""Layers of a base without an adapter, or with one that is off: multiplied as adapted ones are."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable

from lora_lab.blocks.gemm import is_onednns, onednn_is_quicker, product


class QuickLinear(nn.Linear):
    """nn.Linear whose frozen W is multiplied as in `product.LowRankLinear`, and to the same bits.

    So an adapter that adds nothing yet, one that is off and a layer without one answer alike.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # (…, in) → (…, out)
        W, b = self.weight, self.bias
        trained = W.requires_grad or (b is not None and b.requires_grad)
        if trained or torch.is_autocast_enabled(x.device.type) or not is_onednns(x, W):
            return super().forward(x)
        return _Frozen.apply(x, W, b)


def quicken(model: nn.Module) -> None:
    """Make each nn.Linear of `model` a QuickLinear where oneDNN's products are the quicker ones."""
    if onednn_is_quicker():
        for module in model.modules():
            if type(module) is nn.Linear:
                module.__class__ = QuickLinear


class _Frozen(torch.autograd.Function):
    """y = x Wᵀ + b with a gradient for x alone."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, W: torch.Tensor, b: torch.Tensor | None) -> torch.Tensor:
        ctx.save_for_backward(W)
        return product(x, W, b)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (W,) = ctx.saved_tensors
        return product(dy, W.t()) if ctx.needs_input_grad[0] else None, None, None
