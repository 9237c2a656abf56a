"""DoRA: direction by LoRA, magnitude per output on its own (Liu et al. 2024, arXiv 2402.09353)."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from lora_lab.adapters.base import Factors
from lora_lab.adapters.lora import LoRALayer
from lora_lab.adapters.weights import LayerWeights


class DoRALayer(LoRALayer):
    """W' = m ∘ V/‖V‖,   V = W + s·B·A,   s = α/r,   m: (out) starts as ‖W‖, norms per row.

    ΔW = W' − W = (m/‖V‖ − 1) ∘ W + (m/‖V‖) ∘ s·B·A is of full rank, whatever the rank of B·A, so
    it has no factors. As in §4.3 of the paper, ‖V‖ counts as a constant in the backward pass. It
    is found without forming B·A: ‖V‖² = ‖W‖² + 2s·⟨W Aᵀ, B⟩ + s²·⟨B A Aᵀ, B⟩ per row.
    """

    reads_base = True

    def __init__(
        self,
        base_layer: nn.Module,
        name: str,
        rank: int,
        alpha: float,
        init: str,
        generator: torch.Generator,
    ) -> None:
        super().__init__(base_layer, name, rank, alpha, init, generator)
        squares = self.matrix.detach().to(self.factor_dtype).square().sum(1)
        self.register_buffer("squared_norms", squares, persistent=False)  # (out), of W
        self.magnitude = nn.Parameter(self.row_norms())  # (out)

    @torch.no_grad()
    def row_norms(self) -> torch.Tensor:
        """‖V‖ of each row (out)."""
        A, B, s = LoRALayer.factors(self)
        W = self.matrix.to(A.dtype)
        mixed = ((W @ A.t()) * B).sum(1)
        own = ((B @ (A @ A.t())) * B).sum(1)
        return (self.squared_norms + (2 * s * mixed + s * s * own)).clamp_min(0).sqrt()

    def stretch(self) -> torch.Tensor:
        """m/‖V‖ (out), with a gradient for m alone; 1 for a row of zeros."""
        norms = self.row_norms()
        return torch.where(norms > 0, self.magnitude / norms.clamp_min(1e-30), 1.0)

    def factors(self) -> Factors | None:
        return None

    def delta_weight(self) -> torch.Tensor:
        W = self.matrix.to(self.lora_A.dtype)
        return self.stretch()[:, None] * (W + super().delta_weight()) - W

    def finish(self, y: torch.Tensor) -> torch.Tensor:
        """m/‖V‖ ∘ (y − b) + b, for y = V x + b; exactly y where m = ‖V‖."""
        c = self.kind.per_output(self.base_layer, self.stretch() - 1, y)
        bias = self.bias
        direction = y if bias is None else y - self.kind.per_output(self.base_layer, bias, y)
        return y + c * direction

    def layer_weights(self) -> LayerWeights:
        magnitude = self.magnitude.detach().to("cpu", copy=True)
        return replace(super().layer_weights(), magnitude=magnitude)
