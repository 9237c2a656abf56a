"""The intrinsic dimension d90: the smallest random subspace that reaches 90 % of full training.

Li et al. 2018 (arXiv 1804.08838, §2): the smallest d whose score reaches 90 % of full training's.
Scores of one d scatter, so their means over seeds are made monotone over log d, the crossing is
interpolated in log d, and its interval is that of a bootstrap over seeds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

SHARE = 0.9
DRAWS = 1000  # of the bootstrap
CONFIDENCE = 0.95
FEWEST_SEEDS = 3  # below which an interval says nothing


@dataclass(frozen=True)
class Crossing:
    """Where the scores reach a target: d itself, or that it lies beyond an end of the grid.

    `sign` is "" for a value in between, "≤" where the smallest d reaches it, ">" where none does.
    """

    d: float
    sign: str = ""

    def __str__(self) -> str:
        return f"{self.sign}{' ' if self.sign else ''}{self.d:,.0f}"


@dataclass(frozen=True)
class Dimension:
    """d90 with its interval, and what it was read from."""

    d90: Crossing
    interval: tuple[Crossing, Crossing] | None  # None: of fewer than FEWEST_SEEDS
    target: float  # the score that counts as reached
    start: float  # the score at d = 0
    full: float  # of full training


def monotone(values: Sequence[float], weights: Sequence[float] | None = None) -> list[float]:
    """The nearest sequence that never falls, by pooling adjacent violators (Ayer et al. 1955)."""
    blocks: list[list[float]] = []  # mean, weight, length
    for value, weight in zip(values, weights or [1.0] * len(values), strict=True):
        blocks.append([float(value), float(weight), 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            mean, total, length = blocks.pop()
            before = blocks[-1]
            joint = before[1] + total
            before[0] = (before[0] * before[1] + mean * total) / joint
            before[1], before[2] = joint, before[2] + length
    return [mean for mean, _, length in blocks for _ in range(int(length))]


def crossing(dimensions: Sequence[int], scores: Sequence[float], target: float) -> Crossing:
    """The first d, interpolated in log d, at which the monotone `scores` reach `target`."""
    rising = monotone(scores)
    for index, score in enumerate(rising):
        if score >= target:
            if index == 0:
                return Crossing(float(dimensions[0]), "≤")
            low, high = rising[index - 1], score
            share = (target - low) / (high - low)
            ends = math.log(dimensions[index - 1]), math.log(dimensions[index])
            return Crossing(math.exp(ends[0] + share * (ends[1] - ends[0])))
    return Crossing(float(dimensions[-1]), ">")


def d90(
    scores: Mapping[int, Sequence[float]], full: Sequence[float], start: float, by_gain: bool
) -> Crossing:
    """Where the means of the seeds reach the target; see `intrinsic_dimension`."""
    dimensions = sorted(scores)
    means = [float(np.mean(scores[d])) for d in dimensions]
    return crossing(dimensions, means, _target(float(np.mean(full)), start, by_gain))


def intrinsic_dimension(
    scores: Mapping[int, Sequence[float]],
    full: Sequence[float],
    start: float,
    *,
    by_gain: bool = False,
    seed: int = 0,
) -> Dimension:
    """d90 of scores per d and seed (higher is better), and those of full training per seed.

    The target is 90 % of full training's mean, as in the paper, or `by_gain` 90 % of the way from
    the `start` to it: the first counts what the base can do already. Few seeds have no interval.
    Raises ValueError where there are no scores.
    """
    if not scores or not full:
        raise ValueError("d90 needs the scores of at least one d and of full training")
    generator = np.random.default_rng(seed)

    def drawn_again() -> Crossing:
        rows = {d: _drawn(scores[d], generator) for d in sorted(scores)}
        return d90(rows, _drawn(full, generator), start, by_gain)

    interval = None
    if min(len(full), *map(len, scores.values())) >= FEWEST_SEEDS:
        draws = sorted((drawn_again() for _ in range(DRAWS)), key=_place)
        tail = (1 - CONFIDENCE) / 2
        interval = draws[int(tail * DRAWS)], draws[min(DRAWS - 1, int((1 - tail) * DRAWS))]
    mean = float(np.mean(full))
    found = d90(scores, full, start, by_gain)
    return Dimension(found, interval, _target(mean, start, by_gain), start, mean)


def _target(full: float, start: float, by_gain: bool) -> float:
    return start + SHARE * (full - start) if by_gain else SHARE * full


def _drawn(values: Sequence[float], generator: np.random.Generator) -> list[float]:
    return [values[i] for i in generator.integers(len(values), size=len(values))]


def _place(found: Crossing) -> float:
    """Beyond the ends of the grid lies beyond its values."""
    return {"≤": -math.inf, ">": math.inf}.get(found.sign, found.d)
