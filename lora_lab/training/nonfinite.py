"""The first NaN or infinity of a step: where it came from, what may have made it, what may help."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch

from lora_lab.records import NonFiniteRecord
from lora_lab.training.experiment import Experiment

LARGEST = {"float16": "65,504", "bfloat16": "3.4×10³⁸", "float32": "3.4×10³⁸", "float64": "10³⁰⁸"}
OF_FLOAT16 = {
    "loss": "and scaling the loss helps the backward pass alone",
    "gradient": "and the gradients pass that even where the loss is not scaled",
}
REMEDIES = ("lower_rate", "clip", "float32", "go_back")
HIGH_RATE = 1e-2  # AdamW moves each number by about the rate in a step
STEEP = 100.0  # norm of the gradients that is reported


class Fault(NamedTuple):
    """Where the first non-finite number of a step appears."""

    what: str  # "loss", "gradient" or "factor"
    layer: str  # "" where no adapted layer shows it
    words: str


def diagnosis(
    experiment: Experiment, batch: Any, loss: float, norm: float, restored: int
) -> NonFiniteRecord:
    """What is known of the step that was not made.

    `norm` is that of the last finite gradient; `restored` is the step whose adapter will stand once
    this has been looked at.
    """
    fault = first_nonfinite(experiment, batch, loss)
    causes, remedies = _causes(experiment, fault, norm)
    step = experiment.step + 1
    message = (
        f"Step {step:,} was not applied: {fault.words} The adapter of step {restored:,} is kept. "
        f"Likely: {'; or '.join(causes)}."
    )
    return NonFiniteRecord(step, fault.what, fault.layer, message, causes, remedies, restored, norm)


def first_nonfinite(experiment: Experiment, batch: Any, loss: float) -> Fault:
    """Where the first non-finite number of this step appears, in one sentence."""
    dtype = experiment.config.dtype
    for name, layer in experiment.layers.items():
        for label, p in layer.named_parameters(recurse=False):
            if not bool(torch.isfinite(p).all()):
                return Fault("factor", name, f"{label} of layer {name} is not finite ({dtype}).")
    if math.isfinite(loss):
        for name, layer in experiment.layers.items():
            for label, p in layer.named_parameters(recurse=False):
                if p.grad is not None and not bool(torch.isfinite(p.grad).all()):
                    words = f"the gradient of {label} in layer {name} is not finite ({dtype})."
                    return Fault("gradient", name, words)
        return Fault("gradient", "", f"the norm of the gradients overflows ({dtype}).")
    seen: list[str] = []

    def look(name: str) -> Any:
        def hook(_module: torch.nn.Module, _inputs: Any, output: torch.Tensor) -> None:
            if not seen and not bool(torch.isfinite(output).all()):
                seen.append(name)

        return hook

    handles = [layer.register_forward_hook(look(name)) for name, layer in experiment.layers.items()]
    try:
        if batch is not None:
            with torch.no_grad():
                experiment.task.loss(experiment.model, batch)
    finally:
        for handle in handles:
            handle.remove()
    where = f"first in the output of layer {seen[0]}" if seen else "behind the last adapted layer"
    return Fault("loss", seen[0] if seen else "", f"the loss is {loss}, {where} ({dtype}).")


def _causes(
    experiment: Experiment, fault: Fault, norm: float
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Likely causes and remedies, the likeliest first; only what can be seen in the numbers."""
    config, hyper = experiment.config, experiment.hyper
    causes: list[str] = []
    remedies: list[str] = []
    if config.dtype == "float16" and fault.what in OF_FLOAT16:
        causes.append(f"float16 ends at {LARGEST['float16']}, {OF_FLOAT16[fault.what]}")
        remedies.append("float32")
    if math.isfinite(norm) and norm > STEEP and not experiment.max_grad_norm:
        causes.append(f"the gradients are large (norm {norm:.3g}) and are not clipped")
        remedies.append("clip")
    if hyper.learning_rate >= HIGH_RATE:
        causes.append(f"a learning rate of {hyper.learning_rate:g} is high for {config.optimizer}")
        remedies.append("lower_rate")
    scalings = [layer.scaling for layer in experiment.lora_layers]
    if scalings and max(scalings) > 8:
        causes.append(f"s = {max(scalings):.3g} multiplies ΔW and its gradients")
    if not causes:
        causes.append(
            "the learning rate is too high for this point of the schedule, or a row is out of range"
        )
    if config.dtype == "bfloat16":
        remedies.append("float32")
    for always in ("lower_rate", "clip", "go_back"):
        if always not in remedies and not (always == "clip" and experiment.max_grad_norm):
            remedies.append(always)
    return tuple(causes), tuple(remedies)
