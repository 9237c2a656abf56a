"""Lessons on the digits: how an adapter starts, what it forgets, what a merge keeps, numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import fmean

import numpy as np
import torch

from lora_lab.analysis.intruders import intruder_dimensions
from lora_lab.analysis.merge_loss import merge_loss
from lora_lab.intrinsic.measure import Settings, measure
from lora_lab.intrinsic.results import BASE, Point, Result
from lora_lab.lessons.driven import Driven
from lora_lab.lessons.lesson import Answer, Sample
from lora_lab.presets import get_preset
from lora_lab.progress import Report

NINE = (9,)
OLD = tuple(range(9))


def why_b_is_zero(report: Report) -> Iterator[Sample | Answer]:
    """Before the first step the adapter changes nothing."""
    run = Driven("digits", 60, report, digits=(), hyper={"rank": 4, "learning_rate": 1e-3})
    layer = run.experiment.layers["fc1"]
    sizes = {n: float(p.detach().norm()) for n, p in layer.named_parameters(recurse=False)}
    first = [run.experiment.held_out(enabled) for enabled in (False, True)]
    yield Sample("loss", 0, first[1].loss)
    yield from run.steps(60)
    apart = abs(first[1].loss - first[0].loss)
    yield Answer(
        1 if apart == 0 else 0,
        f"‖A‖ = {sizes['lora_A']:.2f} and ‖B‖ = {sizes['lora_B']:g}, so ΔW = 0. The validation "
        f"loss was {first[0].loss:.4f} without the adapter and {first[1].loss:.4f} with it.",
    )


def both_zero(report: Report) -> Iterator[Sample | Answer]:
    """With A and B both zero no gradient ever comes."""
    run = Driven("digits", 100, report, digits=(), hyper={"rank": 4, "learning_rate": 1e-2})
    with torch.no_grad():
        for layer in run.experiment.lora_layers:
            layer.lora_A.zero_()
    yield from run.steps(100)
    norm = max(float(run.delta(name).norm()) for name in run.experiment.layers)
    usual = Driven("digits", 100, report, digits=(), hyper={"rank": 4, "learning_rate": 1e-2})
    yield from usual.steps(100, "loss, A random")
    yield Answer(
        2 if norm == 0 else 0,
        f"After 100 steps ‖ΔW‖ is {norm:g} and the loss {run.loss:.3f}. With a random A it is "
        f"{usual.loss:.3f}: A's gradient is made of B and B's of A, so one of them must not be 0.",
    )


def forgetting(report: Report) -> Iterator[Sample | Answer]:
    """Trained on 9s alone it loses the other digits."""
    steps = 600
    run = Driven("digits", steps, report, hyper={"rank": 4, "learning_rate": 1e-4})
    before = run.accuracy(OLD, True)
    for _ in range(12):
        for _ in run.steps(steps // 12):
            pass
        step = run.experiment.step
        yield Sample("accuracy on 9", step, run.accuracy(NINE, True))
        yield Sample("accuracy on 0-8", step, run.accuracy(OLD, True))
    new, after = run.accuracy(NINE, True), run.accuracy(OLD, True)
    lost = before - after
    yield Answer(
        0 if lost < 0.02 else 1 if lost < 0.15 else 2,
        f"{100 * new:.0f} % of the 9s are right now, and {100 * after:.0f} % of the other digits "
        f"in place of {100 * before:.0f} %. Nothing in the data asked for them.",
    )


def merge_in_bf16(report: Report) -> Iterator[Sample | Answer]:
    """A small ΔW is mostly lost where W + ΔW is rounded to bfloat16."""
    run = Driven("digits", 300, report, digits=(), hyper={"rank": 4, "learning_rate": 1e-5})
    yield from run.steps(300)
    losses = {}
    for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        rows = [
            merge_loss(layer.matrix, layer.delta_weight(), dtype).loss
            for layer in run.experiment.layers.values()
        ]
        losses[name] = fmean(row for row in rows if math.isfinite(row))
    lost = losses["bfloat16"]
    yield Answer(
        0 if lost < 0.02 else 1 if lost < 0.3 else 2,
        f"A merge loses {100 * lost:.0f} % of ΔW in bfloat16 and {100 * losses['float32']:.2g} % "
        "in float32. What is smaller than half a step of W's last bit is rounded away.",
    )


def intruders(report: Report) -> Iterator[Sample | Answer]:
    """One new class makes about one strong direction that W does not have."""
    hyper = {"rank": 4, "alpha": 8.0, "learning_rate": 3e-3}
    run = Driven("digits", 600, report, digits=(), hyper=hyper)
    yield from run.steps(600)
    layer = run.experiment.layers["fc2"]
    count = len(intruder_dimensions(layer.matrix.double(), layer.layer_weights()).indices)
    choices = [0, 1, 4]
    yield Answer(
        int(np.argmin([abs(count - c) for c in choices])),
        f"{count} of the 10 strongest directions of W + ΔW in fc2 "
        f"{'resembles' if count == 1 else 'resemble'} none of W's.",
    )


def dimension(report: Report) -> Iterator[Sample | Answer]:
    """A few dozen random numbers learn the 9s beside the other digits."""
    config = get_preset("digits").config
    settings = Settings(seeds=2, steps=600, starts=(BASE,), dimensions=(4, 16, 32, 64, 256, 1024))
    scores: dict[int, list[float]] = {}
    for item in measure(config, settings, report):
        if isinstance(item, Point) and item.dimension and not item.full:
            scores.setdefault(item.dimension, []).append(item.score)
            if len(scores[item.dimension]) == settings.seeds:
                yield Sample("score", item.dimension, fmean(scores[item.dimension]))
        elif isinstance(item, Result):
            measured = item.of(BASE)
            assert measured is not None
            found = measured.by_score
            assert found is not None
            choices = [40, 1700, 17_000]
            near = [abs(math.log(found.d90.d / choice)) for choice in choices]
            yield Answer(
                int(np.argmin(near)),
                f"{found.d90} numbers reach 90 % of what {item.plan.weights:,} weights reach "
                f"({measured.full:.3f}; before training {measured.untrained:.3f}).",
            )
