"""Best: the adapter of the lowest held-out loss so far, kept aside while training goes on."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from lora_lab.adapters.weights import AdapterWeights
from lora_lab.records import EvalRecord

if TYPE_CHECKING:
    from lora_lab.training.experiment import Experiment


class Best:
    """The lowest loss with the adapter on, where it was, and the adapter that gave it."""

    def __init__(self) -> None:
        self.loss = math.inf
        self.step = 0
        self.weights: AdapterWeights | None = (
            None  # None before the first step, and without factors
        )
        self.unimproved = 0  # steps in a row whose validation gave no better loss
        self.last = -1  # step of the last one; a person may ask for several at one step

    def note(self, record: EvalRecord, experiment: Experiment) -> EvalRecord:
        """`record`, marked as best where it is; the untrained adapter sets the mark to beat."""
        if not record.enabled or not math.isfinite(record.loss):
            return record
        again, self.last = record.step == self.last, record.step
        if record.loss >= self.loss:
            self.unimproved += not again
            return record
        self.loss, self.step, self.unimproved = record.loss, record.step, 0
        if not record.step:
            return record
        if experiment.has_factors:
            self.weights = experiment.weights()
        return replace(record, best=True)
