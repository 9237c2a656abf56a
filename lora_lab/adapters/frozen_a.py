"""LoRA-FA: A stays as it was drawn and B alone learns (Zhang et al. 2023, arXiv 2308.03303)."""

from __future__ import annotations

import torch
from torch import nn

from lora_lab.adapters.kinds import Embedding
from lora_lab.adapters.lora import LoRALayer
from lora_lab.errors import AdapterError


class FrozenALayer(LoRALayer):
    """h = W x + b + s·B·A₀·x,   s = α/r,   A₀: (r × in) frozen, B: (out × r) trained.

    For the gradient of B the backward pass needs A₀ x (r numbers an input) and not x: of the
    layer's width nothing is kept. A₀ is a buffer, so that the optimizer never meets it.
    """

    def begin(self, rank: int, generator: torch.Generator) -> None:
        if self.kind is Embedding:
            raise AdapterError(
                f"Layer {self.name} is an embedding, whose A starts at 0: frozen, it would never "
                "learn. Leave it out of the targets, or choose the variant lora."
            )
        super().begin(rank, generator)

    def hold(self, A: torch.Tensor, B: torch.Tensor, trains: bool = True) -> None:
        self.register_buffer("lora_A", A.detach(), persistent=False)
        self.lora_B = nn.Parameter(B, trains)

    def beside(self) -> dict[str, torch.Tensor]:
        return {**super().beside(), "lora_A": self.lora_A}
