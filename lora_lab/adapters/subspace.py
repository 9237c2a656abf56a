"""A random subspace of all weights: W′ = W + (P·θ) with one θ of d numbers for all layers.

Li et al. 2018 (arXiv 1804.08838) and Aghajanyan et al. 2020 (arXiv 2012.13255): a pre-trained model
learns well even where only d numbers, thrown at random into all weights, may move.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable

from lora_lab.adapters import projection
from lora_lab.adapters.kinds import Linear
from lora_lab.adapters.space import SharesTheta, Up
from lora_lab.adapters.weights import WholeLayer
from lora_lab.blocks.gemm import product
from lora_lab.variants import SUBSPACE, VARIANTS


class SubspaceLayer(SharesTheta):
    """h = (W + P_W·θ) x + b + P_b·θ: a layer of a model whose θ (d) moves all weights together.

    W′ is formed for each product, in the forward and again in the backward, and freed at once:
    beside W only the code of P stays, 2 or 4 bytes a weight.
    """

    reads_base = True

    locked = VARIANTS[SUBSPACE].locked

    def __init__(
        self,
        base_layer: nn.Module,
        name: str,
        rank: int,
        alpha: float,
        init: str,
        generator: torch.Generator,
    ) -> None:
        super().__init__(base_layer, name)

    @property
    def base_bias(self) -> torch.Tensor | None:
        return getattr(self.base_layer, "bias", None)

    def moved(self) -> dict[Hashable, torch.Size]:
        tensors = (self.base_layer.weight, self.base_bias)
        return {id(t): t.shape for t in tensors if t is not None}

    def delta_weight(self) -> torch.Tensor:
        return self.kind.matrix(self.base_layer, self.space.change(self.places[0]))

    @property
    def bias(self) -> torch.Tensor | None:
        b = self.base_bias
        if b is None or not self.enabled:
            return b
        return (b + self.space.change(self.places[1])).to(b.dtype)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # (…, in) → (…, out)
        W, code = self.base_layer.weight, self.space.code(self.places[0])
        plain = self.kind is Linear and x.dtype == W.dtype and code is not None
        if not (plain and self.enabled and self.merged is None):
            return super().forward(x)
        table, *of_bias = self.space.tables(self.places)  # one for W and b, unless they are apart
        b = self.base_bias
        if b is not None:
            b = (b + Up.apply(*of_bias, self.space.code(self.places[1]))).to(b.dtype)
        return _SubspaceLinear.apply(x, W, table, code, b)

    @torch.no_grad()
    def merged_layer(self) -> nn.Module:
        """A plain layer with W′ and b′, the switch notwithstanding."""
        enabled, self.enabled = self.enabled, True
        try:
            return super().merged_layer()
        finally:
            self.enabled = enabled

    @torch.no_grad()
    def whole_layer(self) -> WholeLayer:
        """W′ and b′ as plain CPU tensors."""
        plain = self.merged_layer()
        return WholeLayer(
            self.name,
            plain.weight.detach().cpu(),
            None if self.base_bias is None else plain.bias.detach().cpu(),
        )


class _SubspaceLinear(torch.autograd.Function):
    """y = x (W + P·θ)ᵀ + b that keeps x and the code, and nothing else of the size of W."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,  # (…, in)
        W: torch.Tensor,  # (out, in)
        looked_up: torch.Tensor,  # (2d)
        code: torch.Tensor,  # (out, in)
        b: torch.Tensor | None,  # (out)
    ) -> torch.Tensor:
        ctx.save_for_backward(x, W, looked_up, code)
        return product(x, _formed(W, looked_up, code), b)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, W, looked_up, code = ctx.saved_tensors
        rows, dy_rows = x.reshape(-1, x.shape[-1]), dy.reshape(-1, dy.shape[-1])
        wants_x, _, wants_theta, _, wants_b = ctx.needs_input_grad
        dx = sums = None
        if wants_theta:
            sums = looked_up.new_zeros(len(looked_up))
            projection.down(sums, code, product(dy_rows.t(), rows.t()).to(sums.dtype))
        if wants_x:
            dx = product(dy, _formed(W, looked_up, code).t())
        return dx, None, sums, None, dy_rows.sum(0) if wants_b else None


def _formed(W: torch.Tensor, looked_up: torch.Tensor, code: torch.Tensor) -> torch.Tensor:
    return projection.up(looked_up, code).add_(W).to(W.dtype)
