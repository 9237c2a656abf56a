"""AdapterLayer: a frozen layer with its W and, beside it, the change ΔW that is learned."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import nn

from lora_lab.adapters.kinds import kind_of
from lora_lab.adapters.weights import LayerWeights
from lora_lab.blocks.frozen import FrozenBlocks, FrozenEmbedding, FrozenLinear
from lora_lab.errors import AdapterError
from lora_lab.projections import FLAT, HASH


class Factors(NamedTuple):
    """ΔW = scaling·B·A, with A (r × in) and B (out × r)."""

    A: torch.Tensor
    B: torch.Tensor
    scaling: float


class Sharing(NamedTuple):
    """What the layers of a model are asked to have in common, where their variant shares it."""

    seed: int = 0
    dimension: int = 1  # numbers of a subspace
    projection: str = HASH  # by which they move all weights
    structure: str = FLAT  # whether that is one for all tensors


class AdapterLayer(nn.Module):
    """Stands in the place of a layer and answers W x + ΔW x + b, or W x + b when disabled.

    `base_layer` is the wrapped layer itself, frozen and never written to. Its W counts as a matrix
    (out × in) whatever its native shape (lora_lab.adapters.kinds). A variant defines ΔW once, in
    `delta_weight()`, and may add a forward that never forms it. `locked` names the hyperparameters
    that cannot change in mid-run, with the reason.
    """

    locked: tuple[tuple[str, str], ...] = ()
    reads_base = False  # whether W is looked at beside the product with x
    vectors: tuple[str, ...] = ()  # trained tensors of one dimension that are all of ΔW, and decay

    def __init__(self, base_layer: nn.Module, name: str) -> None:
        super().__init__()
        self.kind = kind_of(base_layer, name)
        self.base_layer = base_layer.requires_grad_(False)
        self.name = name
        self.enabled = True
        self.merged: torch.Tensor | None = None  # W + ΔW, native shape, while merged
        # By its network: the layer, its weight, a setting as its stride; and whether what it read
        # of the weight took part in its answer, or the layer is held at more places than one.
        self.called = self.read = self.asked = self.computed_with = self.shared = False
        self.also: tuple[str, ...] = ()  # further paths of the very same layer

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.called = True
        return super().__call__(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        """What networks ask of the layer itself, such as its stride or in_features."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            base = self.__dict__.get("_modules", {}).get("base_layer")
            if base is None or name.startswith("__"):
                raise
            found = getattr(base, name)
            if name not in ("in_features", "out_features"):  # which PEFT's layers have as well
                self.__dict__["asked"] = True
            return found

    @classmethod
    def share(cls, layers: Sequence[AdapterLayer], asked: Sharing) -> None:
        """Give the layers of a model that are of this variant what they have in common."""

    @property
    def shape(self) -> tuple[int, int]:
        """(out, in) of W and of ΔW as matrices."""
        return self.kind.shape(self.base_layer)

    @property
    def matrix(self) -> torch.Tensor:
        """The frozen W as a matrix (out × in), a view."""
        return self.kind.matrix(self.base_layer, self._base_weight())

    def _base_weight(self) -> torch.Tensor:
        """W in its native shape; raises AdapterError where this process has a part of it alone."""
        W = self.base_layer.weight
        if hasattr(W, "full_tensor"):
            raise AdapterError(
                f"W of {self.name} is sharded over the processes of this run. What looks at W "
                "itself, such as merging, needs all of it: save, and resume the run on one device."
            )
        return W

    @cached_property
    def weight_norm(self) -> float:
        """‖W‖ (Frobenius), which never changes, summed in `factor_dtype`."""
        base = self.base_layer
        if isinstance(base, FrozenBlocks):
            return base.norm
        return torch.linalg.vector_norm(base.weight.detach(), dtype=self.factor_dtype).item()

    @property
    def factor_dtype(self) -> torch.dtype:
        """What is trained on a half-precision base stays in float32: steps are below bf16's."""
        _, dtype = self.kind.device_and_dtype(self.base_layer)
        return torch.float64 if dtype == torch.float64 else torch.float32

    @property
    def device(self) -> torch.device:
        """Where W is."""
        return self.kind.device_and_dtype(self.base_layer)[0]

    def delta_weight(self) -> torch.Tensor:
        """ΔW (out × in) in the adapter's dtype: the one definition of what is learned."""
        raise NotImplementedError

    def factors(self) -> Factors | None:
        """Factors of the real ΔW; None where ΔW is of full rank."""
        return None

    @property
    def weight(self) -> torch.Tensor:
        """W + ΔW in the layer's native shape and dtype; when disabled, the identical tensor W.

        The tutorial's parametrization, for code that reads a layer's weight instead of calling it.
        """
        self.read = True
        weight = self.changed_weight()
        if weight.requires_grad:  # a gradient arrives where more than its dtype was wanted
            weight.register_hook(self._is_computed_with)
        return weight

    def _is_computed_with(self, _gradient: torch.Tensor) -> None:
        self.computed_with = True

    def changed_weight(self) -> torch.Tensor:
        """What `weight` is, asked by the adapters themselves and not by the network."""
        W = self._base_weight()
        if not self.enabled:
            return W
        if self.merged is not None:
            return self.merged
        return (W + self.kind.native(self.base_layer, self.delta_weight())).to(W.dtype)

    @property
    def bias(self) -> torch.Tensor | None:
        return getattr(self.base_layer, "bias", None)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # (…, in) → (…, out)
        if not self.enabled:
            return self.base_layer(x)
        return self.kind.apply(self.base_layer, x, self.changed_weight(), self.bias)

    def adapter_parameters(self) -> list[nn.Parameter]:
        """What the optimizer may train."""
        return [p for _, p in self.named_parameters(recurse=False)]

    @property
    def frozen(self) -> bool:
        """Whether this layer's ΔW stays as it is; it still takes part in the forward."""
        return not any(p.requires_grad for p in self.adapter_parameters())

    @frozen.setter
    def frozen(self, frozen: bool) -> None:
        for p in self.adapter_parameters():
            p.requires_grad_(not frozen)
            if frozen:
                p.grad = None  # an optimizer passes over what has no gradient, decay included

    def beside(self) -> dict[str, torch.Tensor]:
        """What is not trained and belongs to the layer's state, by the names of its buffers."""
        return {}

    def use(self) -> dict[str, Any]:
        """What the layer is and what its network does with it, in the fields of LayerWeights."""
        return {
            "kind": self.kind.name,
            "weight_shape": self.kind.weight_shape(self.base_layer),
            "groups": self.kind.groups(self.base_layer),
            "called": (self.called or not self.read)
            and not (self.asked or self.computed_with or self.shared),
            "also": self.also,
            **self.kind.window(self.base_layer),
        }

    def layer_weights(self) -> LayerWeights | None:
        """The factors as plain CPU tensors; None where the variant has no factors."""
        return None

    @torch.no_grad()
    def merge(self) -> None:
        """Answer with one product by W + ΔW from here on; the pristine W stays where it is.

        Raises AdapterError if it is merged already, which would add ΔW twice.
        """
        if self.merged is not None:
            raise AdapterError(f"Layer {self.name} is merged already. Unmerge it first.")
        enabled, self.enabled = self.enabled, True
        try:
            self.merged = self.changed_weight().detach().contiguous()
        finally:
            self.enabled = enabled

    def unmerge(self) -> None:
        """Answer with W and ΔW apart again, bit for bit as before the merge.

        Raises AdapterError if it is not merged.
        """
        if self.merged is None:
            raise AdapterError(f"Layer {self.name} is not merged.")
        self.merged = None

    @torch.no_grad()
    def merged_layer(self) -> nn.Module:
        """A plain layer of the wrapped type with W + ΔW; W itself is left untouched."""
        if self.merged is None:
            self.merge()
            weight = self.merged
            self.unmerge()
        else:
            weight = self.merged
        return self._plain_layer(weight, self.bias)

    def _plain_layer(self, weight: torch.Tensor, bias: torch.Tensor | None) -> nn.Module:
        """The wrapped layer's twin with another weight, sharing no tensor with it."""
        base = self.base_layer
        if isinstance(base, FrozenLinear):
            base = nn.utils.skip_init(nn.Linear, *reversed(base.shape), base.bias is not None)
        elif isinstance(base, FrozenEmbedding):
            base = nn.utils.skip_init(nn.Embedding, *base.shape)
        plain = type(base).__new__(type(base))
        plain.__dict__ = {**base.__dict__, "_parameters": {}}
        plain.weight = nn.Parameter(weight.clone(), requires_grad=False)
        if "bias" in base._parameters:
            plain.bias = None if bias is None else nn.Parameter(bias.detach().clone(), False)
        return plain
