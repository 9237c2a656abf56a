"""What a layer with factors keeps: its labels and shapes in a checkpoint, and at another rank."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import nn

from lora_lab.adapters.base import AdapterLayer
from lora_lab.adapters.weights import LayerWeights


class FactorState(AdapterLayer):
    """The state of LoRA: A, B, and the A₀, B₀ of a start in W; variants of it have their own."""

    ranked_by = "lora_A"  # the tensor that has a row for each direction
    lora_A: torch.Tensor
    lora_B: nn.Parameter
    start_A: torch.Tensor | None
    start_B: torch.Tensor | None

    @property
    def carrier(self) -> nn.Parameter:
        """What is trained and ΔW is a multiple of: it takes up a change of s."""
        return self.lora_B

    def to_rank(
        self, rank: int, c: float, optimizer: torch.optim.Optimizer, generator: torch.Generator
    ) -> float | None:
        """Go to this rank, where s becomes s/c, in a way of its own: the share of ‖ΔW‖² it lost.

        None, with nothing done, where factors are mixed and cut by their SVD (`resize`).
        """
        return None

    @property
    def starts_in_W(self) -> bool:
        """Whether A₀ and B₀ count as a part of W."""
        return self.start_A is not None

    def beside(self) -> dict[str, torch.Tensor]:
        if self.start_A is None or self.start_B is None:
            return {}
        return {"start_A": self.start_A, "start_B": self.start_B}

    def shapes(self, rank: int, stored: Mapping[str, torch.Tensor]) -> dict[str, tuple[int, ...]]:
        """What has another shape at another rank, by its label; `stored` is of such a state."""
        A = (rank, *self.lora_A.shape[1:])
        B = (self.lora_B.shape[0], rank // self.kind.groups(self.base_layer))
        return {"lora_A": A, "lora_B": B, "start_A": A, "start_B": B}

    @staticmethod
    def stored(tensors: Mapping[str, torch.Tensor], like: LayerWeights) -> LayerWeights:
        """`like` with the factors of the whole ΔW that the `tensors` of a checkpoint have of it."""
        name, groups = like.name, like.groups
        A, B = tensors[f"{name}|lora_A"], tensors[f"{name}|lora_B"]
        if f"{name}|start_A" in tensors:  # PiSSA and kin: ΔW is the change since the start
            A = torch.cat([A, tensors[f"{name}|start_A"]])
            B = torch.cat([B, -tensors[f"{name}|start_B"]], 1)
        B = torch.block_diag(*B.chunk(groups)) if groups > 1 else B
        return replace(like, lora_A=A, lora_B=B)
