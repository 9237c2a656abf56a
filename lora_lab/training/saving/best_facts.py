"""What a checkpoint says of its best adapter: another one of the same layers."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from lora_lab.adapters import LoRALayer
from lora_lab.adapters.weights import LayerWeights, WholeLayer
from lora_lab.names import shown
from lora_lab.training.experiment import Experiment
from lora_lab.training.packed_base import kept_with
from lora_lab.training.saving.fitting import Tensors, fits, tensor_of, wrong


def check_best(experiment: Experiment, packed: dict[str, Any] | None, tensors: Tensors) -> set[str]:
    """Names of the tensors of the best adapter so far, whatever its ranks; raises LabError."""
    if packed is None:
        return set()
    if not experiment.has_factors:
        raise wrong("it has a best adapter, and the run has no factors")
    used: set[str] = set()
    strange = set(packed) - {"variant", "layers", "whole", "base", "base_fingerprint", "dropout",
                             "extra"}  # fmt: skip
    dropout = packed.get("dropout")
    if (
        strange
        or packed.get("variant") != experiment.config.variant
        or packed.get("base_fingerprint") != experiment.base_fingerprint
        or not isinstance(packed.get("base"), str)
        or not (type(dropout) in (int, float) and 0 <= dropout < 1)
        or packed.get("extra") != kept_with(experiment.config)
    ):
        raise wrong("its best adapter is of another run")
    whole = [x for x in experiment.layers.values() if not isinstance(x, LoRALayer)]
    factored = experiment.lora_layers
    for layer, row in zip(factored, _rows(packed.get("layers"), factored), strict=True):
        used |= _check_best_layer(layer, row, tensors)
    for layer, row in zip(whole, _rows(packed.get("whole"), whole), strict=True):
        shapes = {"weight": layer.kind.weight_shape(layer.base_layer)}
        if layer.bias is not None:
            shapes["bias"] = tuple(layer.bias.shape)
        used |= _held(layer.name, row, shapes, tensors, WholeLayer)
    return used


def _rows(value: Any, layers: list[Any]) -> list[dict[str, Any]]:
    """One row for every layer, in their order."""
    rows = value if isinstance(value, list) else []
    names = [row.get("name") if isinstance(row, dict) else None for row in rows]
    if names != [layer.name for layer in layers]:
        raise wrong("its best adapter has other layers")
    return rows


def _check_best_layer(layer: LoRALayer, row: dict[str, Any], tensors: Tensors) -> set[str]:
    base, groups = layer.base_layer, layer.kind.groups(layer.base_layer)
    window = layer.kind.window(base)
    facts = {
        "kind": layer.kind.name, "weight_shape": list(layer.kind.weight_shape(base)),
        "groups": groups,
        "dilation": list(window.get("dilation", ())),
        "padding_mode": window.get("padding_mode", "zeros"),
    }  # fmt: skip
    for key, value in facts.items():
        found = row.get(key, value)
        if (list(found) if isinstance(found, tuple) else found) != value:
            raise wrong(f"its best adapter says {key} {shown(found)} of {layer.name}")
    for key in ("alpha", "scaling"):
        if type(row.get(key)) not in (int, float) or not 0 < abs(row[key]) < 1e30:
            raise wrong(f"its best adapter has no {key} of {layer.name}")
    A = tensor_of(tensors, f"best|{layer.name}|lora_A")
    rank = A.shape[0] if A.dim() == 2 else 0
    most = layer.max_rank * (2 if layer.starts_in_W else 1)
    if not 1 <= rank <= most:
        raise wrong(f"its best adapter has factors of shape {tuple(A.shape)} for {layer.name}")
    shapes = {"lora_A": (rank, layer.shape[1]), "lora_B": (layer.shape[0], rank)}
    if "magnitude" in dict(layer.named_parameters(recurse=False)):
        shapes["magnitude"] = (layer.shape[0],)
    labels = row.get("tensors")
    if isinstance(labels, list) and "vectors" in labels and layer.vectors:
        shapes["vectors"] = (rank + layer.shape[0],)
    return _held(layer.name, row, shapes, tensors, LayerWeights)


def _held(
    name: str, row: dict[str, Any], shapes: dict[str, tuple[int, ...]], tensors: Tensors, kind: type
) -> set[str]:
    """The tensors of a row, where they are just those of `shapes` and the row has known keys."""
    labels = row.get("tensors")
    if not isinstance(labels, list) or sorted(map(str, labels)) != sorted(shapes):
        raise wrong(f"its best adapter has other tensors for {name}")
    if strange := set(row) - {"tensors", *(f.name for f in fields(kind))}:
        raise wrong(f"its best adapter says {shown(sorted(strange)[0])} of {name}")
    if any(row.get(key) is not None for key in ("magnitude", "bias") if key not in shapes):
        raise wrong(f"its best adapter has other tensors for {name}")
    return {fits(tensors, f"best|{name}|{label}", shape) for label, shape in shapes.items()}
