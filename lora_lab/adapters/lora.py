"""LoRA: ΔW = (α/r)·B·A with a random A and a zero B (Hu et al. 2021, arXiv 2106.09685, §4.1)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from lora_lab.adapters.base import AdapterLayer
from lora_lab.adapters.init import INITS
from lora_lab.adapters.weights import LayerWeights


class LoRALayer(AdapterLayer):
    """h = W x + b + s·B·A·x,   s = α/r,   A: (r × in), B: (out × r), ΔW = s·B·A.

    The rank is capped at min(out, in). A capped layer keeps the adapter's common scaling
    s = α/rank, so that one number holds for all layers; its own `alpha` is s times its own rank.
    """

    def __init__(
        self,
        base_layer: nn.Linear,
        name: str,
        rank: int,
        alpha: float,
        init: str,
        generator: torch.Generator,
    ) -> None:
        super().__init__(base_layer, name)
        W = base_layer.weight
        out_features, in_features = self.shape
        self.init = init
        self.dropout = 0.0
        self.scaling = alpha / rank
        rows = min(rank, out_features, in_features)
        # Factors of half-precision bases stay in float32: their updates are below bf16's steps.
        dtype = torch.float64 if W.dtype == torch.float64 else torch.float32
        A = INITS[init](rows, in_features, rows, generator)
        self.lora_A = nn.Parameter(A.to(device=W.device, dtype=dtype))  # (r, in)
        self.lora_B = nn.Parameter(torch.zeros(out_features, rows, device=W.device, dtype=dtype))

    @property
    def rank(self) -> int:
        return self.lora_A.shape[0]

    @property
    def alpha(self) -> float:
        """This layer's own α = s·r."""
        return self.scaling * self.rank

    def delta_weight(self) -> torch.Tensor:
        return self.scaling * (self.lora_B @ self.lora_A)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # (…, in) → (…, out)
        h = F.linear(x, self.base_layer.weight, self.base_layer.bias)
        if not self.enabled:
            return h
        A, B = self.lora_A, self.lora_B
        z = F.dropout(x, self.dropout) if self.dropout and self.training else x
        if h.dtype != A.dtype:
            return h + (self.scaling * F.linear(F.linear(z.to(A.dtype), A), B)).to(h.dtype)
        low = F.linear(z, A)  # (…, r)
        # One addmm scales and accumulates into W x: no (…, out) temporary for s·B·A·x.
        if h.dim() == 2:
            return torch.addmm(h, low, B.t(), alpha=self.scaling)
        rows, out_features = low.reshape(-1, A.shape[0]), B.shape[0]
        return torch.addmm(h.reshape(-1, out_features), rows, B.t(), alpha=self.scaling).view(
            h.shape
        )

    def layer_weights(self) -> LayerWeights:
        A, B = (p.detach().to("cpu", copy=True) for p in (self.lora_A, self.lora_B))
        return LayerWeights(self.name, A, B, self.alpha, self.scaling)
