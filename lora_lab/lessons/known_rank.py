"""Lessons on the preset whose change has a known rank: tail, scaling, α, choosing a rank."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch

from lora_lab.lessons.driven import Driven
from lora_lab.lessons.lesson import Answer, Sample
from lora_lab.progress import Report

STEPS = 900


def _driven(report: Report, steps: int, rank: int, rate: float = 1e-2) -> Driven:
    hyper = {"rank": rank, "learning_rate": rate}
    return Driven("known-rank", steps, report, batch_size=64, hyper=hyper)


def rank_and_tail(report: Report) -> Iterator[Sample | Answer]:
    """At rank 2 the loss ends at (1² + ½²)/48."""
    run = _driven(report, STEPS, 2)
    start = math.nan
    for sample in run.steps(STEPS):
        start = sample.y if math.isnan(start) else start
        yield sample
    floor = run.experiment.task.loss_floor
    ends = [0.0, floor[2], start / 2]
    nearest = int(np.argmin([abs(math.log((run.loss + 1e-9) / (end + 1e-9))) for end in ends]))
    yield Answer(
        nearest,
        f"It ended at {run.loss:.4f}. What the two smallest singular values leave is "
        f"{floor[2]:.4f}, and no ΔW of rank 2 gets below that.",
    )


def scale(report: Report) -> Iterator[Sample | Answer]:
    """Doubling α doubles ΔW at once."""
    run = _driven(report, 400, 4)
    yield from run.steps(300)
    (name,) = run.experiment.layers
    before = float(run.delta(name).norm())
    run.edit(alpha=2 * run.controls.hyper.alpha, alpha_mode="scale_effect")
    after = float(run.delta(name).norm())
    jumped = run.loss
    yield from run.steps(100)
    ratio = after / before
    choices = [1.0, 2.0, 4.0]
    yield Answer(
        int(np.argmin([abs(ratio - c) for c in choices])),
        f"‖ΔW‖ went from {before:.3f} to {after:.3f}, {ratio:.2f} times as much, in one moment. "
        f"The loss was {jumped:.3g} and is {run.loss:.3g} after 100 more steps.",
    )


def alpha_as_a_rate(report: Report) -> Iterator[Sample | Answer]:
    """With ΔW kept, a larger α is a larger learning rate of B."""
    run = _driven(report, 60, 4, rate=1e-3)
    yield from run.steps(40)
    (name,) = run.experiment.layers
    moved = []
    for part in range(2):
        before = run.delta(name)
        yield from run.steps(5)
        moved.append(float((run.delta(name) - before).norm()))
        if part == 0:
            kept = run.delta(name)
            run.edit(alpha=8 * run.controls.hyper.alpha, alpha_mode="keep_function")
            same = float((run.delta(name) - kept).norm() / kept.norm())
            assert same < 1e-5, "ΔW is kept"
    ratio = moved[1] / moved[0]
    yield Answer(
        1 if ratio > 1.5 else 0 if ratio > 0.67 else 2,
        f"ΔW itself did not move when α was set. In the next 5 steps it moved {ratio:.1f} times as "
        f"far as in the 5 before: {moved[1]:.3g} in place of {moved[0]:.3g}.",
    )


def choosing_a_rank(report: Report) -> Iterator[Sample | Answer]:
    """Trained at rank 8, the energy shows the four directions that are used."""
    run = _driven(report, STEPS, 8)
    yield from run.steps(STEPS)
    (name,) = run.experiment.layers
    energy = torch.linalg.svdvals(run.delta(name)).square()[:8]
    shares = (energy.cumsum(0) / energy.sum()).tolist()
    for rank, share in enumerate(shares, 1):
        yield Sample("energy kept", rank, share)
    needed = next(rank for rank, share in enumerate(shares, 1) if share > 0.995)
    choices = [2, 4, 8]
    yield Answer(
        int(np.argmin([abs(math.log2(needed / c)) for c in choices])),
        f"Rank {needed} keeps {100 * shares[needed - 1]:.1f} % of ΔW's energy, rank 2 keeps "
        f"{100 * shares[1]:.1f} %. The other directions were free to be used, and were not.",
    )
