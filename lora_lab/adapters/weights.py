"""AdapterWeights: an adapter as plain named tensors, between the live layers and the files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import psutil
import torch

from lora_lab.errors import AdapterError


class ExpertName(NamedTuple):
    """Which matrix of a mixture's experts a layer is: of one parameter of a module, by number.

    As text `….experts.3.down_proj`, which such layers were called when each expert was a module.
    """

    owner: str
    parameter: str
    number: int

    def __str__(self) -> str:
        return f"{self.owner}.{self.number}.{self.parameter}"

    @classmethod
    def of(cls, name: str) -> ExpertName | None:
        """The way back from text; None where it can be none."""
        head, _, parameter = name.rpartition(".")
        owner, _, number = head.rpartition(".")
        return cls(owner, parameter, int(number)) if owner and number.isdecimal() else None


@dataclass(frozen=True)
class LayerWeights:
    """The factors of one layer, on the CPU, detached from any graph.

    `name` is the module's path in the base model, `lora_A` is (rank × in), `lora_B` (out × rank),
    and scaling · lora_B @ lora_A is (out × in): ΔW itself, or with a `magnitude` (out) the change
    of direction of DoRA. `kind` names the layer's type (lora_lab.adapters.kinds), `weight_shape`
    is the native shape of its W, () where that is (out, in), of an expert that of the parameter
    which holds all of them (experts, …); a convolution in `groups` has a
    block-diagonal lora_B here. Its `dilation`, () where it has none, and its `padding_mode` are no
    part of ΔW but of what the layer does with it.
    """

    name: str
    lora_A: torch.Tensor
    lora_B: torch.Tensor
    alpha: float
    scaling: float
    kind: str = "linear"
    weight_shape: tuple[int, ...] = ()
    groups: int = 1
    magnitude: torch.Tensor | None = None
    dilation: tuple[int, ...] = ()
    padding_mode: str = "zeros"
    # False: its network reads weight or stride itself, as nn.MultiheadAttention does, or holds the
    # layer at two places
    called: bool = True
    also: tuple[str, ...] = ()  # further paths of the very same layer
    vectors: torch.Tensor | None = None  # of VeRA, d (rank) and then b (out); see `shared`

    @property
    def rank(self) -> int:
        return self.lora_A.shape[0]

    @property
    def shape(self) -> tuple[int, int]:
        """(out, in) of the weight that is adapted, as a matrix."""
        return self.lora_B.shape[0], self.lora_A.shape[1]

    def delta_weight(self) -> torch.Tensor:
        """scaling · lora_B @ lora_A (out × in) in float64, the one meaning of these factors.

        Raises AdapterError where memory does not hold it: two thin factors of a small file are
        enough for a matrix of any size.
        """
        out, width = self.shape
        wanted, free = 8 * out * width, psutil.virtual_memory().available
        if wanted > free:
            raise AdapterError(
                f"{ascii(self.name)[:100]}: its ΔW of {out:,} × {width:,} takes "
                f"{wanted / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free. Close other programs "
                "or do what needs the factors alone: resize or convert it."
            )
        return (self.lora_B.double() @ self.lora_A.double()).mul_(self.scaling)


@dataclass(frozen=True)
class WholeLayer:
    """A layer that is fully trained beside the adapters, as a head that the base does not have.

    `weight` has the layer's native shape and replaces that of the base, as do `bias` (out) and the
    `buffers` of a normalisation layer. One that was not `saved` on its own came along, as an
    embedding whose vocabulary was resized.
    """

    name: str
    weight: torch.Tensor
    bias: torch.Tensor | None = None
    buffers: tuple[tuple[str, torch.Tensor], ...] = ()
    saved: bool = True

    def tensors(self) -> dict[str, torch.Tensor]:
        """Its tensors by their names in the base model's state."""
        own = {"weight": self.weight, "bias": self.bias, **dict(self.buffers)}
        return {f"{self.name}.{label}": t for label, t in own.items() if t is not None}


@dataclass(frozen=True)
class AdapterWeights:
    """A whole adapter: its variant, its layers, and what it belongs to."""

    variant: str
    layers: tuple[LayerWeights, ...]
    whole: tuple[WholeLayer, ...] = ()
    base: str = ""  # name or path of the base model, for people
    base_fingerprint: str = ""  # SHA-256 over the base's tensors, for programs
    dropout: float = 0.0
    # Of VeRA: A (rank × widest in) and B (widest out × rank) of all layers. A layer has lora_A =
    # its part of A, and lora_B = diag(b)·(its part of B)·diag(d).
    shared: tuple[torch.Tensor, torch.Tensor] | None = None
    extra: dict[str, Any] = field(default_factory=dict)
