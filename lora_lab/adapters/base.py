"""AdapterLayer: a frozen linear layer W and, beside it, the change ΔW that is learned."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from lora_lab.adapters.weights import LayerWeights


class AdapterLayer(nn.Module):
    """Stands in the place of a linear layer and answers W x + ΔW x + b, or W x + b when disabled.

    `base_layer` is the wrapped layer itself, frozen and never written to, with its weight W of
    shape (out × in); a variant defines ΔW once, in `delta_weight()`, and may add a forward that
    never forms it. `locked` names the hyperparameters that this variant cannot change in mid-run,
    with the reason.
    """

    locked: tuple[tuple[str, str], ...] = ()

    def __init__(self, base_layer: nn.Linear, name: str) -> None:
        super().__init__()
        self.base_layer = base_layer.requires_grad_(False)
        self.name = name
        self.enabled = True

    @property
    def shape(self) -> tuple[int, int]:
        """(out, in) of W and of ΔW."""
        return self.base_layer.out_features, self.base_layer.in_features

    def delta_weight(self) -> torch.Tensor:
        """ΔW (out × in) in the adapter's dtype: the one definition of what is learned."""
        raise NotImplementedError

    def weight(self) -> torch.Tensor:
        """W + ΔW (out × in); when disabled, the identical tensor W."""
        W = self.base_layer.weight
        return W + self.delta_weight().to(W.dtype) if self.enabled else W

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # (…, in) → (…, out)
        return F.linear(x, self.weight(), self.base_layer.bias)

    def adapter_parameters(self) -> list[nn.Parameter]:
        """What the optimizer trains."""
        return [p for p in self.parameters(recurse=False) if p.requires_grad]

    def layer_weights(self) -> LayerWeights | None:
        """The factors as plain CPU tensors; None where the variant has no factors."""
        return None

    def merged_layer(self) -> nn.Linear:
        """A plain linear layer with W + ΔW; W itself is left untouched."""
        out_features, in_features = self.shape
        W, bias = self.base_layer.weight, self.base_layer.bias
        merged = nn.Linear(
            in_features, out_features, bias is not None, device=W.device, dtype=W.dtype
        )
        with torch.no_grad():
            merged.weight.copy_(W + self.delta_weight().to(W.dtype))
            if bias is not None:
                merged.bias.copy_(bias)
        return merged
