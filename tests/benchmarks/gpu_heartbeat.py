"""The loop's heartbeat: what a step takes within it, and how often it waits for the device."""

from __future__ import annotations

import argparse
import math
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from lora_lab.config import changed
from lora_lab.presets import get_preset
from lora_lab.records import SpectrumRecord, StepRecord
from lora_lab.training.controls import Controls
from lora_lab.training.experiment import Experiment
from lora_lab.training.loop import train


@contextmanager
def counted_waits(device: torch.device) -> Iterator[Callable[[], float]]:
    """How often the CPU waits for the device within, as torch warns; nan where it cannot tell."""
    if device.type != "cuda":
        yield lambda: float("nan")
        return
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield lambda: float(sum("synchroniz" in str(w.message) for w in said))
        finally:
            torch.cuda.set_sync_debug_mode("default")


def heartbeat(asked: argparse.Namespace, device: torch.device) -> tuple[dict[str, float], str]:
    """The loop's steps a second beside the bare ones, of a small net: what goes on around them."""
    steps = 60 if asked.tiny else 2000
    config = changed(get_preset("digits").config, device=str(asked.device), max_steps=steps)
    experiment = Experiment.build(config)
    batch = next(experiment.batches)

    def bare() -> None:
        experiment.task.loss(experiment.model, batch).backward()
        experiment.optimizer.step()
        experiment.optimizer.zero_grad(set_to_none=True)

    for _ in range(5):
        bare()
    count = max(10, steps // 10)
    own = math.inf  # of the best of three
    for _ in range(3):
        began = time.perf_counter()
        for _ in range(count):
            bare()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        own = min(own, (time.perf_counter() - began) / count)
    made, spectra, gaps, last = 0, 0, [], 0.0
    with counted_waits(device) as waits:
        for record in train(experiment, Controls(config.hyper)):
            spectra += isinstance(record, SpectrumRecord)
            if isinstance(record, StepRecord):
                now, made = time.perf_counter(), made + 1
                gaps += [now - last] if last else []
                last = now
        waited = waits() / max(1, made)
    beat = sorted(gaps)[len(gaps) // 2]
    figures = {"bare_ms": 1e3 * own, "loop_ms": 1e3 * beat, "longest_ms": 1e3 * max(gaps),
               "spectra": spectra, "waits_a_step": waited}  # fmt: skip
    return figures, (
        f"{1e3 * beat:.3g} ms a step in the loop, {1e3 * own:.3g} bare; longest "
        f"{1e3 * max(gaps):.3g}; {spectra} spectra in {made} steps; "
        + (f"{waited:.3g} waits a step" if waited == waited else "waits not counted here")
    )
