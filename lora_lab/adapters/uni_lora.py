"""A random subspace of LoRA's factors: d numbers move A and B of all layers (Uni-LoRA, 2025)."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping

import torch

from lora_lab import inits
from lora_lab.adapters.lora import LoRALayer
from lora_lab.adapters.space import SharesTheta
from lora_lab.adapters.weights import LayerWeights
from lora_lab.errors import AdapterError
from lora_lab.variants import VARIANTS


class UniLoRALayer(SharesTheta, LoRALayer):
    """h = W x + b + s·(B₀ + P_B·θ)·(A₀ + P_A·θ)·x,   s = α/r,   θ (d) of all layers together.

    arXiv 2506.00799, §3, with signs, and with the start of LoRA in place of a random θ: A₀ (r × in)
    as PEFT draws A, B₀ = 0 (out × r), so that the start is W to the bit. Of an embedding, whose A
    is looked up, it is the other way round. D is r·Σ(in + out), where W would have Σ in·out.
    """

    locked = VARIANTS["uni-lora"].locked

    def begin(self, rank: int, generator: torch.Generator) -> None:
        self.init = inits.PLAIN
        A, B = self.new_factors(rank, generator)
        self.register_buffer("lora_A", A, persistent=False)  # A₀
        self.register_buffer("lora_B", B, persistent=False)  # B₀

    def moved(self) -> dict[Hashable, torch.Size]:
        return {(self.name, "A"): self.lora_A.shape, (self.name, "B"): self.lora_B.shape}

    def drawn(self) -> Iterator[torch.Tensor]:
        yield from (self.lora_A < 0, self.lora_B < 0)

    def effective(self) -> tuple[torch.Tensor, torch.Tensor]:
        A, B = (self.space.change(place) for place in self.places)
        if (padding := getattr(self.base_layer, "padding_idx", None)) is not None:
            A = A.index_fill(1, torch.tensor([padding], device=A.device), 0.0)  # never trained
        return self.lora_A + A, self.lora_B + B

    def delta_weight(self) -> torch.Tensor:
        A, B, scaling = self.factors()
        return scaling * (B @ A)

    def beside(self) -> dict[str, torch.Tensor]:
        return {"lora_A": self.lora_A, "lora_B": self.lora_B}

    @staticmethod
    def stored(tensors: Mapping[str, torch.Tensor], like: LayerWeights) -> LayerWeights:
        raise AdapterError(
            f"{like.name} is moved by numbers that a checkpoint does not say the projection of. "
            "Revert the run to that checkpoint, and export it then."
        )
