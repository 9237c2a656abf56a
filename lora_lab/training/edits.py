"""Apply requested settings: compare the newest snapshot with the applied one, change the model."""

from __future__ import annotations

from typing import Any

from lora_lab.adapters.resize import rescale, resize
from lora_lab.config import changed
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.records import AppliedRecord
from lora_lab.training.dimension_edit import set_dimension
from lora_lab.training.experiment import Experiment
from lora_lab.training.optim import Ramp, set_weight_decay
from lora_lab.training.per_layer import check, differing, freeze, rank_notes, wanted_ranks
from lora_lab.variants import VARIANTS


def apply_hyper(experiment: Experiment, requested: Hyperparameters) -> AppliedRecord:
    """Make `requested` the applied state, between two steps; says what changed and what it did.

    Freezes come first, then ranks, at the old α and with ΔW kept; then α moves as `alpha_mode` has
    it. Fields that no layer can follow stay as they are, and a note says why. Raises ConfigError,
    with nothing changed, for a layer that is not there or a rank that it cannot have.
    """
    check(experiment.layers, requested)
    applied = experiment.hyper
    hyper, notes = _without_locked(experiment, requested)
    freeze(experiment.layers, hyper)
    discarded = _set_ranks(experiment, hyper, notes)
    if hyper.alpha != applied.alpha:
        _set_alpha(experiment, hyper, notes)
    if hyper.dimension != applied.dimension:
        discarded = set_dimension(experiment, hyper, notes)
    for layer in experiment.lora_layers:
        layer.dropout = hyper.dropout
    set_weight_decay(experiment.optimizer, hyper.weight_decay)
    experiment.hyper = hyper  # the learning rate is read from here at every step
    changes = _changes(applied, hyper)
    experiment.edits += bool(changes)
    return AppliedRecord(experiment.step, hyper, changes, tuple(notes), discarded)


def _without_locked(
    experiment: Experiment, requested: Hyperparameters
) -> tuple[Hyperparameters, list[str]]:
    """`requested` with the locked fields as they are, and a note on each of them."""
    applied = experiment.hyper
    stays = {
        field: reason
        for field, reason in experiment.locked
        if getattr(applied, field) != getattr(requested, field)
    }
    if not stays:
        return requested, []
    hyper = changed(requested, **{field: getattr(applied, field) for field in stays})
    return hyper, [f"{field} stays: {reason}" for field, reason in stays.items()]


def _changes(old: Hyperparameters, new: Hyperparameters) -> tuple[tuple[str, Any, Any], ...]:
    rows = []
    for field in Hyperparameters.model_fields:
        before, after = getattr(old, field), getattr(new, field)
        if before != after:
            if isinstance(after, tuple):
                before, after = differing(before, after)
            rows.append((field, before, after))
    return tuple(rows)


def _set_ranks(experiment: Experiment, hyper: Hyperparameters, notes: list[str]) -> float:
    """Give each layer its rank, and the common scaling at the old α; the energy that this costs."""
    worst = 0.0
    for layer, rank in wanted_ranks(experiment.layers, hyper).items():
        scaling = layer.ratio * layer.scaling_for(experiment.hyper.alpha, hyper.rank)
        if (layer.rank, layer.scaling) == (rank, scaling):
            continue
        done = resize(layer, rank, scaling, experiment.optimizer, experiment.generator)
        worst = max(worst, done.discarded)
        if done.new_rank < done.old_rank:  # a cut mixes the directions
            experiment.ramps = [ramp for ramp in experiment.ramps if ramp.layer is not layer]
        if done.added and experiment.step:
            start = done.new_rank - done.added
            experiment.ramps.append(Ramp(layer, start, done.new_rank))
    if hyper.rank != experiment.hyper.rank:
        notes += rank_notes(experiment.layers, hyper)
    if worst > 0:
        notes.append(f"{100 * worst:.3g} % of {_what_is_learned(experiment)}'s energy discarded")
    return worst


def _set_alpha(experiment: Experiment, hyper: Hyperparameters, notes: list[str]) -> None:
    keep = hyper.alpha_mode == "keep_function"
    for layer in experiment.lora_layers:
        scaling = layer.ratio * layer.scaling_for(hyper.alpha, hyper.rank)
        rescale(layer, scaling, keep, experiment.optimizer)
    if keep:
        notes.append("ΔW kept, B rescaled")
        return
    notes.append(f"{_what_is_learned(experiment)} × {hyper.alpha / experiment.hyper.alpha:.3g}")
    if hyper.frozen_layers:
        notes.append("frozen layers as well: the scaling is common to all")


def _what_is_learned(experiment: Experiment) -> str:
    """What scales with s and is cut with the rank; DoRA's ΔW is no multiple of it."""
    turned = VARIANTS[experiment.config.variant].magnitude
    return "the change of direction s·B·A" if turned else "ΔW"
