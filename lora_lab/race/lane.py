"""A lane of a race: one run, with random states of its own, and what is known of it so far."""

from __future__ import annotations

import math
from typing import Any

from lora_lab.config import changed
from lora_lab.errors import ConfigError
from lora_lab.measured import TurnRecord
from lora_lab.records import (
    AppliedRecord,
    ErrorRecord,
    EvalRecord,
    Record,
    SpectrumRecord,
    State,
    StateRecord,
    StepRecord,
)
from lora_lab.tasks.draws import RandomStates, random_states, set_random_states
from lora_lab.training.controls import Controls
from lora_lab.training.experiment import Experiment
from lora_lab.training.loop import train

KEPT = StepRecord, EvalRecord, AppliedRecord
REST = 1.0  # seconds for what has no factors, where a race rests


class Lane:
    """The loop of one run, a step at a time; what it draws does not depend on other lanes."""

    def __init__(
        self, name: str, experiment: Experiment, random: RandomStates, share: float, note: str = ""
    ) -> None:
        """`random` is where its draws begin; `share` of the race's time is its own."""
        self.name, self.experiment, self.note = name, experiment, note
        self.controls = Controls(experiment.hyper)
        self.losses: list[float] = []  # of its steps
        self.kept: list[Record] = []  # what a run of its own would have on record
        self.evaluation: EvalRecord | None = None  # with the adapter on
        self.spectrum: SpectrumRecord | None = None
        self.state = State.RUNNING
        self.message = ""  # why it stands, where it does
        self.opened = False  # its loop has made a step
        self._random, self._share = random, share
        self._records = train(experiment, self.controls, share=share, turns=True)

    @property
    def running(self) -> bool:
        """Whether there is a step left that it would make."""
        return self.state is State.RUNNING

    @property
    def ended(self) -> bool:
        """Whether it has made all of its steps, or waited in vain for a better loss."""
        return self.state in (State.FINISHED, State.STOPPED)

    @property
    def loss(self) -> float:
        """Mean of the last tenth of its losses: that of one batch says little; nan before any."""
        late = self.losses[-max(1, len(self.losses) // 10) :]
        return sum(late) / len(late) if late else math.nan

    @property
    def trained(self) -> int:
        """Numbers that it trains."""
        return self.experiment.counts().adapter

    @property
    def change(self) -> float:
        """‖ΔW‖_F/‖W‖_F over all its layers at its newest spectrum; nan before one."""
        if self.spectrum is None:
            return math.nan
        delta = math.hypot(*(layer.delta_norm for layer in self.spectrum.layers))
        base = math.hypot(*(layer.weight_norm for layer in self.experiment.layers.values()))
        return delta / base if base else math.nan

    def advance(self) -> None:
        """Make one step, and what is measured before and after it.

        A step that is not finite is not made: the lane stands, with the reason as its message.
        """
        set_random_states(self.experiment.device, self._random)
        made = False
        for record in self._records:
            self._note(record)
            made = made or isinstance(record, StepRecord)
            if isinstance(record, TurnRecord) and made:
                break
            if isinstance(record, StateRecord) and record.state is State.PAUSED:
                break  # the loop would wait here until it is resumed
        self._random = random_states(self.experiment.device)
        self.opened = True

    def edit(self, **values: Any) -> None:
        """Ask for other settings before its next step; a lane that stands continues so.

        Raises ConfigError for values that cannot be, and for a lane that is at its end.
        """
        if self.ended:
            raise ConfigError(f"Lane {self.name} is at its end: clone it, or add another one.")
        self.controls.set_hyper(changed(self.controls.hyper, **values))
        if self.state is State.PAUSED:
            self.state, self.message = State.RUNNING, ""
            self.controls.resume()

    def take_over(self, other: Lane) -> None:
        """Go on as `other` would, whose state was put into this lane's run."""
        self._random = other._random
        self.controls = Controls(self.experiment.hyper)
        self._records = train(
            self.experiment, self.controls, share=self._share, turns=True
        )  # fmt: skip
        self.losses, self.kept = [*other.losses], [*other.kept]
        self.evaluation, self.spectrum = other.evaluation, other.spectrum

    def measure_again(self) -> None:
        """Have the spectrum of now, where it is of an earlier step than another lane's may be."""
        if self.spectrum is not None and self.spectrum.step < self.experiment.step:
            self.spectrum = self.experiment.spectrum(REST)

    def close(self) -> None:
        """End it where it stands; nothing is measured any more."""
        self.controls.stop()
        self._records.close()

    def note_step(self, loss: float, learning_rate: float) -> None:
        """A step that was made beside its loop, in a stack."""
        seconds = self.experiment.training_seconds
        self._note(StepRecord(self.experiment.step, loss, learning_rate, seconds))

    def _note(self, record: Record) -> None:
        if isinstance(record, KEPT):
            self.kept.append(record)
        match record:
            case StepRecord():
                self.losses.append(record.loss)
            case EvalRecord(enabled=True):
                self.evaluation = record
            case SpectrumRecord():
                self.spectrum = record
            case ErrorRecord():
                self.note = record.message
            case AppliedRecord(notes=notes) if notes:
                self.note = "; ".join(notes)
            case StateRecord():
                self.state = record.state
                self.message = record.message
