"""Several adapters over the open model at once: what their mixture loses, and how it is made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from lora_lab.adapters.weights import AdapterWeights
from lora_lab.errors import AdapterError, Cancelled
from lora_lab.measured import InterferenceRecord, LayerPairs, MixRecord
from lora_lab.records import frozen_array
from lora_lab.training.experiment import Experiment
from lora_lab.training.measure.standing_in import standing_in
from lora_lab.workshop.combine import combine
from lora_lab.workshop.interference import interference
from lora_lab.workshop.requests import Mix

EXACT = "exact"


def weigh_mix(experiment: Experiment, mix: Mix) -> MixRecord:
    """The validation loss with the mixture in place of the adapter in training.

    Raises AdapterError for adapters that do not go over this model or cannot be mixed, and
    Cancelled where it is to end; the run stands untouched afterwards in any case.
    """
    with mixed(experiment, mix) as error:
        evaluation = experiment.held_out(True, experiment.should_stop)
    if evaluation is None:
        raise Cancelled("The measurement was cancelled.")
    return MixRecord(experiment.step, mix, evaluation.loss, evaluation.accuracy, error)


@contextmanager
def mixed(experiment: Experiment, mix: Mix) -> Iterator[float]:
    """Within, the model answers with the mixture; gives ‖ΔW − ΣwΔW‖/‖ΣwΔW‖ of the worst layer."""
    terms = [(weights, w) for weights, w in adapters_of(experiment, mix) if w]
    if not terms:
        with standing_in(experiment, ()):
            yield 0.0
        return
    if len(terms) == 1 and mix.method == EXACT and mix.rank is None:
        ((weights, w),) = terms
        if any(layer.magnitude is not None for layer in weights.layers):
            raise AdapterError("DoRA's ΔW depends on W, so it has no strength. Extract it first.")
        layers = tuple(replace(x, scaling=w * x.scaling) for x in weights.layers)
        error = 0.0
    else:
        # Side by side is the exact sum without an SVD, which would only make its factors smaller.
        method = "cat" if mix.method == EXACT and mix.rank is None else mix.method
        combined = combine(terms, method, mix.rank, mix.trim, experiment.report_stop)
        layers, error = combined.weights.layers, combined.error
    with standing_in(experiment, layers):
        yield error


def adapters_of(experiment: Experiment, mix: Mix) -> list[tuple[AdapterWeights, float]]:
    """The adapters by the names of the open model, the run's own first where it takes part."""
    model = experiment.config.model or ""
    base = model if (Path(model) / "config.json").is_file() else ""
    terms = [
        (experiment.shelf.read(source, experiment.model, base), weight)
        for source, weight in mix.terms
    ]
    if mix.own:
        own = experiment.weights()
        terms.insert(0, (replace(own, whole=(), base_fingerprint=""), mix.own))
    # What a run trained is of this base to the bit; files say so by their name at most.
    return [(replace(weights, base_fingerprint=""), weight) for weights, weight in terms]


def interfering(experiment: Experiment, mix: Mix) -> InterferenceRecord:
    """Cosines and angles of the adapters of `mix`, whatever their strengths; see workshop."""
    adapters = [weights for weights, _ in adapters_of(experiment, mix)]
    found = interference(adapters, experiment.report_stop)
    own = ("",) if mix.own else ()
    return InterferenceRecord(
        experiment.step, (*own, *(source.path for source, _ in mix.terms)),
        frozen_array(found.cosines),
        tuple(
            LayerPairs(x.name, *map(frozen_array, (x.cosines, x.reads, x.writes)))
            for x in found.layers
        ),
    )  # fmt: skip
