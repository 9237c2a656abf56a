"""An adapter out of a checkpoint, without its model: factors as plain weights, ready for export.

A checkpoint has the trained tensors; what else an adapter file says of its layers (kind, shape of
W, groups) does not change in a run, and is taken from another adapter of the same run.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from lora_lab.adapters import VARIANTS as LAYERS
from lora_lab.adapters.weights import AdapterWeights, LayerWeights, WholeLayer
from lora_lab.errors import AdapterError, LabError
from lora_lab.runs.checkpoints import Checkpoint, latest, read_checkpoint
from lora_lab.runs.exportable import BEST, LAST, Exportable, chosen
from lora_lab.runs.folder import BEST as BEST_FOLDER
from lora_lab.runs.folder import Load, RunFolder
from lora_lab.runs.saves import listed
from lora_lab.training.best import Best
from lora_lab.training.experiment import Experiment
from lora_lab.variants import VARIANTS

NO_BEST = (
    "No validation after the first step was better than the untrained model, so there is no best "
    "step. Export the last one, or a checkpoint."
)


def from_checkpoint(checkpoint: Checkpoint, like: AdapterWeights) -> AdapterWeights:
    """The adapter that stood at a checkpoint; `like`: another adapter of this run, of any step.

    Raises AdapterError where the checkpoint has other layers or is damaged.
    """
    facts, tensors = checkpoint.facts, checkpoint.tensors
    try:
        if facts["base_fingerprint"] != like.base_fingerprint and like.base_fingerprint:
            raise AdapterError(f"{checkpoint.path} is of another base than the run's adapter.")
        layers = tuple(_layer(layer, facts, tensors, like.variant) for layer in like.layers)
        whole = tuple(_whole(layer, tensors) for layer in like.whole)
        dropout = float(facts["hyper"].get("dropout", 0.0))
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise AdapterError(
            f"{checkpoint.path} does not hold the layers of this run's adapter ({reason})."
        ) from error
    strange = set(facts["layers"]) - {layer.name for layer in (*like.layers, *like.whole)}
    if strange:
        raise AdapterError(
            f"{checkpoint.path} has layers that the run's adapter lacks: {', '.join(strange)}."
        )
    pair = [[t for key, t in tensors.items() if key.endswith(f"|shared_{x}")] for x in "AB"]
    shared = (pair[0][0], pair[1][0]) if all(pair) else None  # of VeRA
    return replace(like, layers=layers, whole=whole, dropout=dropout, shared=shared)


def saved_adapter(
    run: Path, at: str, load: Load, like: AdapterWeights
) -> tuple[AdapterWeights, Exportable]:
    """What is saved of a run as `at`: BEST, or a checkpoint by its step or folder; and what it is.

    `load` reads adapter folders, `like` is another adapter of the run. Raises LabError.
    """
    if at != BEST:
        checkpoint = read_checkpoint(chosen(at, listed(run)))
        return from_checkpoint(checkpoint, like), Exportable(at, checkpoint.step)
    best = Best()
    if listed(run):
        checkpoint = latest(run)
        best = unpacked(checkpoint)
        if best.weights is not None:
            return _checked(best.weights, like, checkpoint.path), _row(best)
        if not best.step:
            raise AdapterError(NO_BEST)
    if not (run / BEST_FOLDER).is_dir():
        raise AdapterError(f"{run} keeps no best adapter. {NO_BEST}")
    return _checked(load(run / BEST_FOLDER), like, run / BEST_FOLDER), _row(best)


def adapter_at(
    experiment: Experiment, folder: RunFolder | None, at: str
) -> tuple[AdapterWeights, Exportable]:
    """What a run that is open has as `at`: LAST is the adapter in training. Raises LabError."""
    if experiment.space is not None and at not in (
        LAST,
        *((BEST,) if experiment.has_factors else ()),
    ):
        raise AdapterError(
            "A random subspace is exported as it stands now. Revert the run to that checkpoint, "
            "and export it then."
        )
    now, best = experiment.weights(), experiment.best
    if at == LAST:
        measured = best.step == experiment.step and _same(best.weights, now)
        loss = best.loss if measured else math.nan  # an edit at this step may have moved ΔW since
        return now, Exportable(LAST, experiment.step, loss)
    if at == BEST:
        if best.weights is None:
            raise AdapterError(NO_BEST)
        return replace(best.weights, shared=now.shared), _row(best)
    if folder is None:
        raise AdapterError("Nothing of this run is saved yet, so there is no checkpoint to export.")
    folder.settle()
    checkpoint = read_checkpoint(chosen(at, listed(folder.path)))
    return from_checkpoint(checkpoint, now), Exportable(at, checkpoint.step)


def unpacked(checkpoint: Checkpoint) -> Best:
    """The best step that a checkpoint knows of; raises AdapterError for a damaged one."""
    best = Best()
    try:
        best.unpack(checkpoint.tensors, checkpoint.facts["best"], checkpoint.step)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise AdapterError(f"{checkpoint.path}: its best adapter is damaged ({error}).") from error
    return best


def _same(one: AdapterWeights | None, two: AdapterWeights) -> bool:
    """Whether the factors are the same to the bit; where there are none, no edit can cut W."""
    if one is None:
        return VARIANTS[two.variant].whole
    return all(
        x.scaling == y.scaling
        and x.lora_A.dtype == y.lora_A.dtype
        and torch.equal(x.lora_A, y.lora_A)
        and torch.equal(x.lora_B, y.lora_B)
        for x, y in zip(one.layers, two.layers, strict=True)
    )


def _row(best: Best) -> Exportable:
    return Exportable(BEST, best.step, best.loss if math.isfinite(best.loss) else math.nan)


def _checked(best: AdapterWeights, like: AdapterWeights, path: Path) -> AdapterWeights:
    """The best one, where it is of the layers of the run; what names the run is taken from it."""
    shapes = {layer.name: layer.shape for layer in like.layers}
    try:
        same = {layer.name: layer.shape for layer in best.layers} == shapes
        named = {layer.name for layer in best.whole} == {layer.name for layer in like.whole}
        rows = {layer.name: layer for layer in like.layers}
        layers = tuple(
            replace(layer, kind=rows[layer.name].kind, weight_shape=rows[layer.name].weight_shape)
            for layer in best.layers
        )
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise AdapterError(f"{path}: its best adapter is damaged ({error}).") from error
    if not (same and named):
        raise LabError(f"{path} does not hold the layers of this run's adapter.")
    return replace(like, layers=layers, whole=best.whole, dropout=best.dropout)


def _layer(
    like: LayerWeights, facts: dict[str, Any], tensors: dict[str, torch.Tensor], variant: str
) -> LayerWeights:
    """One layer's factors as its module would give them out."""
    name, scaling = like.name, float(facts["layers"][like.name]["scaling"])
    found = LAYERS[variant].stored(tensors, like)
    A, B = found.lora_A, found.lora_B
    if (B.shape[0], A.shape[1]) != like.shape or B.shape[1] != A.shape[0]:
        raise ValueError(f"{name} has other shapes there")
    magnitude = None
    if like.magnitude is not None:
        magnitude = tensors[f"{name}|magnitude"]
        if magnitude.shape != like.magnitude.shape:
            raise ValueError(f"{name} has another magnitude there")
    alpha = VARIANTS[variant].alpha(scaling, len(A))
    return replace(found, alpha=alpha, scaling=scaling, magnitude=magnitude)


def _whole(like: WholeLayer, tensors: dict[str, torch.Tensor]) -> WholeLayer:
    weight = tensors[f"{like.name}|tuned_weight"]
    bias = None if like.bias is None else tensors[f"{like.name}|tuned_bias"]
    if weight.shape != like.weight.shape or (bias is not None and bias.shape != like.bias.shape):
        raise ValueError(f"{like.name} has another shape there")
    return replace(like, weight=weight, bias=bias)
