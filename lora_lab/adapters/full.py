"""Full fine-tuning, the comparison: every entry of W and b is trained; ΔW = W' − W."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from lora_lab.adapters.base import AdapterLayer


class FullLayer(AdapterLayer):
    """h = W' x + b',   W' (out × in) and b' (out) start as copies of the frozen W and b.

    ΔW = W' − W is of full rank and has no factors, so rank and α have no meaning here. The change
    of b is part of the trained layer but not of ΔW.
    """

    locked = (
        ("rank", "full fine-tuning has no rank"),
        ("alpha", "full fine-tuning has no scaling"),
        ("dropout", "full fine-tuning has no adapter path to drop"),
    )

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
        self.tuned_weight = nn.Parameter(base_layer.weight.detach().clone())  # (out, in)
        bias = base_layer.bias
        self.tuned_bias = None if bias is None else nn.Parameter(bias.detach().clone())  # (out,)

    def delta_weight(self) -> torch.Tensor:
        return self.tuned_weight - self.base_layer.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # (…, in) → (…, out)
        if not self.enabled:
            return self.base_layer(x)
        return F.linear(x, self.tuned_weight, self.tuned_bias)

    def merged_layer(self) -> nn.Linear:
        merged = super().merged_layer()
        with torch.no_grad():
            merged.weight.copy_(self.tuned_weight)  # exactly, where W + ΔW would round twice
            if self.tuned_bias is not None:
                merged.bias.copy_(self.tuned_bias)
        return merged
