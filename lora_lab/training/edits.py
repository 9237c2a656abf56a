"""Apply what was wished: compare the newest snapshot with what is applied, and change the model."""

from __future__ import annotations

from lora_lab.adapters.resize import rescale, resize
from lora_lab.config import Hyperparameters
from lora_lab.records import AppliedRecord
from lora_lab.training.experiment import Experiment
from lora_lab.training.optim import Ramp


def apply_hyper(experiment: Experiment, wished: Hyperparameters) -> AppliedRecord:
    """Make `wished` the applied state, between two steps; says what changed and what it did.

    The rank moves first, at the old α and with ΔW kept; then α moves as `alpha_mode` has it.
    Fields that the variant cannot change stay, and the note says why.
    """
    applied = experiment.hyper
    notes: list[str] = []
    changes = tuple(
        (field, getattr(applied, field), getattr(wished, field))
        for field in Hyperparameters.model_fields
        if getattr(applied, field) != getattr(wished, field)
    )
    locked = {f for layer in experiment.layers.values() for f, _ in layer.locked}
    moved = {field for field, _, _ in changes} - locked
    discarded = _change_rank(experiment, wished.rank, notes) if "rank" in moved else 0.0
    if "alpha" in moved:
        keep = wished.alpha_mode == "keep_function"
        for layer in experiment.lora_layers:
            rescale(layer, wished.alpha / wished.rank, keep, experiment.optimizer)
        notes.append("ΔW kept, B rescaled" if keep else f"ΔW × {wished.alpha / applied.alpha:.3g}")
    for layer in experiment.lora_layers:
        layer.dropout = wished.dropout
    for group in experiment.optimizer.param_groups:
        group["weight_decay"] = wished.weight_decay
    notes += [
        f"{field} stays: it has no meaning here" for field, _, _ in changes if field in locked
    ]
    experiment.hyper = wished  # the learning rate is read from here at every step
    return AppliedRecord(experiment.step, wished, changes, tuple(notes), discarded)


def _change_rank(experiment: Experiment, rank: int, notes: list[str]) -> float:
    worst, capped = 0.0, []
    for layer in experiment.lora_layers:
        done = resize(
            layer, rank, experiment.hyper.alpha, experiment.optimizer, experiment.generator
        )
        worst = max(worst, done.discarded)
        if done.new_rank < done.old_rank:  # a cut mixes the directions
            experiment.ramps = [ramp for ramp in experiment.ramps if ramp.layer is not layer]
        if done.fresh and experiment.step:
            start = done.new_rank - done.fresh
            experiment.ramps.append(Ramp(layer, start, done.new_rank))
        if done.new_rank < rank:
            capped.append(f"{layer.name} at {done.new_rank}")
    if capped:
        notes.append("rank capped by the layer's size: " + ", ".join(capped))
    if worst > 0:
        notes.append(f"{100 * worst:.3g} % of ΔW's energy discarded")
    return worst
