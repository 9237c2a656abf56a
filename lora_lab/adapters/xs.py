"""LoRA-XS: an r × r matrix between frozen singular directions of W (Bałazy et al. 2024)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import nn

from lora_lab.adapters.lora import LoRALayer
from lora_lab.adapters.moments import carry_block
from lora_lab.adapters.row_major import row_major
from lora_lab.adapters.weights import LayerWeights
from lora_lab.adapters.widened import widened
from lora_lab.errors import AdapterError
from lora_lab.variants import VARIANTS


class XSLayer(LoRALayer):
    """h = W x + b + s·B·R·A·x,   B = U_r Σ_r (out × r), A = V_rᵀ (r × in) of W = U Σ Vᵀ,   s = α/r.

    arXiv 2405.17604, §3: only R (r × r) is trained, so ΔW can write no output and read no input
    but those of W's r largest directions. The paper draws R from N(0, 1e-5²); here it is 0, which
    has a gradient as well, and the start is W to the bit.
    """

    reads_base = True

    def begin(self, rank: int, generator: torch.Generator) -> None:
        if self.kind.groups(self.base_layer) > 1:
            raise AdapterError(
                f"Layer {self.name} is a convolution in groups; {VARIANTS['lora-xs']} decomposes a "
                "whole weight. Choose the variant lora, or leave the layer out."
            )
        A, B = self._directions(rank)
        self.register_buffer("lora_A", A, persistent=False)
        self.register_buffer("lora_B", B, persistent=False)
        self.core = nn.Parameter(A.new_zeros(rank, rank))

    @torch.no_grad()
    def _directions(self, rank: int) -> tuple[torch.Tensor, torch.Tensor]:
        """V_rᵀ (r × in) and U_r Σ_r (out × r) of W."""
        U, S, Vh = torch.linalg.svd(self.matrix.to(self.factor_dtype), full_matrices=False)
        return row_major(Vh[:rank]), row_major(U[:, :rank] * S[:rank])

    def effective(self) -> tuple[torch.Tensor, torch.Tensor]:
        with torch.autocast(self.core.device.type, enabled=False):
            return self.lora_A, self.lora_B @ self.core

    def delta_weight(self) -> torch.Tensor:
        A, B = self.effective()
        return self.scaling * (B @ A)

    @property
    def carrier(self) -> nn.Parameter:
        return self.core

    @torch.no_grad()
    def to_rank(
        self, rank: int, c: float, optimizer: torch.optim.Optimizer, generator: torch.Generator
    ) -> float:
        """R ← c·R within the first `rank` directions: exact where it grows, else the nearest."""
        old, kept = self.core, min(rank, self.rank)
        before = float(widened(self.lora_B @ old).square().sum())
        A, B = self._directions(rank)
        self.lora_A = torch.cat([self.lora_A[:kept], A[kept:]])
        self.lora_B = torch.cat([self.lora_B[:, :kept], B[:, kept:]], 1)
        new = old.new_zeros(rank, rank)
        new[:kept, :kept] = c * old[:kept, :kept]
        self.core = nn.Parameter(new, old.requires_grad)
        carry_block(optimizer, old, self.core, c)
        after = float(widened(self.lora_B @ new).square().sum()) / c**2
        return max(0.0, 1 - after / before) if before and rank < len(old) else 0.0

    def beside(self) -> dict[str, torch.Tensor]:
        return {"lora_A": self.lora_A, "lora_B": self.lora_B}

    def shapes(self, rank: int, stored: Mapping[str, torch.Tensor]) -> dict[str, tuple[int, ...]]:
        return {**super().shapes(rank, stored), "core": (rank, rank)}

    @staticmethod
    def stored(tensors: Mapping[str, torch.Tensor], like: LayerWeights) -> LayerWeights:
        A, B, R = (tensors[f"{like.name}|{label}"] for label in ("lora_A", "lora_B", "core"))
        return replace(like, lora_A=A, lora_B=B @ R)
