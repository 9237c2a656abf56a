"""Merge adapters into plain weights and back, always beside a pristine W (LoRA §4.1)."""

from __future__ import annotations

from torch import nn

from lora_lab.adapters.experts import Expert, Experts
from lora_lab.adapters.inject import adapter_layers, replace_layers
from lora_lab.blocks.frozen import FrozenBlocks
from lora_lab.errors import AdapterError


def merge(model: nn.Module, *, untie: bool = False) -> None:
    """Answer with W + ΔW in one product from here on, while each pristine W is kept.

    Raises AdapterError, with nothing merged, for a model without adapters, one that is merged
    already, and a weight that is used a second time elsewhere (see `ties`) unless `untie`.
    """
    layers = _adapted(model)
    for layer in layers.values():
        if layer.merged is not None:
            raise AdapterError(f"Layer {layer.name} is merged already. Unmerge the model first.")
    _check_ties(model, untie)
    done = []
    try:
        for layer in layers.values():
            layer.merge()
            done.append(layer)
    except BaseException:  # out of memory half-way: none or all
        for layer in done:
            layer.unmerge()
        raise


def unmerge(model: nn.Module) -> None:
    """W and ΔW apart again, bit for bit; subtracting ΔW from W + ΔW would not be.

    Raises AdapterError for a model that is not merged.
    """
    layers = _adapted(model)
    for layer in layers.values():
        if layer.merged is None:
            raise AdapterError(f"Layer {layer.name} is not merged.")
    for layer in layers.values():
        layer.unmerge()


def merge_and_unload(model: nn.Module, *, untie: bool = False) -> None:
    """Replace each adapter by a plain layer with W + ΔW, which is then all that is left.

    Raises AdapterError for a model without adapters (it may have been merged before), and for tied
    weights unless `untie`: then the merged layer has its own weight, the other keeps W, and a
    transformers config says so.
    """
    layers = _adapted(model)
    _check_ties(model, untie)
    tied = bool(ties(model))
    stand_ins = [layer for layer in layers.values() if not issubclass(layer.kind, Expert)]
    stand_ins += [module for module in model.modules() if isinstance(module, Experts)]
    replace_layers(model, {module: module.merged_layer() for module in stand_ins})
    config = getattr(model, "config", None)
    if tied and getattr(config, "tie_word_embeddings", False):
        config.tie_word_embeddings = False


def ties(model: nn.Module) -> dict[str, str]:
    """Adapted layers whose W is also another module's parameter, with that module's path.

    The input and output embeddings of many language models are one tensor. An adapter on one of
    them acts on that use alone; ΔW added to the shared tensor would change both.
    """
    wrapped = {id(layer.base_layer): layer.name for layer in adapter_layers(model).values()}
    owners: dict[int, list[tuple[int, str]]] = {}
    for path, module in model.named_modules():
        blocks = module.blocks if isinstance(module, FrozenBlocks) else None
        for p in (*module._parameters.values(), blocks):
            if p is not None:
                owners.setdefault(id(p), []).append((id(module), path))
    tied = {}
    for users in owners.values():
        for module, _ in users:
            others = [path for other, path in users if other != module]
            if module in wrapped and others:
                tied[wrapped[module]] = others[0].removesuffix(".base_layer")
    return tied


def _adapted(model: nn.Module):
    layers = adapter_layers(model)
    if not layers:
        raise AdapterError("The model carries no adapters; they may have been merged already.")
    return layers


def _check_ties(model: nn.Module, untie: bool) -> None:
    if untie:
        return
    for name, other in ties(model).items():
        raise AdapterError(
            f"Layer {name} shares its weight with {other}: a merge into it would change both. "
            "Merge with untie, which gives the layer a weight of its own, or export the adapter."
        )
