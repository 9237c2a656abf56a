"""The learning-rate finder: a short trial at rising rates, put back to the bit (Smith 2017).

Smith, arXiv 1506.01186, §3.3, with a rate that rises by one factor per step instead of by one
amount, so that it crosses decades.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator

import numpy as np

from lora_lab.errors import LabError
from lora_lab.measured import RateFoundRecord, RatePointRecord
from lora_lab.records import frozen_array
from lora_lab.tasks.base import never
from lora_lab.training.descent import descend, gradient_norm
from lora_lab.training.experiment import Experiment
from lora_lab.training.gradients import gradients
from lora_lab.training.measure.trial import trial

LOWEST, HIGHEST = 1e-6, 1.0
DIVERGED = 4.0  # times the lowest smoothed loss: there is no way back
MEMORY = 0.8  # of the running mean that divergence is judged by
WIDTH = 2.5  # steps: standard deviation of the smoothing, which looks both ways
NEAR = 0.01  # of the whole fall: as low as the lowest point
NOISY = 1.5  # standard deviations of single losses: three of a difference of smoothed ones
CHECKED = 20, 400  # steps at a rate before it is named: so many, and more while time allows
CHECK_SECONDS = 2.0
RISES = 0.01  # share by which they may raise the validation loss
TRIES = 6  # each at a third of the rate before
FALLS = 0.02  # share of the first loss that it must fall by to say anything


def find_rate(experiment: Experiment, steps: int) -> Iterator[RatePointRecord | RateFoundRecord]:
    """A record per step of the trial, and one of the whole; closed early, it puts back as well.

    The rate rises from LOWEST to HIGHEST in `steps` steps, or until the loss diverges. No rate is
    named that raises the validation loss, or that of an old task, within CHECKED steps at it: the
    loss in training may fall while all else is ruined. Raises LabError where a step does not fit
    into memory.
    """
    began = time.perf_counter()
    rates = np.geomspace(LOWEST, HIGHEST, steps)
    losses: list[float] = []
    mean, lowest, diverged = 0.0, math.inf, False
    with trial(experiment) as batches:
        for number, rate in enumerate(rates, 1):
            result = gradients(experiment, next(batches))
            if result.failed:
                raise LabError(
                    f"A step does not fit into memory ({result.failed}). Nothing has changed; open "
                    "the run with a smaller batch or shorter texts."
                )
            losses.append(result.loss)
            yield RatePointRecord(experiment.step, number, steps, float(rate), result.loss)
            mean = MEMORY * mean + (1 - MEMORY) * result.loss
            settled = mean / (1 - MEMORY**number)
            lowest = min(lowest, settled)
            norm = gradient_norm(experiment.optimizer) if math.isfinite(result.loss) else math.nan
            diverged = not math.isfinite(norm) or settled > DIVERGED * lowest
            if diverged:
                break
            descend(experiment, float(rate), norm)
    tried = rates[: len(losses)]
    curve = smoothed(np.array(losses))
    steepest, third = suggestions(tried, curve, np.array(losses))
    checked: list[tuple[float, float, float]] = []
    rate = math.nan if math.isnan(steepest) else max(steepest, third)
    before = math.nan if math.isnan(rate) else _held_out(experiment)
    while rate >= LOWEST and len(checked) < TRIES:
        after = yield from _held_out_after(experiment, rate, steps)
        checked.append((rate, before, after))
        if after <= (1 + RISES) * before:
            break
        rate /= 3
    else:
        rate = math.nan  # none of them leaves the validation rows as they are
    yield RateFoundRecord(
        experiment.step, frozen_array(tried), frozen_array(losses), frozen_array(curve),
        lowered(steepest, rate), lowered(third, rate), diverged, time.perf_counter() - began,
        tuple(checked),
    )  # fmt: skip


def lowered(rate: float, most: float) -> float:
    """`rate`, or `most` where that is lower; nan where no rate may be named."""
    return math.nan if math.isnan(rate) or math.isnan(most) else min(rate, most)


def _held_out_after(
    experiment: Experiment, rate: float, steps: int
) -> Generator[RatePointRecord, None, float]:
    """The validation loss after some steps at a constant rate, which are put back to the bit.

    Where rows of an old task are at hand, theirs is in the sum: a rate that ruins them is no rate.
    """
    with trial(experiment) as batches:
        began = time.perf_counter()
        for number in range(CHECKED[1]):
            if number >= CHECKED[0] and time.perf_counter() - began > CHECK_SECONDS:
                break
            result = gradients(experiment, next(batches))
            yield RatePointRecord(experiment.step, steps, steps, rate, math.nan)
            finite = not result.failed and math.isfinite(result.loss)
            norm = gradient_norm(experiment.optimizer) if finite else math.nan
            if not math.isfinite(norm):
                return math.inf
            descend(experiment, rate, norm)
        after = _held_out(experiment)
    return after if math.isfinite(after) else math.inf


def _held_out(experiment: Experiment) -> float:
    result = experiment.held_out(True)
    assert result is not None
    old = experiment.inference.retention(True, never) if experiment.task.has_retention else None
    return result.loss + (old.loss if old is not None else 0.0)


def smoothed(losses: np.ndarray) -> np.ndarray:
    """Means (n) of `losses` (n) under a bell that looks both ways, so that nothing is shifted.

    Values that are not finite end the curve: they and what follows stay as they are.
    """
    bad = np.flatnonzero(~np.isfinite(losses))
    end = int(bad[0]) if bad.size else losses.size
    places = np.arange(end)
    weights = np.exp(-0.5 * np.square((places[:, None] - places) / WIDTH))
    curve = losses.astype(float)
    if end:
        curve[:end] = weights @ curve[:end] / weights.sum(axis=1)
    return curve


def suggestions(rates: np.ndarray, curve: np.ndarray, losses: np.ndarray) -> tuple[float, float]:
    """Where `curve` falls fastest per decade, and a third of the rate at its lowest point.

    Both are rules of thumb. nan where the curve does not fall by FALLS of where it starts, or by
    no more than the noise of `losses` about it, of which a bell of WIDTH leaves a third.
    """
    finite = np.flatnonzero(np.isfinite(curve))
    if finite.size < 4:
        return math.nan, math.nan
    curve = curve[: finite[-1] + 1]
    near = curve.min() + NEAR * (curve[0] - curve.min())  # on a plateau the first place counts
    bottom = int(np.argmax(curve <= near))
    noise = float(np.std((losses[: len(curve)] - curve)[: max(bottom, 3)]))
    if bottom < 2 or not curve[0] - curve[bottom] > max(FALLS * curve[0], NOISY * noise):
        return math.nan, math.nan
    slopes = np.gradient(curve[: bottom + 1], np.log10(rates[: bottom + 1]))
    return float(rates[int(np.argmin(slopes))]), float(rates[bottom] / 3)
