"""The first NaN or infinity: which layer it came from, and the way back to a good adapter."""

from __future__ import annotations

import math
from typing import Any

import torch

from lora_lab.training.experiment import Experiment


class LastGood:
    """A copy of the trained tensors and of the optimizer's moments from a moment of finite loss."""

    def __init__(self, experiment: Experiment, interval: float) -> None:
        self.experiment, self.interval = experiment, interval
        self._due = 0.0
        self.remember()

    def remember(self) -> None:
        experiment = self.experiment
        self.step = experiment.step
        self._tensors = [
            (p, p.detach().clone(), _moments(experiment.optimizer, p))
            for p in experiment.parameters()
        ]

    def remember_if_due(self, now: float) -> None:
        if now >= self._due:
            self._due = now + self.interval
            # Only what is finite is good; the loss just seen was made by the tensors before.
            if self.experiment.finite():
                self.remember()

    def restore(self) -> int:
        """Put the copy back; returns the step that it is from."""
        with torch.no_grad():
            for p, values, moments in self._tensors:
                p.copy_(values)
                state = self.experiment.optimizer.state
                if moments is None:
                    state.pop(p, None)
                else:
                    state[p] = {k: v.clone() for k, v in moments.items()}
        return self.step


def _moments(optimizer: torch.optim.Optimizer, p: torch.Tensor) -> dict[str, torch.Tensor] | None:
    state = optimizer.state.get(p)
    return {key: value.clone() for key, value in state.items()} if state else None


def first_nonfinite(experiment: Experiment, batch: Any, loss: float) -> str:
    """One sentence that names where the first non-finite number of this step appears."""
    for name, layer in experiment.layers.items():
        for label, p in layer.named_parameters(recurse=False):
            if not bool(torch.isfinite(p).all()):
                return f"{label} of layer {name} is not finite ({experiment.config.dtype})."
    if math.isfinite(loss):
        for name, layer in experiment.layers.items():
            for label, p in layer.named_parameters(recurse=False):
                if p.grad is not None and not bool(torch.isfinite(p.grad).all()):
                    return f"the gradient of {label} in layer {name} is not finite."
        return "the norm of the gradients overflows."
    seen: list[str] = []

    def look(name: str) -> Any:
        def hook(_module: torch.nn.Module, _inputs: Any, output: torch.Tensor) -> None:
            if not seen and not bool(torch.isfinite(output).all()):
                seen.append(name)

        return hook

    handles = [layer.register_forward_hook(look(name)) for name, layer in experiment.layers.items()]
    try:
        with torch.no_grad():
            experiment.task.loss(experiment.model, batch)
    finally:
        for handle in handles:
            handle.remove()
    where = f"first in the output of layer {seen[0]}" if seen else "behind the last adapted layer"
    return f"the loss is {loss}, {where}."
