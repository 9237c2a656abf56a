"""Full fine-tuning, the comparison: every entry of W and b is trained; ΔW = W' − W."""

from __future__ import annotations

import torch
from torch import nn

from lora_lab.adapters.base import AdapterLayer
from lora_lab.adapters.row_major import row_major
from lora_lab.adapters.weights import WholeLayer
from lora_lab.variants import FULL, VARIANTS


class FullLayer(AdapterLayer):
    """h = W' x + b',   W' (native shape) and b' (out) start as copies of the frozen W and b.

    ΔW = W' − W is of full rank and has no factors, so rank and α have no meaning here. The change
    of b is part of the trained layer but not of ΔW. On half precision both are kept in float32 and
    rounded where they are used: there steps are below bfloat16's, and AdamW's ε is 0 in float16.
    """

    reads_base = True

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
        self.tuned_weight = nn.Parameter(self._copy(base_layer.weight))
        bias = getattr(base_layer, "bias", None)
        self.tuned_bias = None if bias is None else nn.Parameter(self._copy(bias))  # (out,)

    def _copy(self, tensor: torch.Tensor) -> torch.Tensor:
        return row_major(tensor.detach().to(self.factor_dtype, copy=True))

    def delta_weight(self) -> torch.Tensor:
        dtype = self.factor_dtype
        tuned = self.kind.matrix(self.base_layer, self.tuned_weight)
        return tuned.to(dtype) - self.matrix.to(dtype)

    @property
    def weight(self) -> torch.Tensor:
        """W' rounded once, where W + ΔW would be twice; when disabled, the identical tensor W."""
        W = self.base_layer.weight
        return self.tuned_weight.to(W.dtype) if self.enabled else W

    @property
    def bias(self) -> torch.Tensor | None:
        bias = getattr(self.base_layer, "bias", None)
        tuned = self.tuned_bias
        return bias if tuned is None or not self.enabled else tuned.to(bias.dtype)

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
        enabled, self.enabled = self.enabled, True
        try:
            return self._plain_layer(self.weight, self.bias)
        finally:
            self.enabled = enabled
