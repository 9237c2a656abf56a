"""What PEFT makes of an adapter folder: loaded by PEFT itself, and merged layer by layer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from lora_lab.adapters.weights import AdapterWeights, ExpertName, LayerWeights
from lora_lab.errors import ExportError
from lora_lab.formats.peft_beside import BASE_LAYER
from lora_lab.formats.peft_parameters import is_expert
from lora_lab.formats.skeleton import grow, matrix, native, weight_of

Merged = tuple[str, torch.Tensor, torch.Tensor]  # layer, W and W + ΔW (out × in)


def merged(folder: Path, weights: AdapterWeights) -> Iterator[Merged]:
    """Every layer as PEFT merges it; a layer that is fully trained comes with W = 0.

    Raises ExportError where PEFT adapts other layers.
    """
    from peft import PeftConfig, PeftModel

    root = nn.Module()
    under = tuple(row for row in weights.whole if row.name.endswith(BASE_LAYER))
    grow(root, weights.layers, tuple(row for row in weights.whole if row not in under))
    for row in under:  # PEFT's file has the weight that an adapted layer stands on
        held = root.get_submodule(row.name.removesuffix(BASE_LAYER))
        held.weight = nn.Parameter(torch.zeros_like(row.weight), requires_grad=False)
    config = PeftConfig.from_pretrained(str(folder))
    config.task_type = None  # which wraps what a model does, not what its layers are
    model = PeftModel.from_pretrained(root, str(folder), config=config).base_model.model
    for row in weights.whole:
        held = model.get_submodule(row.name)
        if row.saved and not hasattr(held, "modules_to_save"):
            raise ExportError(f"PEFT leaves {row.name} as it is in the base.")
        tensors = (held.modules_to_save["default"] if row.saved else held).state_dict()
        for key, wanted in row.tensors().items():
            found = tensors[key.rpartition(".")[2]]
            yield key, torch.zeros_like(wanted), found
    yield from merged_layers(model, weights.layers, "PEFT")


def merged_layers(model: nn.Module, layers: tuple[LayerWeights, ...], by: str) -> Iterator[Merged]:
    """Each adapted layer of a model, merged by PEFT's own rule into a W of its own."""
    adapted = {_called(name, m): m for name, m in model.named_modules() if _is_lora(m)}
    wanted = {layer.name: _path(layer) for layer in layers}
    if missing := [name for name, path in wanted.items() if path not in adapted]:
        raise ExportError(f"{by} does not adapt {missing[0]} by the written file.")
    if more := adapted.keys() - set(wanted.values()):
        raise ExportError(f"{by} adapts {min(more)} as well by the written file.")
    for layer in layers:
        module = adapted[wanted[layer.name]]
        assert _is_lora(module)
        if is_expert(layer):
            number = ExpertName.of(layer.name).number  # type: ignore[union-attr]
            found = module.get_delta_weight("default")[number].detach()
            found = found.t() if layer.kind == "expert_turned" else found
            yield layer.name, torch.zeros(layer.shape), found
            continue
        base, W = module.get_base_layer(), weight_of(layer)
        nothing = base.weight
        base.weight = nn.Parameter(native(layer, W), requires_grad=False)
        if layer.groups > 1:
            found = _by_impulses(module, layer)
        else:
            module.merge()
            found = matrix(layer, base.weight.detach())
        yield layer.name, W, found
        base.weight = nothing  # one whole W at a time


@torch.no_grad()
def _by_impulses(module: nn.Module, layer: LayerWeights) -> torch.Tensor:
    """The matrix (out × in) of a convolution in groups, which PEFT applies and does not merge."""
    (out, width), groups, kernel = layer.shape, layer.groups, layer.weight_shape[2:]
    each = torch.eye(groups * width).reshape(-1, layer.weight_shape[1] * groups, *kernel)
    dense = module(each).reshape(groups * width, out).t()  # (out, groups · in)
    blocks = dense.reshape(groups, out // groups, groups, width)
    own = torch.cat([blocks[i, :, i] for i in range(groups)])
    if int(dense.count_nonzero()) != int(own.count_nonzero()):
        raise ExportError(f"PEFT mixes the groups of {layer.name}.")
    return own


def _called(name: str, module: nn.Module) -> str:
    """The path of what a module of PEFT adapts: of a parameter among others with its name."""
    parameter = getattr(module, "parameter_name", "weight")
    if parameter == "weight" and getattr(module, "num_experts", 1) == 1:
        return name
    while name.endswith(BASE_LAYER):
        name = name.removesuffix(BASE_LAYER)
    return f"{name}.{parameter}"


def _path(layer: LayerWeights) -> str:
    """The same of a layer of the adapter."""
    expert = ExpertName.of(layer.name) if is_expert(layer) else None
    return layer.name if expert is None else f"{expert.owner}.{expert.parameter}"


def _is_lora(module: nn.Module) -> bool:
    from peft.tuners.lora import LoraLayer
    from peft.tuners.vera import VeraLayer

    return isinstance(module, LoraLayer | VeraLayer)
