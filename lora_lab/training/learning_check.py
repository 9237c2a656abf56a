"""Whether a run can learn at all: looked at after its first step and after its twentieth.

What is found is one `NewsRecord` with the layers, the likely cause and the way out. Tensors are
looked at on their device, and their answers are fetched together, once.
"""

from __future__ import annotations

import filecmp
from collections.abc import Iterator
from pathlib import Path

import torch

from lora_lab import inits
from lora_lab.adapters import AdapterLayer, LoRALayer
from lora_lab.adapters.space import SharesTheta
from lora_lab.config import RunConfig
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.records import NewsRecord
from lora_lab.setting import setting_of
from lora_lab.task_info import TASKS
from lora_lab.training.experiment import NO_DIMENSION, Experiment
from lora_lab.training.per_layer import listed
from lora_lab.variants import VARIANTS

FIRST, AGAIN = 1, 20  # steps behind which it is looked

CAUSES = {
    "closed": (
        "their tensors no longer require a gradient, which code of the model must have switched "
        "off. Switch it on there, or take these layers out of the targets."
    ),
    "none": (
        "the loss does not depend on them: the forward pass does not use them, or is detached "
        "behind them. Change the model's forward pass, or take them out of the targets."
    ),
    "zero": (
        "it is exactly 0, as behind a dead ReLU, for inputs of 0, or where float16 rounds it away. "
        "Take other targets or another base, or choose float32."
    ),
}


def learning_problems(experiment: Experiment) -> tuple[NewsRecord, ...]:
    """What stands in the way of learning, at the steps where it is looked at; else nothing.

    It is called behind a step, whose gradients are still there.
    """
    if experiment.step not in (FIRST, AGAIN):
        return ()
    problems = list(_of_layers(experiment))
    if experiment.step == FIRST:
        problems += [*_of_data(experiment), *_of_settings(experiment)]
    return (NewsRecord(experiment.step, " ".join(problems)),) if problems else ()


def _of_layers(experiment: Experiment) -> Iterator[str]:
    """Layers that should train and get no gradient, and those whose ΔW has stayed exactly 0.

    A factor that is all 0 is one that the init left so: PiSSA and OLoRA begin elsewhere.
    """
    frozen = set(experiment.hyper.frozen_layers)
    layers = {
        name: layer
        for name, layer in experiment.layers.items()
        if name not in frozen and not _shares(layer)
    }
    moved = _moved(layers, factors=experiment.step == AGAIN)
    without: dict[str, list[str]] = {}
    for name, layer in layers.items():
        trained = [p for p in layer.adapter_parameters() if p.requires_grad]
        if not trained:
            without.setdefault("closed", []).append(name)
        elif all(p.grad is None for p in trained):
            without.setdefault("none", []).append(name)
        elif not any(moved[name, "gradient"]):
            without.setdefault("zero", []).append(name)
    later = f" It is looked at again after step {AGAIN}." if experiment.step < AGAIN else ""
    for cause, names in without.items():
        yield (
            f"{_count(names, layers)} got no gradient in step {experiment.step} ({listed(names)}): "
            f"{CAUSES[cause]}{later}"
        )
    known = {name for names in without.values() for name in names}
    stuck = [n for n in layers if n not in known and not all(moved.get((n, "factors"), [True]))]
    if stuck:
        yield (
            f"ΔW is still exactly 0 after {experiment.step} steps in {_count(stuck, layers)} "
            f"({listed(stuck)}), though a gradient arrives: at a learning rate of "
            f"{experiment.hyper.learning_rate:g} the steps are too small to be stored. Raise it."
        )


def _shares(layer: AdapterLayer) -> bool:
    """Whether what moves it is a parameter of another layer."""
    return isinstance(layer, SharesTheta) and layer.space.owner is not layer


def _moved(layers: dict[str, AdapterLayer], factors: bool) -> dict[tuple[str, str], list[bool]]:
    """By layer and "gradient" or "factors": whether each tensor has a number other than 0."""
    keys, flags = [], []
    for name, layer in layers.items():
        for p in layer.adapter_parameters():
            if p.requires_grad and p.grad is not None:
                keys.append((name, "gradient"))
                flags.append(p.grad.any())
        if factors and isinstance(layer, LoRALayer):
            for p in layer.effective():
                keys.append((name, "factors"))
                flags.append(p.detach().any())
    moved: dict[tuple[str, str], list[bool]] = {}
    for key, flag in zip(keys, torch.stack(flags).tolist() if flags else [], strict=True):
        moved.setdefault(key, []).append(flag)
    return moved


def _of_data(experiment: Experiment) -> Iterator[str]:
    config, task = experiment.config, experiment.task
    if task.unlabelled_rows:
        yield (
            f"{task.unlabelled_rows:,} of {task.rows:,} training rows have no label token, so "
            "nothing is learned from them. Look at the columns, or raise the max length."
        )
    if same_data(config.data, config.validation_data):
        yield (
            "The validation data is the training data: the validation loss shows what is learned "
            "by heart, and the best step and early stopping go by it. Give other rows, or none "
            "and a validation split."
        )
    if same_data(config.data, config.keep_data):
        yield (
            "The retention set is the training data, so it cannot show what is forgotten. Give "
            "rows of the old task."
        )


def _of_settings(experiment: Experiment) -> Iterator[str]:
    """Settings that were accepted and have no effect on this run, each with the reason."""
    config, task = experiment.config, experiment.task
    row = TASKS[config.task]
    others = {field for other in TASKS.values() for field in other.settings} - set(row.settings)
    ignored = {**row.ignores, **dict.fromkeys(sorted(others), "it is of another task")}
    idle = [
        (field, reason)
        for field, reason in ignored.items()
        if getattr(config, field) != RunConfig.model_fields[field].default
    ]
    if config.epochs is not None and not task.rows:
        idle.append(("epochs", f"rows of {config.task} have no end; set the number of steps"))
    if config.patience and task.data is not None and not task.data.validation_rows:
        idle.append(("patience", "there are no validation rows; set a validation split"))
    if config.batching == "packed" and row.data == "rows" and not row.packs:
        idle.append(("batching", "one row holds one text here; texts of like length go together"))
    for field, reason in idle:
        yield f"The setting {setting_of(RunConfig, field).name} has no effect: {reason}."
    if experiment.space is None and experiment.hyper.dimension != Hyperparameters().dimension:
        yield f"The dimension has no effect: {NO_DIMENSION}."
    if experiment.space is None:
        for field in ("projection", "structure", "space"):
            if getattr(config, field) != RunConfig.model_fields[field].default:
                yield f"The {field} has no effect: {NO_DIMENSION}."
    own_start = VARIANTS[config.variant].own_start
    if config.init != inits.PLAIN and own_start:
        yield f"The init has no effect: {own_start}"
    drops = any(layer.kind.drops_input for layer in experiment.lora_layers)
    if experiment.hyper.dropout and not drops:
        yield "Dropout has no effect: no adapted layer has an adapter path that could be dropped."


def same_data(one: str | None, other: str | None) -> bool:
    """Whether two paths are one place, or files of the same bytes."""
    if not one or not other:
        return False
    try:
        first, second = Path(one), Path(other)
        if one == other or first.samefile(second):
            return True
        return first.is_file() and second.is_file() and filecmp.cmp(first, second, shallow=False)
    except OSError:
        return False


def _count(names: list[str], layers: dict[str, AdapterLayer]) -> str:
    return f"{len(names):,} of {len(layers):,} layers"
