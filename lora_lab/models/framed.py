"""A model of transformers around layers that stand ready: their weights never pass through it.

Its own loading fills every other parameter. Where a layer in blocks belongs, an empty one stands
meanwhile, which has nothing to be loaded, drawn or tied.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from lora_lab.blocks.frozen import FrozenBlocks, FrozenEmbedding, FrozenLinear


@dataclass
class Given:
    """What a checkpoint gives: config, tensors as transformers names them, and layers in blocks."""

    values: dict[str, Any]
    state: dict[str, torch.Tensor]
    blocks: dict[str, FrozenBlocks] = field(default_factory=dict)  # by module path
    notes: tuple[str, ...] = ()

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Of all weights."""
        own = [tuple(tensor.shape) for tensor in self.state.values()]
        return own + [layer.shape for layer in self.blocks.values()]

    @property
    def numbers(self) -> int:
        packed = sum(rows * columns for rows, columns in (x.shape for x in self.blocks.values()))
        return packed + sum(tensor.numel() for tensor in self.state.values())


def framed(kind: Any, blocks: Mapping[str, FrozenBlocks]) -> Any:
    """The class `kind` of transformers, with empty layers in the places of `blocks`."""
    if not blocks:
        return kind

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        kind.__init__(self, *args, **kwargs)
        for name, layer in blocks.items():
            _put(self, name, _empty(layer))
        ready = {f"{name}.weight" for name in blocks}
        self.all_tied_weights_keys = {
            one: other
            for one, other in self.all_tied_weights_keys.items()
            if not {one, other} & ready
        }

    return type(kind.__name__, (kind,), {"__init__": init, "__module__": kind.__module__})


def filled(model: Any, kind: Any, blocks: Mapping[str, FrozenBlocks]) -> Any:
    """`model`, of the class that `framed` made, with its `blocks` in place; of class `kind`."""
    for name, layer in blocks.items():
        if isinstance(layer, FrozenLinear) and layer.bias is not None:
            layer.bias = model.get_submodule(name).bias
        _put(model, name, layer)
    if blocks:
        model.__class__ = kind
    return model


def _empty(layer: FrozenBlocks) -> nn.Module:
    if isinstance(layer, FrozenEmbedding):
        return FrozenEmbedding(*layer.shape, layer.form, layer.dtype)
    rows, columns = layer.shape
    return FrozenLinear(columns, rows, layer.bias is not None, layer.form, layer.dtype)


def _put(model: nn.Module, name: str, layer: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(model.get_submodule(parent), child, layer)
