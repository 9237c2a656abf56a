"""W x + s·B·A·x as one autograd node whose products all run in their quickest orientation.

A product with r columns is bound by the memory layout of its operands, not by arithmetic: on a CPU
Bᵀ·dyᵀ takes a third of the time of dy·B, and lowᵀ·dy a third of dyᵀ·low, which are the same numbers
transposed. Autograd, which writes its own backward, takes the slow ones. It also makes a tensor of
the size of x for A's share of dx and adds it afterwards; here it is accumulated in place. And over
a half-precision base it would keep a float32 copy of x for each layer and round what B·A adds away.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.autograd.function import once_differentiable

from lora_lab.blocks.frozen import FrozenLinear
from lora_lab.blocks.gemm import product

HALF = (torch.bfloat16, torch.float16)
LIGHT = 0.25  # of ‖W‖: what B·A adds up to there is rounded alone, and above it W x is


def rounded_once(x: torch.Tensor, base: torch.nn.Module, share: torch.Tensor) -> torch.Tensor:
    """W x + b + share (…, out) for a linear layer in half precision, as LowRankLinear rounds it."""
    y = torch.addmm(share.to(x.dtype).flatten(0, -2), x.flatten(0, -2), base.weight.t()).view(
        share.shape
    )
    return y if base.bias is None else y + base.bias


def is_light(A: torch.Tensor, B: torch.Tensor, layer: Any) -> bool:
    """Whether ‖s·B·A‖ of a layer is far below its ‖W‖; found without forming B·A.

    An accelerator is not asked, which would wait for it: what is trained there is light. Nor are
    the tensors without numbers of an estimate.
    """
    if not _may_be_asked(A):
        return True
    limit = (LIGHT * layer.weight_norm / layer.scaling) ** 2 if layer.scaling else math.inf
    A, B = A.detach(), B.detach()
    a, b = A.reshape(-1), B.reshape(-1)
    if (a @ a).item() * (b @ b).item() <= limit:  # ‖B·A‖ ≤ ‖B‖·‖A‖ is enough in most runs
        return True
    return ((A @ A.t()) * (B.t() @ B)).sum().item() <= limit


class LowRankLinear(torch.autograd.Function):
    """y = x Wᵀ + b + s·(x Aᵀ) Bᵀ for a frozen W; gradients for x, A and B.

    x, W and b have one dtype, A and B the same or, beside a half-precision W, float32. A W in
    blocks is given as its layer, and undone in the forward and again in the backward.

    Half precision has no product with a float32 answer, so that one of the two sums is rounded
    alone: the smaller. A `light` s·B·A·x stands in y, of W's dtype, before W x is accumulated onto
    it. Added to a W x that is rounded already, whatever is below half of its last bit would be
    lost, which in the first steps is most of what was learned. Else W x is rounded, and y has A's
    dtype. `narrow`: beside a bfloat16 W the products of a light share with r columns have operands
    of bfloat16 too, and are accumulated in float32. Not so what starts in W: a small difference of
    large products, which bfloat16 has not.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,  # (…, in)
        W: torch.Tensor | FrozenLinear,  # (out, in)
        b: torch.Tensor | None,  # (out)
        A: torch.Tensor,  # (r, in)
        B: torch.Tensor,  # (out, r)
        scaling: float,
        light: bool = True,
        narrow: bool = False,
    ) -> torch.Tensor:
        kept = None if isinstance(W, FrozenLinear) else W
        ctx.blocks = W if kept is None else None
        W = _dense(W)
        rows = x.reshape(-1, x.shape[-1])  # (n, in)
        narrow = narrow and light and W.dtype == torch.bfloat16
        operand = W.dtype if narrow else A.dtype
        low = product(A.to(operand), rows.to(operand))  # (r, n)
        if W.dtype == A.dtype or not light:
            y = product(x, W, b).to(A.dtype)
            y.view(-1, len(W)).addmm_(low.t(), B.t(), alpha=scaling)
        else:
            y = torch.empty(*x.shape[:-1], len(W), dtype=W.dtype, device=x.device)
            h = y.view(-1, len(W))  # (n, out)
            h.copy_(low.t() @ (scaling * B).to(operand).t())
            # b is added last, since small shares would be lost in it as well; but where there is
            # none yet, y is the base's own to the bit. To ask an accelerator would wait for it.
            if b is not None and _may_be_asked(B) and not (B if narrow else h).any():
                torch.addmm(b, rows, W.t(), out=h)
            else:
                h.addmm_(rows, W.t())
                if b is not None:
                    h.add_(b)
        # x and no view of it: only of inputs does torch notice that they were overwritten. Where A
        # is frozen nobody asks for it again, and of this width nothing is kept.
        ctx.save_for_backward(x if ctx.needs_input_grad[3] else None, low, kept, A, B)
        ctx.scaling, ctx.shape = scaling, x.shape
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, low, W, A, B = ctx.saved_tensors
        dy = dy.reshape(-1, dy.shape[-1])  # (n, out)
        near = dy.to(low.dtype)
        dx = dA = dB = None
        wants_x, _, _, wants_A, wants_B = ctx.needs_input_grad[:5]
        if wants_x or wants_A:
            g = product(B.to(low.dtype).t(), near).mul_(ctx.scaling)  # (r, n)
            if wants_A:
                of_x = x.reshape(-1, x.shape[-1]).to(low.dtype)
                dA = product(g, of_x.t()).to(A.dtype)  # s·Bᵀ·dyᵀ·x
            if wants_x:
                W = W if ctx.blocks is None else _dense(ctx.blocks)
                # No view either: gradients that meet at x are then summed in place.
                if W.dtype == A.dtype:
                    dx = product(dy.view(*ctx.shape[:-1], len(W)), W.t())
                    dx.view(-1, ctx.shape[-1]).addmm_(g.t(), A)
                else:
                    dx = torch.empty(ctx.shape, dtype=W.dtype, device=dy.device)
                    rows = dx.view(-1, ctx.shape[-1])
                    rows.copy_(g.t() @ A.to(low.dtype))
                    rows.addmm_(dy.to(W.dtype), W)
        if wants_B:
            dB = product(low, near.t()).to(B.dtype).mul_(ctx.scaling).t()  # s·dyᵀ·x·Aᵀ
        return dx, None, None, dA, dB, None, None, None


def _may_be_asked(tensor: torch.Tensor) -> bool:
    """Whether its numbers are at hand."""
    return tensor.device.type == "cpu" and type(tensor) in (torch.Tensor, torch.nn.Parameter)


def _dense(W: torch.Tensor | FrozenLinear) -> torch.Tensor:
    return W.dense() if isinstance(W, FrozenLinear) else W
