"""Full fine-tuning, the comparison: every entry of W and b is trained; ΔW = W' − W."""

from __future__ import annotations

import torch
from torch import nn

from lora_lab.adapters.base import AdapterLayer
from lora_lab.adapters.weights import WholeLayer
from lora_lab.variants import FULL, VARIANTS


class FullLayer(AdapterLayer):
    """h = W' x + b',   W' (native shape) and b' (out) start as copies of the frozen W and b.

    ΔW = W' − W is of full rank and has no factors, so rank and α have no meaning here. The change
    of b is part of the trained layer but not of ΔW. W' has the base's own dtype.
    """

    locked = VARIANTS[FULL].locked

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
        self.tuned_weight = nn.Parameter(base_layer.weight.detach().clone())
        bias = getattr(base_layer, "bias", None)
        self.tuned_bias = None if bias is None else nn.Parameter(bias.detach().clone())  # (out,)

    def delta_weight(self) -> torch.Tensor:
        dtype = self.factor_dtype
        tuned = self.kind.matrix(self.base_layer, self.tuned_weight)
        return tuned.to(dtype) - self.matrix.to(dtype)

    @property
    def weight(self) -> torch.Tensor:
        """W' exactly, where W + ΔW would round twice; when disabled, the identical tensor W."""
        return self.tuned_weight if self.enabled else self.base_layer.weight

    @property
    def bias(self) -> torch.Tensor | None:
        return self.tuned_bias if self.enabled else getattr(self.base_layer, "bias", None)

    def whole_layer(self) -> WholeLayer:
        """W' and b' as plain CPU tensors."""
        bias = self.tuned_bias
        return WholeLayer(
            self.name,
            self.tuned_weight.detach().cpu().clone(),
            None if bias is None else bias.detach().cpu().clone(),
        )

    @torch.no_grad()
    def merged_layer(self) -> nn.Module:
        return self._plain_layer(self.tuned_weight, self.tuned_bias)
