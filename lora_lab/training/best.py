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
        self.unimproved = 0  # steps in a row whose validation was due and gave no better loss
        self.last = -1  # step of the last that was due; there may be several at one step

    def note(self, record: EvalRecord, experiment: Experiment, due: bool = True) -> EvalRecord:
        """`record`, marked as best where it is; the untrained adapter sets the mark to beat.

        What a person asks for, or sees in a pause, is not `due` and tries nobody's patience.
        """
        if not record.enabled or not math.isfinite(record.loss):
            return record
        again = record.step == self.last
        if due:
            self.last = record.step
        if record.loss >= self.loss:
            self.unimproved += due and not again
            return record
        self.loss, self.step, self.unimproved = record.loss, record.step, 0
        if not record.step:
            return record
        if experiment.has_factors:
            self.weights = experiment.weights()
        return replace(record, best=True)
