"""Put adapters into a model and take them out: targets, inject, iterate, merge, remove."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from lora_lab.adapters import INITS, VARIANTS, AdapterLayer
from lora_lab.errors import AdapterError


def find_targets(model: nn.Module, targets: tuple[str, ...] = ()) -> dict[str, nn.Linear]:
    """The linear layers that `targets` name, by module path; all of them where it is empty.

    A target is a full path or its dotted end ("q_proj" matches "layers.0.q_proj"), never a
    pattern. Raises AdapterError for a target that matches nothing or cannot be adapted.
    """
    linear = {n: m for n, m in model.named_modules() if isinstance(m, nn.Linear)}
    if not linear:
        raise AdapterError("The model has no linear layer to adapt.")
    if "" in linear:
        raise AdapterError("The model is a bare linear layer; put it inside a module to adapt it.")
    if not targets:
        return linear
    found = {}
    for target in targets:
        named = [n for n, _ in model.named_modules() if n == target or n.endswith("." + target)]
        if not named:
            near = difflib.get_close_matches(target, linear, n=3, cutoff=0.3)
            hint = f" Near it: {', '.join(near)}." if near else ""
            raise AdapterError(f"No layer is called {target!r}.{hint}")
        for name in named:
            if name not in linear:
                kind = type(model.get_submodule(name)).__name__
                raise AdapterError(f"Layer {name} is a {kind}; only linear layers are adapted.")
            found[name] = linear[name]
    return {name: linear[name] for name in linear if name in found}  # the model's own order


def inject(
    model: nn.Module,
    *,
    variant: str = "lora",
    rank: int = 8,
    alpha: float = 16.0,
    init: str = "kaiming",
    targets: tuple[str, ...] = (),
    seed: int = 0,
) -> dict[str, AdapterLayer]:
    """Freeze `model`, wrap its target layers, and return the adapters by module path.

    Raises AdapterError for unknown names, an adapted model, a rank below 1, an α that is not a
    positive number, or a weight that is not a floating-point tensor with data.
    """
    if variant not in VARIANTS:
        raise AdapterError(f"No variant {variant!r}; there are: {', '.join(VARIANTS)}.")
    if init not in INITS:
        raise AdapterError(f"No init {init!r}; there are: {', '.join(INITS)}.")
    if rank < 1:
        raise AdapterError(f"Rank must be at least 1, not {rank}.")
    if not 0 < alpha < float("inf"):
        raise AdapterError(f"Alpha must be a positive number, not {alpha}.")
    if any(isinstance(module, AdapterLayer) for module in model.modules()):
        raise AdapterError("The model carries adapters already. Remove or merge them first.")
    linear = find_targets(model, targets)
    for name, layer in linear.items():
        if layer.weight.is_meta or not layer.weight.is_floating_point():
            kind = "no data" if layer.weight.is_meta else str(layer.weight.dtype)
            raise AdapterError(f"Layer {name} cannot be adapted: its weight has {kind}.")
    model.requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    layers = {}
    for name, layer in linear.items():
        layers[name] = VARIANTS[variant](layer, name, rank, alpha, init, generator)
        _replace(model, name, layers[name])
    return layers


def adapter_layers(model: nn.Module) -> dict[str, AdapterLayer]:
    """The adapters of a model by module path, in the model's order."""
    return {m.name: m for m in model.modules() if isinstance(m, AdapterLayer)}


@contextmanager
def switched(layers: dict[str, AdapterLayer], enabled: bool) -> Iterator[None]:
    """Answer with (W + ΔW) x or with W x alone for a while; nothing is computed or copied."""
    before = {name: layer.enabled for name, layer in layers.items()}
    for layer in layers.values():
        layer.enabled = enabled
    try:
        yield
    finally:
        for name, layer in layers.items():
            layer.enabled = before[name]


def remove(model: nn.Module) -> None:
    """Take the adapters out; the very layers that were wrapped stand there again, bit for bit."""
    for name, layer in adapter_layers(model).items():
        _replace(model, name, layer.base_layer)


def merge(model: nn.Module) -> None:
    """Replace each adapter by a plain layer with W + ΔW (LoRA §4.1: no added latency)."""
    for name, layer in adapter_layers(model).items():
        _replace(model, name, layer.merged_layer())


def _replace(model: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(model.get_submodule(parent), child, module)
