"""Questions to the open model that change nothing: commands like those of `commands`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lora_lab.measured import (
    DirectionsRecord,
    InterferenceRecord,
    MixRecord,
    TokenLossRecord,
    WrongRecord,
)
from lora_lab.workshop.requests import Mix

if TYPE_CHECKING:
    from lora_lab.runs.folder import RunFolder
    from lora_lab.training.experiment import Experiment


@dataclass(frozen=True)
class EvaluateMix:
    """Measure the validation loss of several adapters at once, in the open model."""

    mix: Mix

    def run(self, experiment: Experiment, folder: RunFolder | None) -> Iterator[MixRecord]:
        from lora_lab.training.measure.mixture import weigh_mix

        yield weigh_mix(experiment, self.mix)


@dataclass(frozen=True)
class MeasureInterference:
    """Compare several adapters over the open model pair by pair, whatever their strengths."""

    mix: Mix

    def run(self, experiment: Experiment, folder: RunFolder | None) -> Iterator[InterferenceRecord]:
        from lora_lab.training.measure.mixture import interfering

        yield interfering(experiment, self.mix)


@dataclass(frozen=True)
class MeasureTokens:
    """Measure the loss of every token of one training row, with the adapter off and on."""

    row: int  # its number, as in DataRow

    def run(self, experiment: Experiment, folder: RunFolder | None) -> Iterator[TokenLossRecord]:
        off, on = (experiment.inference.row_losses(self.row, enabled) for enabled in (False, True))
        yield TokenLossRecord(experiment.step, self.row, off, on)


@dataclass(frozen=True)
class ShowWrong:
    """Find the validation images that are misclassified, with the adapter as the switch has it."""

    most: int = 12  # of each class

    def run(self, experiment: Experiment, folder: RunFolder | None) -> Iterator[WrongRecord]:
        from lora_lab.training.measure.wrong import wrong_of

        yield wrong_of(experiment, self.most)


@dataclass(frozen=True)
class ExplainDirections:
    """What the first directions of a layer's ΔW write, and with `data` what excites them."""

    layer: str
    count: int = 4
    data: bool = False

    def run(self, experiment: Experiment, folder: RunFolder | None) -> Iterator[DirectionsRecord]:
        from lora_lab.training.measure.directions import explain

        yield explain(experiment, self.layer, self.count, self.data)
