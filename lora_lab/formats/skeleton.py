"""A model with the names, types and shapes of an adapter's layers, and with no weights of its own.

Libraries load adapters into a model. The true one may be far away or take many gigabytes; here each
W is one zero, seen as a whole matrix, until a layer is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from lora_lab.adapters.weights import ExpertName, LayerWeights, WholeLayer
from lora_lab.errors import AdapterError
from lora_lab.formats.peft_parameters import is_expert


class Held(nn.Module):
    """A layer that an adapter replaces whole."""

    def __init__(self, whole: WholeLayer) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros_like(whole.weight), requires_grad=False)
        bias = None if whole.bias is None else torch.zeros_like(whole.bias)
        self.bias = None if bias is None else nn.Parameter(bias, requires_grad=False)


def grow(
    root: nn.Module, layers: Iterable[LayerWeights], whole: Iterable[WholeLayer] = (), cut: str = ""
) -> None:
    """Put a module into `root` for every layer, at its path without the beginning `cut`."""
    for layer in layers:
        if is_expert(layer):
            _put_experts(root, layer, cut)
        else:
            _put(root, layer.name.removeprefix(cut), _module(layer))
    for row in whole:
        _put(root, row.name.removeprefix(cut), Held(row))


def weight_of(layer: LayerWeights, seed: int = 0) -> torch.Tensor:
    """W (out × in) to see ΔW against: zeros, or of DoRA random rows whose norms are near to m."""
    W = torch.zeros(layer.shape)
    if layer.magnitude is None:
        return W
    W = torch.randn(W.shape, generator=torch.Generator().manual_seed(seed))
    return W * (layer.magnitude.float().abs() / W.norm(dim=1))[:, None]


def native(layer: LayerWeights, M: torch.Tensor) -> torch.Tensor:
    """A matrix (out × in) in the shape of the layer's own weight, as a tensor of its own."""
    if layer.kind in ("conv1d_linear", "embedding"):
        return M.t().contiguous()
    return M.reshape(layer.weight_shape or M.shape).clone()


def matrix(layer: LayerWeights, W: torch.Tensor) -> torch.Tensor:
    """A native weight as a matrix (out × in)."""
    return W.t() if layer.kind in ("conv1d_linear", "embedding") else W.flatten(1)


def _module(layer: LayerWeights) -> nn.Module:
    (out, width), shape = layer.shape, layer.weight_shape
    with torch.device("meta"):
        if layer.kind == "embedding":
            module: nn.Module = nn.Embedding(width, out)
        elif layer.kind == "conv":
            kind = nn.Conv1d if len(shape) == 3 else nn.Conv2d
            module = kind(shape[1] * layer.groups, out, shape[2:], groups=layer.groups, bias=False)
        elif layer.kind == "conv1d_linear":
            from transformers.pytorch_utils import Conv1D

            module = Conv1D(out, width)
            module.bias = None
        else:
            module = nn.Linear(width, out, bias=False)
    nothing = torch.zeros(()).expand(module.weight.shape)
    module.weight = nn.Parameter(nothing, requires_grad=False)
    return module


def _put_experts(root: nn.Module, layer: LayerWeights, cut: str) -> None:
    """The parameter that holds the layer's expert and others, in a module of its own."""
    name = ExpertName.of(layer.name)
    assert name is not None
    owner = name.owner.removeprefix(cut)
    try:
        module = root.get_submodule(owner)
    except AttributeError:
        module = nn.Module()
        module.is_transposed = layer.kind == "expert_turned"
        _put(root, owner, module)
    if name.parameter not in module._parameters:
        nothing = torch.zeros(()).expand(layer.weight_shape)
        held = dict(module._parameters)
        for own in sorted((*held, name.parameter), key=_inside_out):  # PEFT's order
            module._parameters.pop(own, None)
            value = held.get(own)
            module.register_parameter(
                own, nn.Parameter(nothing, requires_grad=False) if value is None else value
            )


def _inside_out(parameter: str) -> tuple[bool, str]:
    return parameter.startswith("down"), parameter


def _put(root: nn.Module, path: str, module: nn.Module) -> None:
    *parents, name = path.split(".")
    for parent in parents:
        if parent not in root._modules:
            root.add_module(parent, nn.Module())
        root = root._modules[parent]
    if name in root._modules:
        raise AdapterError(f"{path} is a layer and holds others.")
    root.add_module(name, module)
