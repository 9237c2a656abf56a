"""LoRA: ΔW = (α/r)·B·A with a random A and a zero B (Hu et al. 2021, arXiv 2106.09685, §4.1)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from lora_lab.adapters.base import Factors
from lora_lab.adapters.factor_state import FactorState
from lora_lab.adapters.init import INITS, first_factors
from lora_lab.adapters.kinds import Embedding, Linear, LinearInBlocks
from lora_lab.adapters.product import HALF, LowRankLinear, is_light, rounded_once
from lora_lab.adapters.weights import LayerWeights
from lora_lab.errors import AdapterError
from lora_lab.variants import PLAIN, VARIANTS

SMALL = 2**20  # multiplications below which the number of calls counts, and W + s·B·A takes fewest


class LoRALayer(FactorState):
    """h = W x + b + s·B·A·x,   s = α/r,   A: (r × in), B: (out × r), ΔW = s·B·A.

    The rank is capped at min(out, in). A layer that is capped, or has a rank of its own, keeps the
    scaling s that all have; its own `alpha` is the one that gives this s at its own rank.

    Inits that start from a part of W (PiSSA, OLoRA) would subtract s·B₀·A₀ from W. W is never
    changed here: A₀ and B₀ are kept frozen as `start_A`, `start_B`, and ΔW = s·(B·A − B₀·A₀), of
    rank 2r at most, is the real difference to W.
    """

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
        groups = self.kind.groups(base_layer)
        if rank % groups:
            raise AdapterError(
                f"Layer {name} is a convolution in {groups} groups: its rank must be a multiple of "
                f"{groups}, not {rank}. Choose another rank or leave the layer out."
            )
        self.init = init
        self.dropout, self.ratio = 0.0, 1.0  # ratio: of its s to the common one, as files have it
        self.scaling = self.scaling_for(alpha, rank)
        self.register_buffer("start_A", None, persistent=False)
        self.register_buffer("start_B", None, persistent=False)
        self.begin(min(rank, self.max_rank), generator)
        if self.starts_in_W:
            self.locked = (("rank", f"{init} starts from a part of W that belongs to one rank"),)
        elif groups > 1:
            self.locked = (("rank", "the factors of a grouped convolution come in blocks"),)

    scaling_for = staticmethod(VARIANTS[PLAIN].scaling)  # s = α/r

    def begin(self, rank: int, generator: torch.Generator) -> None:
        """Start at this rank, so that ΔW = 0, or what packing W lost."""
        A, B = first_factors(self, rank, generator)
        if (principal := INITS[self.init].principal) is not None:
            if (groups := self.kind.groups(self.base_layer)) > 1:
                raise AdapterError(
                    f"Layer {self.name} is a convolution in {groups} groups; init {self.init} "
                    "decomposes a whole weight. Choose kaiming, or leave the layer out."
                )
            wide = self.matrix.detach().to(self.factor_dtype)
            self.start_A, self.start_B = principal(wide, len(A), self.scaling)
            A, B = self.start_A.clone(), self.start_B.clone()
        self.hold(A, B)

    def hold(self, A: torch.Tensor, B: torch.Tensor, trains: bool = True) -> None:
        """Let these be the factors: A (r, in), B (out, r), (out, r/groups) if it is in groups."""
        self.lora_A, self.lora_B = nn.Parameter(A, trains), nn.Parameter(B, trains)

    @property
    def rank(self) -> int:
        return self.lora_A.shape[0]

    @property
    def max_rank(self) -> int:
        """The largest useful rank: min(out, in), per group of a grouped convolution."""
        groups = self.kind.groups(self.base_layer)
        out_features, in_features = self.shape
        return groups * min(out_features // groups, in_features)

    @property
    def alpha(self) -> float:
        """This layer's own α: the one that gives its s at its rank."""
        return self.scaling / self.scaling_for(1.0, self.rank)

    def new_factors(
        self, rows: int, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """New directions with no effect: (rows × in) for A, (out × rows) for B, one of them zero.

        A is random and B is zero; an embedding, whose A is looked up, has it the other way round.
        """
        out_features, in_features = self.shape
        if issubclass(self.kind, Embedding):
            A = torch.zeros(rows, in_features)
            B = torch.randn(out_features, rows, generator=generator)
        else:
            A = INITS[self.init].rows(rows, in_features, rows, generator)
            B = torch.zeros(out_features, rows // self.kind.groups(self.base_layer))
        return A.to(self.device, self.factor_dtype), B.to(self.device, self.factor_dtype)

    def effective(self) -> tuple[torch.Tensor, torch.Tensor]:
        """A and B of the whole ΔW as the forward uses them: [A; A₀] and [B, −B₀] after PiSSA."""
        if not self.starts_in_W:
            return self.lora_A, self.lora_B
        return torch.cat([self.lora_A, self.start_A]), torch.cat([self.lora_B, -self.start_B], 1)

    def factors(self) -> Factors | None:
        A, B = self.effective()
        groups = self.kind.groups(self.base_layer)
        if groups > 1:  # (out, r/g) → block-diagonal (out, r)
            B = torch.block_diag(*B.chunk(groups))
        return Factors(A, B, self.scaling)

    def delta_weight(self) -> torch.Tensor:
        if self.starts_in_W:  # the difference of two products is exactly 0 at the start
            return self.scaling * (self.lora_B @ self.lora_A - self.start_B @ self.start_A)
        A, B, scaling = LoRALayer.factors(self)
        return scaling * (B @ A)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # (…, in) → (…, out)
        base = self.base_layer
        if not self.enabled:
            return base(x)
        if self.merged is not None:
            return self.kind.apply(base, x, self.merged, self.bias)
        A, B = self.effective()
        dropped = self.training and self.dropout and self.kind.drops_input
        autocast = torch.is_autocast_enabled(x.device.type)
        called = base._forward_hooks or base._forward_pre_hooks  # hooks hang on the layer's call
        plain = self.kind in (Linear, LinearInBlocks) and not (dropped or autocast or called)
        W = self.kind.operand(base) if plain else None  # (out, in), or what makes it
        if W is not None and x.dtype == W.dtype:
            products = max(len(A), x.numel() // x.shape[-1])
            small = isinstance(W, torch.Tensor) and W.numel() * products <= SMALL
            frozen_A = B.requires_grad and not A.requires_grad and torch.is_grad_enabled()
            if small and A.dtype == W.dtype and not frozen_A:
                return self.finish(F.linear(x, torch.addmm(W, self.scaling * B, A), base.bias))
            light = x.dtype not in HALF or is_light(A, B, self)
            narrow = not self.starts_in_W
            y = LowRankLinear.apply(x, W, base.bias, A, B, self.scaling, light, narrow)
            return self.finish(y).to(x.dtype)
        z = F.dropout(x, self.dropout) if dropped else x
        z = z.to(A.dtype) if z.is_floating_point() else z
        share = self.scaling * self.kind.low_rank(base, z, A, B)
        half = self.kind is Linear and x.dtype in HALF and not (autocast or called)
        if half and is_light(A, B, self):
            return self.finish(rounded_once(x, base, share)).to(x.dtype)
        h = base(x)
        return self.finish(h + share).to(h.dtype)

    def finish(self, y: torch.Tensor) -> torch.Tensor:
        """What a variant makes of y = (W + s·B·A) x + b (…, out)."""
        return y

    def layer_weights(self) -> LayerWeights:
        A, B, scaling = LoRALayer.factors(self)
        A, B = (p.detach().to("cpu", copy=True) for p in (A, B))
        return LayerWeights(
            self.name,
            A,
            B,
            alpha=scaling / self.scaling_for(1.0, len(A)),
            scaling=scaling,
            **self.use(),
        )
