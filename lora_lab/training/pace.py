"""What a step does besides its loss: gradient norm, update to weight, tokens so far, memory.

Measured now and then, in half a per cent of the time, and written to the run's record.
"""

from __future__ import annotations

import os

import psutil
import torch

from lora_lab.records import PaceRecord
from lora_lab.training.descent import norm_of
from lora_lab.training.experiment import Experiment
from lora_lab.training.time_budget import TimeBudget

SHARE, INTERVAL = 0.005, 0.2
SPARSER = 2000  # a long run is measured every 1/2000 of its time so far


class Pace:
    """Looks at a step before and after it is made."""

    def __init__(self, experiment: Experiment, share: float = 1.0) -> None:
        """`share` of the thread's time is this run's, as in `loop.train`."""
        self._experiment, self._interval = experiment, INTERVAL / share
        self._budget = TimeBudget(SHARE * share, self._interval)
        self._before: list[torch.Tensor] = []
        self._process = psutil.Process(os.getpid())

    def before(self, now: float) -> None:
        """Copy what is trained, where a measurement is due."""
        self._before = []
        if self._budget.due(now):
            self._budget.interval = max(self._interval, self._experiment.training_seconds / SPARSER)
            with self._budget, torch.no_grad():  # entered here alone: most steps are not measured
                moving = (p for p in self._experiment.parameters() if p.grad is not None)
                self._before = [p.detach().clone() for p in moving]

    def after(self, norm: float) -> tuple[PaceRecord, ...]:
        """The measurement of the step that was made; none where none was due."""
        experiment, before = self._experiment, self._before
        if not before:
            return ()
        self._before = []
        with self._budget, torch.no_grad():
            moved = [p for p in experiment.parameters() if p.grad is not None]
            weight = norm_of(before).item()
            change = torch._foreach_sub([p.detach() for p in moved], before)
            update = norm_of(list(change)).item()
            ratio = update / weight if weight else float("nan")
            return (
                PaceRecord(
                    experiment.step, experiment.training_seconds, norm, ratio, experiment.tokens,
                    self._memory(),
                ),
            )  # fmt: skip

    def _memory(self) -> int:
        """Bytes: of tensors on an accelerator, of the process on the CPU."""
        device = self._experiment.device
        if device.type == "cuda":
            return int(torch.cuda.memory_allocated(device))
        if device.type == "mps":
            return int(torch.mps.current_allocated_memory())
        return int(self._process.memory_info().rss)
