"""Experts of a mixture: one parameter holds a matrix of each, and each gets factors of its own.

transformers 5 keeps the experts of a layer in parameters of three dimensions, (experts, out, in)
or, where the module says `is_transposed`, (experts, in, out). One matrix of it is adapted like the
weight of a layer; the module that owns the parameters is called with W + ΔW in their place, as
PEFT's `target_parameters` does (peft 0.21, tuners/lora/layer.py, ParamWrapper).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional as F

from lora_lab.adapters.kinds import KINDS, Linear, TransposedLinear, kind_or_none
from lora_lab.adapters.lora import LoRALayer
from lora_lab.adapters.weights import ExpertName

WORDS = ("expert", "moe")  # in the name of a class whose parameters are experts


class ExpertMatrix(nn.Module):
    """The matrix of one expert, as if it were a layer: what an adapter's `base_layer` is."""

    bias = None

    def __init__(self, owner: nn.Module, parameter: str, number: int) -> None:
        super().__init__()
        self.__dict__.update(owner=owner, parameter=parameter, number=number)  # no part of it

    @property
    def stack(self) -> torch.Tensor:
        """All experts (experts, …)."""
        return getattr(self.owner, self.parameter)

    @property
    def weight(self) -> torch.Tensor:
        """This one's, a view."""
        return self.stack[self.number]


class TurnedExpertMatrix(ExpertMatrix):
    """One that is stored as (in, out)."""


class Expert(Linear):
    """A matrix (out, in) of a stack of experts, which its network reads and does not call."""

    name = "expert"
    drops_input = False

    @staticmethod
    def weight_shape(base: nn.Module) -> tuple[int, ...]:
        return tuple(base.stack.shape)


class TurnedExpert(Expert):
    """A matrix (in, out) of such a stack."""

    name = "expert_turned"

    shape = TransposedLinear.shape
    matrix = TransposedLinear.matrix
    native = TransposedLinear.native


KINDS[TurnedExpertMatrix] = TurnedExpert  # before its parent, which it is one of as well
KINDS[ExpertMatrix] = Expert


def stacks(module: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters of a module, not of its parts, that hold experts, in their order."""
    kind = type(module).__name__.lower()
    if not any(word in kind for word in WORDS) or kind_or_none(module) is not None:
        return {}
    return {
        name: p
        for name, p in module.named_parameters(recurse=False)
        if p.dim() == 3 and len(p) > 1 and p.is_floating_point()
    }


def expert_matrices(model: nn.Module) -> dict[str, ExpertMatrix]:
    """Every expert's matrices by name, in the model's order, and of a module as it has them."""
    found: dict[str, ExpertMatrix] = {}
    for path, module in model.named_modules():
        turned = bool(getattr(module, "is_transposed", False))
        kind = TurnedExpertMatrix if turned else ExpertMatrix
        for parameter, stack in stacks(module).items() if path else ():
            for number in range(len(stack)):
                name = str(ExpertName(path, parameter, number))
                found[name] = kind(module, parameter, number)
    return found


class Experts(nn.Module):
    """Stands in the place of a module of experts and calls it with W + ΔW in place of W."""

    def __init__(self, base: nn.Module, layers: Iterable[LoRALayer]) -> None:
        super().__init__()
        self.adapters = nn.ModuleList(layers)  # ahead of the module's own parts, as they are named
        self.base_layer = base.requires_grad_(False)

    def __getattr__(self, name: str) -> Any:
        """What networks ask of the module itself; its parameters as the adapters change them."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            base = self.__dict__.get("_modules", {}).get("base_layer")
            if base is None or name.startswith("__"):
                raise
            changed = self.changed()
            if name in changed:
                for layer in self.by_parameter()[name].values():
                    layer.asked = True
            return changed.get(name, getattr(base, name))

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        changed = self.changed()
        for layer in self.adapters:
            layer.called = True
        if not changed:
            return self.base_layer(*args, **kwargs)
        return functional_call(self.base_layer, changed, args, kwargs, tie_weights=False)

    def by_parameter(self) -> dict[str, dict[int, LoRALayer]]:
        """Parameter → number of the expert → its adapter."""
        found: dict[str, dict[int, LoRALayer]] = {}
        for layer in self.adapters:
            found.setdefault(layer.base_layer.parameter, {})[layer.base_layer.number] = layer
        return found

    def changed(self) -> dict[str, torch.Tensor]:
        """W + ΔW of every parameter with an adapter that is on, in its native shape and dtype."""
        return {
            name: _changed(getattr(self.base_layer, name), own)
            for name, own in self.by_parameter().items()
            if any(layer.enabled for layer in own.values())
        }

    @torch.no_grad()
    def merged_layer(self) -> nn.Module:
        """The module with W + ΔW as its parameters; no other module shares them."""
        for name, tensor in self.changed().items():
            setattr(self.base_layer, name, nn.Parameter(tensor.clone(), requires_grad=False))
        return self.base_layer


def _changed(W: torch.Tensor, layers: Mapping[int, LoRALayer]) -> torch.Tensor:
    """W + s·B·A of each expert that has an adapter, all in one product where none is merged."""
    if any(layer.merged is not None for layer in layers.values()):
        rows = [layers[i].changed_weight() if i in layers else W[i] for i in range(len(W))]
        return torch.stack(rows)
    first = next(iter(layers.values()))
    down, up = [], []  # (r × in), (out × r), of one rank: rows of zeros change no product
    factors = {i: layer.effective() for i, layer in layers.items() if layer.enabled}
    rank = max(len(A) for A, _ in factors.values())
    nothing = (
        first.lora_A.new_zeros(rank, first.shape[1]),
        first.lora_A.new_zeros(first.shape[0], rank),
    )
    for i in range(len(W)):
        if i not in factors:
            A, B = nothing
        else:
            A, B = factors[i]
            A, B = F.pad(A, (0, 0, 0, rank - len(A))), F.pad(B, (0, rank - len(A)))
            B = layers[i].scaling * B
        down.append(A)
        up.append(B)
    left, right = torch.stack(up), torch.stack(down)
    if first.kind is TurnedExpert:
        left, right = right.mT, left.mT
    return torch.baddbmm(W.to(left.dtype), left, right).to(W.dtype)
