"""A run that a test drives step by step through the real loop, editing it between two steps."""

from __future__ import annotations

import itertools

import torch

from lora_lab.adapters import LoRALayer
from lora_lab.config import RunConfig, changed
from lora_lab.presets import get_preset
from lora_lab.records import AppliedRecord, ErrorRecord, StepRecord
from lora_lab.training.batch_order import BatchOrder
from lora_lab.training.controls import Controls
from lora_lab.training.experiment import Experiment
from lora_lab.training.loop import train
from lora_lab.training.saving.state import restore, state_of

OPTIMIZERS = {
    "adamw": {"optimizer": "adamw", "b_rate_ratio": 4.0},
    "sgd": {"optimizer": "sgd", "momentum": 0.9},
}
MOMENT = {"adamw": "exp_avg", "sgd": "momentum_buffer"}


def digits(steps: int = 1000, hyper: dict | None = None, **settings) -> RunConfig:
    """Layers fc1 128×64, fc2 64×128 and fc3 10×64 in float64, at rank 4 and a rate that moves."""
    config = get_preset("digits").config
    rates = {"rank": 4, "alpha": 8.0, "learning_rate": 1e-3, **(hyper or {})}
    return changed(
        config,
        **{"dtype": "float64", "schedule": "constant", "max_steps": steps, **settings},
        hyper={**config.hyper.model_dump(), **rates},
    )


class DrivenRun:
    """The records of a run as they come, kept in `seen`."""

    def __init__(self, config: RunConfig, *, one_batch: bool = False) -> None:
        self.config, self.experiment = config, Experiment.build(config)
        if one_batch:
            batch = next(self.experiment.batches)
            self.experiment.batches = BatchOrder(lambda count: itertools.repeat(batch))
        self.controls = Controls(config.hyper)
        self.seen = []
        self._records = train(self.experiment, self.controls, serve_after_training=True)

    def __getitem__(self, name):
        return self.experiment.layers[name]

    def next(self, kinds):
        """Go on until a record of one of these kinds."""
        while True:
            self.seen.append(next(self._records))
            if isinstance(self.seen[-1], kinds):
                return self.seen[-1]

    def rest(self):
        """All records that still come, until the loop ends."""
        return list(self._records)

    def steps(self, count: int) -> list[float]:
        """Make steps; returns their losses."""
        return [self.next(StepRecord).loss for _ in range(count)]

    def resumed(self, steps: int) -> tuple[list[float], DrivenRun]:
        """Make steps; their losses, and another run that was restored and made the same to the bit.

        That run has the settings which this one began with, until it is restored.
        """
        tensors, facts = state_of(self.experiment)
        losses = self.steps(steps)
        again = DrivenRun(self.config)
        assert restore(again.experiment, tensors, facts) == ()
        again.controls.settle(again.controls.hyper, again.experiment.hyper)
        assert again.steps(steps) == losses
        return losses, again

    def edit(self, **values) -> AppliedRecord | ErrorRecord:
        """Request for other settings, and go on until they are applied or refused.

        After a step that is before the next one; after another edit one step is made first.
        """
        self.controls.set_hyper(changed(self.controls.hyper, **values))
        return self.next((AppliedRecord, ErrorRecord))

    def deltas(self) -> dict[str, torch.Tensor]:
        return {n: layer.delta_weight().detach() for n, layer in self.experiment.layers.items()}

    def directions(self) -> dict[str, torch.Tensor]:
        """s·B·A of each layer: ΔW itself, or in DoRA the change of direction."""
        return {
            name: LoRALayer.delta_weight(layer).detach()
            for name, layer in self.experiment.layers.items()
        }

    def tensors(self, name: str) -> dict[str, torch.Tensor]:
        """Copies of all that one layer trains."""
        return {
            label: p.detach().clone() for label, p in self[name].named_parameters(recurse=False)
        }
