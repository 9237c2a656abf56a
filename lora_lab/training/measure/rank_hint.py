"""Which rank the energy of ΔW suggests, and what the validation data says of the cut to it."""

from __future__ import annotations

from collections.abc import Iterator

from lora_lab.analysis.rank import energy_rank
from lora_lab.errors import LabError
from lora_lab.measured import RankHint, RankHintRecord
from lora_lab.tasks.base import Evaluation
from lora_lab.training.experiment import Experiment
from lora_lab.training.measure.cut_preview import standing_in
from lora_lab.variants import VARIANTS
from lora_lab.workshop.resize import cut_layer


def rank_hints(experiment: Experiment, shares: tuple[float, ...]) -> Iterator[RankHintRecord]:
    """For each share the rank that keeps it in every layer, measured; what is live stays.

    One record, after as many passes over the validation data as there are shares, and one more.
    Raises LabError for an adapter that is untrained or not of plain factors.
    """
    variant = VARIANTS[experiment.config.variant]
    if not variant.exact_sigma or not experiment.has_factors:
        why = f"the energy of {variant}'s ΔW does not tell what a cut would take"
        why = why if variant.factored else f"{variant} has no rank"
        raise LabError(f"A rank is suggested for plain factors only: {why}.")
    sigma = {row.name: row.sigma for row in experiment.spectrum().layers}
    layers = experiment.lora_layers
    if not any(sigma[layer.name][:1].any() for layer in layers):
        raise LabError("ΔW is zero: there is no energy to keep yet. Train first.")
    present = experiment.held_out(enabled=True)
    assert present is not None
    hints = []
    for share in shares:
        ranks = tuple(max(1, energy_rank(sigma[layer.name], share)) for layer in layers)
        rank = max(ranks)
        evaluation = held_out_at_cut(experiment, rank)
        hints.append(RankHint(share, ranks, rank, evaluation.loss, evaluation.accuracy))
    largest = max(layer.rank for layer in layers)
    yield RankHintRecord(experiment.step, largest, present.loss, present.accuracy, tuple(hints))


def held_out_at_cut(experiment: Experiment, rank: int) -> Evaluation:
    """The validation data with every layer's ΔW cut to `rank`; what is live stays."""
    rows = (layer.layer_weights() for layer in experiment.lora_layers)
    cut = tuple(cut_layer(row, rank, experiment.config.variant)[0] for row in rows)
    with standing_in(experiment, cut):
        evaluation = experiment.held_out(enabled=True)
    assert evaluation is not None
    return evaluation
