"""The model as it answers, with the adapter on or off: losses on rows, and texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from lora_lab.adapters import AdapterLayer
from lora_lab.adapters.inject import switched
from lora_lab.errors import Cancelled
from lora_lab.sampling import GREEDY, Sampling
from lora_lab.tasks.base import Evaluation, Task, never
from lora_lab.tasks.wrong_answers import WrongAnswers

SPECTRAL = {"_u", "weight_u"}  # buffers that a spectral norm moves on in training


class Inference:
    """Puts the model into evaluation for as long as it is asked, and into training afterwards."""

    def __init__(self, task: Task, model: nn.Module, layers: dict[str, AdapterLayer]) -> None:
        self._task, self._model, self._layers = task, model, layers
        self.leave: Callable[[], bool] = never  # whoever ends the run waits for no measurement

    @torch.no_grad()
    def held_out(self, enabled: bool, should_stop: Callable[[], bool] = never) -> Evaluation | None:
        """A pass over the validation data; None where `should_stop` ended it.

        Raises Cancelled where `leave` did, here and below.
        """
        with self._evaluating(enabled):
            return self._watched(self._task.evaluate, should_stop)

    @torch.no_grad()
    def retention(self, enabled: bool, should_stop: Callable[[], bool]) -> Evaluation | None:
        """A pass over the rows of an earlier task; None where `should_stop` ended it."""
        with self._evaluating(enabled):
            return self._watched(self._task.evaluate_retention, should_stop)

    def _watched(
        self,
        measure: Callable[[nn.Module, Callable[[], bool]], Evaluation | None],
        should_stop: Callable[[], bool],
    ) -> Evaluation | None:
        result = measure(self._model, lambda: should_stop() or self.leave())
        if result is None and not should_stop():
            raise Cancelled("The measurement was left, since the run ends.")
        return result

    @torch.no_grad()
    def wrong(
        self, enabled: bool, most: int, should_stop: Callable[[], bool] = never
    ) -> WrongAnswers | None:
        """The validation images that are misclassified; None where `should_stop` ended it."""
        with self._evaluating(enabled):
            return self._task.wrong(self._model, most, should_stop)

    @torch.no_grad()
    def row_losses(self, row: int, enabled: bool) -> tuple[float, ...]:
        """The loss of every token of a training row; raises LabError where there is none."""
        with self._evaluating(enabled):
            return self._task.row_losses(self._model, row)

    def answer(
        self,
        prompt: str,
        enabled: bool,
        max_new_tokens: int,
        sampling: Sampling = GREEDY,
        should_stop: Callable[[], bool] = never,
    ) -> str:
        """What the model says to `prompt`."""
        if self.leave():
            raise Cancelled("No more is generated, since the run ends.")
        with self._evaluating(enabled):
            return self._task.generate(self._model, prompt, max_new_tokens, sampling, should_stop)

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Within, the model is in evaluation with its adapters on, to be shown single rows."""
        with torch.no_grad(), self._evaluating(True):
            yield

    def resume_training(self) -> None:
        """Dropout draws again. Running means of norms stay, and vectors of spectral norms.

        No adapter holds them.
        """
        self._model.train()
        for module in self._model.modules():
            if getattr(module, "track_running_stats", False) or SPECTRAL & module._buffers.keys():
                module.eval()

    @contextmanager
    def _evaluating(self, enabled: bool) -> Iterator[None]:
        self._model.eval()
        try:
            with switched(self._layers, enabled):
                yield
        finally:
            self.resume_training()
