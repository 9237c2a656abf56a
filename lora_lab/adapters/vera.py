"""VeRA: one frozen random pair A, B for all layers, and two vectors a layer (Kopiczko et al. 2023).

The pair is as large as the largest layer needs and each layer takes the first rows and columns of
it, as in PEFT (tuners/vera/model.py).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import torch
from torch import nn

from lora_lab.adapters.base import AdapterLayer, Sharing
from lora_lab.adapters.kinds import Linear, LinearInBlocks, TransposedLinear
from lora_lab.adapters.lora import LoRALayer
from lora_lab.adapters.moments import carry_block
from lora_lab.adapters.row_major import row_major
from lora_lab.adapters.weights import LayerWeights
from lora_lab.adapters.widened import widened
from lora_lab.errors import AdapterError
from lora_lab.variants import VARIANTS

START = 0.1  # of the vector d: what the paper and PEFT begin with


class SharedPair:
    """A (R × widest in) and B (widest out × R) of a model's layers, as buffers of the first one.

    Both are Kaiming uniform as PEFT draws them: bounds √(6/in) and √(6/r) of the rank at the start.
    Rows of A, and columns of B, come from a stream each, so that a higher rank adds to what is
    there.
    """

    def __init__(self, layers: Sequence[VeRALayer], seed: int) -> None:
        self.owner, self.seed = layers[0], seed
        self.widest = max(x.shape[0] for x in layers), max(x.shape[1] for x in layers)
        self.start = max(x.rank for x in layers)
        self.owner.register_buffer("shared_A", None, persistent=False)
        self.owner.register_buffer("shared_B", None, persistent=False)
        for layer in layers:
            layer.pair = self
        self.reach(self.start)

    def reach(self, rank: int) -> None:
        """Have that many rows of A and columns of B at least."""
        owner = self.owner
        held = 0 if owner.shared_A is None else len(owner.shared_A)
        if held >= rank:
            return
        out_features, in_features = self.widest
        A = _drawn(rank, in_features, math.sqrt(6 / in_features), 2 * self.seed)
        B = _drawn(rank, out_features, math.sqrt(6 / self.start), 2 * self.seed + 1).t()
        place = {"device": owner.base_layer.weight.device, "dtype": owner.factor_dtype}
        A, B = A.to(**place), row_major(B.to(**place))
        if held:  # as it is, also where it came out of a checkpoint
            A = torch.cat([owner.shared_A, A[held:]])
            B = torch.cat([owner.shared_B, B[:, held:]], 1)
        owner.shared_A, owner.shared_B = A, B


class VeRALayer(LoRALayer):
    """h = W x + b + v ∘ B·(d ∘ A x),   A: (r × in), B: (out × r) random, frozen and shared by all.

    arXiv 2310.11454, eq. 2: trained are d (r), which starts at 0.1, and v (out), the paper's b,
    which starts at 0. There is no scaling. ΔW = diag(v)·B·diag(d)·A is of rank r, and d is taken
    into B, so that the backward pass keeps A x and nothing of the layer's width.
    """

    locked = VARIANTS["vera"].locked
    ranked_by, vectors = "vera_d", ("vera_d", "vera_b")
    max_rank = 4096  # no limit of the layer's own: a direction more is one number
    scaling_for = staticmethod(VARIANTS["vera"].scaling)

    def begin(self, rank: int, generator: torch.Generator) -> None:
        if self.kind not in (Linear, LinearInBlocks, TransposedLinear):
            raise AdapterError(
                f"Layer {self.name} is a {type(self.base_layer).__name__}; the pair that the "
                "layers of VeRA share is for linear layers, and so it is in PEFT. Leave it out of "
                "the targets, or choose the variant lora."
            )
        if not hasattr(self, "pair"):
            self.pair: SharedPair | None = None
        place = {"device": self.base_layer.weight.device, "dtype": self.factor_dtype}
        self.vera_d = nn.Parameter(torch.full((rank,), START, **place))
        self.vera_b = nn.Parameter(torch.zeros(self.shape[0], **place))

    @classmethod
    def share(cls, layers: Sequence[VeRALayer], asked: Sharing) -> None:
        SharedPair(layers, asked.seed)

    @property
    def rank(self) -> int:
        return len(self.vera_d)

    @property
    def lora_A(self) -> torch.Tensor:
        """The layer's own part of the pair (r × in)."""
        self.pair.reach(self.rank)
        return self.pair.owner.shared_A[: self.rank, : self.shape[1]]

    @property
    def lora_B(self) -> torch.Tensor:
        """The layer's own part of the pair (out × r)."""
        self.pair.reach(self.rank)
        return self.pair.owner.shared_B[: self.shape[0], : self.rank]

    def effective(self) -> tuple[torch.Tensor, torch.Tensor]:
        return self.lora_A, self.vera_b[:, None] * self.lora_B * self.vera_d

    def delta_weight(self) -> torch.Tensor:
        A, B = self.effective()
        return B @ A

    @property
    def carrier(self) -> nn.Parameter:
        return self.vera_b

    @torch.no_grad()
    def to_rank(
        self, rank: int, c: float, optimizer: torch.optim.Optimizer, generator: torch.Generator
    ) -> float:
        """Add directions whose d is 0, so that ΔW stays (0.1 where v is 0), or drop the last."""
        old, before = self.vera_d, self._energy()
        fill = 0.0 if self.vera_b.any() else START
        new = old.new_full((rank,), fill)
        kept = min(rank, len(old))
        self.pair.reach(rank)
        new[:kept] = old[:kept]
        self.vera_d = nn.Parameter(new, old.requires_grad)
        carry_block(optimizer, old, self.vera_d, 1.0)
        return max(0.0, 1 - self._energy() / before) if before and rank < len(old) else 0.0

    def _energy(self) -> float:
        """‖ΔW‖², without forming ΔW."""
        A, B = (widened(p) for p in self.effective())
        return float(((B.t() @ B) * (A @ A.t())).sum())

    def beside(self) -> dict[str, torch.Tensor]:
        if self.pair is None or self.pair.owner is not self:
            return {}
        return {"shared_A": self.shared_A, "shared_B": self.shared_B}

    def shapes(self, rank: int, stored: Mapping[str, torch.Tensor]) -> dict[str, tuple[int, ...]]:
        held = max(rank, len(stored.get("shared_A", ())))
        out_features, in_features = self.pair.widest
        A, B = (held, in_features), (out_features, held)
        return {"vera_d": (rank,), "vera_b": self.shape[:1], "shared_A": A, "shared_B": B}

    @staticmethod
    def stored(tensors: Mapping[str, torch.Tensor], like: LayerWeights) -> LayerWeights:
        pair = [next(t for key, t in tensors.items() if key.endswith(f"|shared_{x}")) for x in "AB"]
        d, b = (tensors[f"{like.name}|vera_{x}"] for x in "db")
        out_features, in_features = like.shape
        A, B = pair[0][: len(d), :in_features], pair[1][:out_features, : len(d)]
        both = torch.cat([d, b])
        return replace(like, lora_A=A.clone(), lora_B=b[:, None] * B * d, vectors=both)

    def layer_weights(self) -> LayerWeights:
        both = torch.cat([self.vera_d, self.vera_b]).detach().to("cpu", copy=True)
        return replace(super().layer_weights(), alpha=float(self.rank), vectors=both)


def shared_pair(layers: Iterable[AdapterLayer]) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Copies on the CPU of what VeRA's layers share; None where there are none."""
    for layer in layers:
        if isinstance(layer, VeRALayer):
            A, B = (t.detach().to("cpu", copy=True) for t in layer.pair.owner.beside().values())
            return A, B
    return None


def _drawn(rows: int, width: int, bound: float, seed: int) -> torch.Tensor:
    """Rows (rows × width) of a stream: fewer of them are the first of more."""
    generator = torch.Generator().manual_seed(seed)
    return torch.empty(rows, width).uniform_(-bound, bound, generator=generator)
