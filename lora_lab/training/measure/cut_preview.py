"""The validation loss of a finished adapter, cut to given ranks, in the model that is open."""

from __future__ import annotations

from lora_lab.errors import AdapterError, Cancelled
from lora_lab.measured import CutRecord
from lora_lab.training.experiment import Experiment
from lora_lab.training.measure.standing_in import standing_in
from lora_lab.workshop.files import opened
from lora_lab.workshop.requests import Source
from lora_lab.workshop.resize import resized


def cut_preview(
    experiment: Experiment, path: str, alpha: float | None, ranks: tuple[int, ...]
) -> CutRecord:
    """Evaluate with the adapter at `path`, cut to `ranks`, in place of the one in training.

    What is in training stands untouched afterwards. Raises AdapterError where the adapter has
    layers that are not in this model, or other shapes, and Cancelled where it is to end.
    """
    weights, _ = resized(opened(Source(path, alpha)), ranks)
    if weights.whole or any(layer.magnitude is not None for layer in weights.layers):
        raise AdapterError("The loss at the cut is measured for adapters of plain factors only.")
    with standing_in(experiment, weights.layers):
        evaluation = experiment.held_out(True, experiment.should_stop)
    if evaluation is None:
        raise Cancelled("The measurement was cancelled.")
    return CutRecord(experiment.step, path, ranks, evaluation.loss, evaluation.accuracy)
