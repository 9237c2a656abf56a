"""The first NaN or infinity of a step: which layer it came from, in one sentence."""

from __future__ import annotations

import math
from typing import Any

import torch

from lora_lab.training.experiment import Experiment


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
