"""A run of a preset that a lesson drives step by step through the real loop, with edits between."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

import torch

from lora_lab.config import RunConfig, changed
from lora_lab.lessons.lesson import Sample
from lora_lab.presets import get_preset
from lora_lab.progress import Report
from lora_lab.records import AppliedRecord, ErrorRecord, Record, StepRecord
from lora_lab.training.controls import Controls
from lora_lab.training.experiment import Experiment
from lora_lab.training.loop import train

DRAWN = 60  # values of a curve

Kind = TypeVar("Kind", bound=Record)


class Driven:
    """The experiment of a preset under other settings, on the CPU."""

    def __init__(self, preset: str, steps: int, report: Report, **settings: Any) -> None:
        config = get_preset(preset).config
        hyper = {**config.hyper.model_dump(), **settings.pop("hyper", {})}
        values = {"device": "cpu", "schedule": "constant", "eval_steps": steps, **settings}
        config = changed(config, max_steps=steps, **values, hyper=hyper)
        self.config: RunConfig = config
        self.report, self.count = report, steps
        self.experiment = Experiment.build(config)
        self.controls = Controls(config.hyper)
        self._records = train(self.experiment, self.controls, serve_after_training=True)
        self.loss = float("nan")  # of the newest step

    def steps(self, count: int, curve: str = "loss") -> Iterator[Sample]:
        """Make steps, and yield some of their losses."""
        every = max(1, self.count // DRAWN)
        for _ in range(count):
            record = self._next(StepRecord)
            self.loss = record.loss
            if record.step % every == 0 or record.step == 1:
                self.report(curve, record.step / self.count)
                yield Sample(curve, record.step, record.loss)

    def edit(self, **hyper: Any) -> AppliedRecord:
        """Apply other settings before the next step."""
        self.controls.set_hyper(changed(self.controls.hyper, **hyper))
        record: Any = self._next((AppliedRecord, ErrorRecord))
        assert isinstance(record, AppliedRecord), record
        return record

    @torch.no_grad()
    def delta(self, name: str) -> torch.Tensor:
        """ΔW (out × in) of a layer in float64."""
        return self.experiment.layers[name].delta_weight().double().clone()

    def accuracy(self, classes: tuple[int, ...], enabled: bool) -> float:
        """Accuracy on the validation rows of some classes."""
        result = self.experiment.held_out(enabled)
        assert result is not None
        rows = sum(result.total[i] for i in classes)
        return sum(result.correct[i] for i in classes) / rows

    def _next(self, kind: type[Kind] | tuple[type[Record], ...]) -> Any:
        while True:
            record = next(self._records)
            if isinstance(record, kind):
                return record
