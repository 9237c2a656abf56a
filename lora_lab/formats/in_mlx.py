"""What mlx-lm makes of an adapter folder: loaded by its own loader, and fused layer by layer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lora_lab.adapters.weights import AdapterWeights
from lora_lab.errors import ExportError
from lora_lab.formats.in_peft import Merged
from lora_lab.formats.skeleton import weight_of


def merged(folder: Path, weights: AdapterWeights) -> Iterator[Merged]:
    """Every layer as mlx-lm fuses it."""
    import mlx.core as mx
    import mlx.nn as mlx_nn
    from mlx.utils import tree_unflatten
    from mlx_lm.tuner.utils import load_adapters

    class Network(mlx_nn.Module):
        """A language model, as far as the loader looks."""

        @property
        def layers(self) -> list[Any]:
            inner = self
            while isinstance(inner, mlx_nn.Module) and "layers" not in inner:
                inner = next((v for v in inner.values() if isinstance(v, mlx_nn.Module)), None)
            return inner["layers"] if inner is not None else []

    linears = []
    for layer in weights.layers:
        linear = mlx_nn.Linear(1, 1, bias=False)
        linear.weight = mx.zeros(layer.shape)
        linears.append((layer.name, linear))
    network = Network()
    for key, value in tree_unflatten(linears).items():
        network[key] = _modules(value, mlx_nn)
    network = load_adapters(network, str(folder))
    adapted = dict(network.named_modules())
    for layer in weights.layers:
        module = adapted[layer.name]
        if not hasattr(module, "fuse"):
            raise ExportError(f"mlx-lm does not adapt {layer.name} by the written file.")
        W = weight_of(layer)
        module.linear.weight = mx.array(W.numpy())
        fused = np.array(module.fuse().weight.astype(mx.float32))
        module.linear.weight = mx.zeros(layer.shape)
        yield layer.name, W, torch.from_numpy(fused)


def _modules(tree: Any, nn: Any) -> Any:
    """A nest of dicts and lists as modules that hold each other."""
    if isinstance(tree, list):
        return [_modules(x, nn) for x in tree]
    if not isinstance(tree, dict) or isinstance(tree, nn.Module):
        return tree
    module = nn.Module()
    for key, value in tree.items():
        module[key] = _modules(value, nn)
    return module
