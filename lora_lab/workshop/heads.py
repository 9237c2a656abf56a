"""Layers that were fully trained, in a merged checkpoint: their tensors, and what the config says.

A head that the base does not have is written with the class of model that has it and with as many
labels as it answers, so that transformers opens the folder as what was trained.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from lora_lab.adapters.weights import AdapterWeights
from lora_lab.errors import ExportError
from lora_lab.models.base import Base
from lora_lab.models.skeleton import Skeleton
from lora_lab.task_info import TASKS
from lora_lab.workshop.places import Placed, key_of
from lora_lab.workshop.ties import opened_as

# What a column of a task's rows is → transformers' word for it, which chooses loss and pipeline.
PROBLEMS = {"score": "regression", "labels": "multi_label_classification"}
LABELS = ("id2label", "label2id", "num_labels")


def whole_tensors(
    weights: AdapterWeights, placed: Placed
) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Of fully trained layers: tensor of the file → new one, and parameter of the model → new one.

    Raises ExportError for a layer that neither the file nor the model has.
    """
    by_key: dict[str, torch.Tensor] = {}
    by_parameter: dict[str, torch.Tensor] = {}
    for layer in weights.whole:
        for name, tensor in layer.tensors().items():
            key, parameter = _place(name, placed)
            if not key:
                raise ExportError(
                    f"{layer.name} is fully trained, and {placed.base.path.name} has no place for "
                    f"{name}. It is another base, or its config.json is missing; a PEFT folder "
                    "holds all of the adapter."
                )
            by_key[key] = tensor.to(_dtype(placed.base, key))
            by_parameter[parameter] = by_key[key]
            if not torch.isfinite(by_key[key]).all():
                raise ExportError(f"{layer.name} is too large for {by_key[key].dtype}.")
    return by_key, by_parameter


def config_with_head(
    weights: AdapterWeights, placed: Placed, whole: Mapping[str, torch.Tensor]
) -> dict[str, Any]:
    """The base's config, for the class and number of labels that whole layers need.

    Raises ExportError where no number of labels gives them their shapes.
    """
    values, skeleton = placed.base.config, placed.skeleton
    if not whole or skeleton is None:
        return values
    named = values.get("architectures") or ()
    if skeleton.name not in named:
        values = {**values, "architectures": [skeleton.name]}
    classes = weights.extra.get("classes") or ()
    if problem := PROBLEMS.get(_target(weights)):
        values = {**values, "problem_type": problem}
    if _fits(skeleton, whole):
        return {**values, **_labels(classes)} if classes else values
    for count in sorted({tensor.shape[0] for tensor in whole.values()}):
        names = classes if len(classes) == count else [f"LABEL_{i}" for i in range(count)]
        labelled = {k: v for k, v in values.items() if k not in LABELS} | _labels(names)
        again = opened_as(skeleton.name, labelled, placed.base.tensors)
        if again is not None and _fits(again, whole):
            return labelled
    name = next(n for n, t in whole.items() if t.shape != skeleton.parameters[n].shape)
    raise ExportError(
        f"{name.rpartition('.')[0]} is {tuple(whole[name].shape)} in the adapter and "
        f"{tuple(skeleton.parameters[name].shape)} in {skeleton.name}: the base has another "
        "vocabulary or size. Resize the base first, or keep the PEFT folder."
    )


def _target(weights: AdapterWeights) -> str:
    task = TASKS.get(str(weights.extra.get("task", "")))
    return "" if task is None else task.target


def _labels(names: Any) -> dict[str, Any]:
    names = list(names)
    if not names:
        return {}
    return {
        "id2label": {str(i): name for i, name in enumerate(names)},
        "label2id": {name: i for i, name in enumerate(names)},
    }


def _fits(skeleton: Skeleton, whole: Mapping[str, torch.Tensor]) -> bool:
    parameters = skeleton.parameters
    return all(n in parameters and parameters[n].shape == t.shape for n, t in whole.items())


def _place(name: str, placed: Placed) -> tuple[str, str]:
    """(tensor of the file, parameter of the model) of a layer's weight or bias."""
    skeleton = placed.skeleton
    if skeleton is None:
        module, _, label = name.rpartition(".")
        key = key_of(module, placed.base).removesuffix("weight") + label
        return (key, key) if key in placed.base.tensors else ("", "")
    module, _, label = name.rpartition(".")
    for parameter in (name, f"{skeleton.renamed(module)}.{label}"):
        if parameter in skeleton.parameters:
            source = skeleton.sources.get(parameter)
            if source is None:
                return parameter, parameter
            return ("" if source.converter is not None else source.keys[0]), parameter
    return "", ""


def _dtype(base: Base, key: str) -> torch.dtype:
    """The type of a tensor of the file, or of its other weights."""
    others = (tensor.dtype for tensor in base.tensors.values() if "float" in tensor.dtype)
    name = base.tensors[key].dtype if key in base.tensors else next(others, "float32")
    return getattr(torch, name)
