"""Measure d90: subspaces on a grid that is refined where it matters, and full training beside."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean

from lora_lab.adapters.space import rate_factor
from lora_lab.analysis.intrinsic_dimension import (
    FEWEST_SEEDS,
    SHARE,
    Crossing,
    Dimension,
    d90,
    intrinsic_dimension,
)
from lora_lab.config import RunConfig
from lora_lab.errors import ConfigError
from lora_lab.figures import counted
from lora_lab.intrinsic.results import BASE, RANDOM, STARTS, Measured, Plan, Point, Result, Training
from lora_lab.intrinsic.runs import FASTEST, Outcome, Runner, Wanted, runner_for
from lora_lab.progress import Report, silent

RATES = (1.0, 1 / 3, 3.0)  # of full training that are tried, times the one that is given
FACTOR = 4  # between two values of the coarse grid
FINE = math.sqrt(2)  # between two around the crossing
SMALLEST = 2
MIDDLE = 64  # of the grid, in the order of training
RESOLUTION = 0.02  # of a score; rows for less are asked for
LOSS_ROWS = 400  # whose mean loss is known to 1/√400 of the spread of a row's
Item = Plan | Training | Point | Result


@dataclass(frozen=True)
class Settings:
    """What a measurement is asked for; 0 and () leave it to the task."""

    starts: tuple[str, ...] = STARTS
    seeds: int = 3
    steps: int = 0
    learning_rate: float = 0.0  # of full training; lr/3, lr and 3·lr are tried
    by_loss: bool = False
    dimensions: tuple[int, ...] = ()  # the grid itself, in place of one that is refined

    def __post_init__(self) -> None:
        if unknown := set(self.starts) - set(STARTS) or not self.starts:
            raise ConfigError(f"A start is one of {', '.join(STARTS)}, not {unknown}.")
        if self.seeds < 1:
            raise ConfigError(f"At least 1 seed is needed, not {self.seeds}.")
        rate, most = self.learning_rate, FASTEST / max(RATES)
        if rate and not 0 < rate <= most:
            raise ConfigError(
                f"A learning rate of full training is above 0 and {most:.3g} at most, since up to "
                f"{max(RATES):g} times as much is tried; not {rate:g}."
            )


@dataclass
class _Start:
    """What is known of one start so far."""

    name: str
    untrained: float
    full: list[float] = field(default_factory=list)
    rate: float = 0.0
    scores: dict[int, list[float]] = field(default_factory=dict)


class Measurement:
    """One measurement: opened with its `plan` and price, then trained by `run`."""

    def __init__(self, config: RunConfig, settings: Settings, report: Report = silent) -> None:
        """Raises LabError for a task or settings that cannot be measured, Cancelled as `report`."""
        self.runner = runner_for(config, settings.steps, settings.by_loss, report)
        self.settings = settings = _of_its_starts(self.runner, settings)
        self.grid = _grid(settings.dimensions, self.runner)
        self.plan = planned(self.runner, settings, self.grid)

    def run(self, report: Report = silent) -> Iterator[Item]:
        """Yield the plan, a point per run as it ends, and the result."""
        self.runner.report = report
        yield from _measured_runs(self.runner, self.settings, self.grid, self.plan)


def measure(config: RunConfig, settings: Settings, report: Report = silent) -> Iterator[Item]:
    """Open a measurement and run it."""
    yield from Measurement(config, settings, report).run(report)


def _measured_runs(
    runner: Runner, settings: Settings, grid: Sequence[int], plan: Plan
) -> Iterator[Item]:
    rate = settings.learning_rate or runner.full_rate
    yield plan
    seeds = range(settings.seeds)
    starts = [_Start(name, runner.untrained(name).score) for name in settings.starts]
    yield from (Point(s.name, 0, 0, s.untrained, math.nan, 0.0) for s in starts)
    done = [0, plan.runs]

    for d in sorted(grid, key=lambda d: abs(math.log(d / MIDDLE))):  # what tells most comes first
        yield from _at(runner, starts, d, rate, seeds, done)
    yield from _full(runner, starts, rate, seeds, done)
    for d, needed in _refined(starts, grid) if not settings.dimensions else ():
        yield from _at(runner, needed, d, rate, seeds, done)
    yield Result(plan, tuple(_measured(s, runner) for s in starts))


def _full(
    runner: Runner, starts: Sequence[_Start], rate: float, seeds: range, done: list[int]
) -> Iterator[Item]:
    """Full training of every start at three rates; the one of the least training loss counts.

    By the training loss, since rows that a rate was chosen by are no held-out rows any more.
    """
    tried: dict[str, list[tuple[float, float, list[float]]]] = {s.name: [] for s in starts}
    for factor in RATES:
        wanted = [
            Wanted(s.name, runner.weights, seed, rate * factor, full=True)
            for s in starts
            for seed in seeds
        ]
        outcomes = yield from _trained(runner, wanted, done, 0)
        for s in starts:
            mine = [o for o in outcomes if o.wanted.start == s.name]
            loss = fmean(o.training_loss for o in mine)
            tried[s.name].append((loss, rate * factor, [o.score for o in mine]))
    for s in starts:
        finite = [row for row in tried[s.name] if math.isfinite(row[0])]
        if not finite:
            raise ConfigError(
                f"Full training at learning rates around {rate:g} does not stay finite. Give a "
                "smaller one."
            )
        _, s.rate, s.full = min(finite)


def _of_its_starts(runner: Runner, settings: Settings) -> Settings:
    """Without the base, where that is random weights as well; raises ConfigError without any."""
    if not runner.untrained_base:
        return settings
    if settings.starts == (BASE,):
        raise ConfigError(
            "The base of this task is not trained: its weights are as they were drawn. Measure "
            "from random weights, or give a trained net as the model."
        )
    return replace(settings, starts=(RANDOM,))


def _grid(asked: Sequence[int], runner: Runner) -> list[int]:
    weights, most, least = runner.weights, runner.most, runner.least
    if wrong := [d for d in asked if not least <= d <= most]:
        if most < wrong[0] <= weights:
            raise ConfigError(
                f"A dense subspace of {wrong[0]:,} numbers: P of {weights:,} weights is held up to "
                f"{most:,} numbers. The projection hash has no such limit."
            )
        raise ConfigError(
            f"A subspace of {wrong[0]:,} numbers: they must be from {least:,} to the {weights:,} "
            "weights."
        )
    if asked:
        return sorted(set(asked))
    count = int(math.log(weights / SMALLEST, FACTOR)) + 1
    grid = (SMALLEST * FACTOR**i for i in range(count))
    return [d for d in grid if least <= d <= min(most, weights / 4)]


def planned(runner: Runner, settings: Settings, grid: Sequence[int]) -> Plan:
    """What will be trained on a grid, its price, and what is to be known before."""
    each = settings.seeds * len(settings.starts)
    fine = 0 if settings.dimensions else 3
    runs = each * (len(RATES) + len(grid)) + fine * each
    notes = list(runner.notes)
    rate = settings.learning_rate or runner.full_rate
    slow = [d for d in grid if runner.rate(d, rate) < rate * rate_factor(runner.weights, d)]
    if slow:
        notes.append(f"up to {max(slow):,} numbers train at {FASTEST:g}, the highest rate there is")
    if settings.seeds < FEWEST_SEEDS:
        notes.append(f"an interval needs {FEWEST_SEEDS} seeds at least, not {settings.seeds}")
    if runner.score.ratio:
        needed = math.ceil(SHARE * (1 - SHARE) / RESOLUTION**2)
        if runner.held_out < needed:
            notes.append(
                f"{counted(runner.held_out, 'held-out row')} tell scores apart by "
                f"{100 * math.sqrt(SHARE * (1 - SHARE) / runner.held_out):.0f} % at best; "
                f"{needed:,} are needed for {100 * RESOLUTION:.0f} %"
            )
    elif runner.held_out < LOSS_ROWS:
        notes.append(
            f"{counted(runner.held_out, 'held-out row')}: the mean loss is known to "
            f"{100 / math.sqrt(max(1, runner.held_out)):.0f} % of the spread of a row's; "
            f"{LOSS_ROWS:,} are needed for {100 / math.sqrt(LOSS_ROWS):.0f} %"
        )
    return Plan(
        weights=runner.weights, measure=runner.score.name, steps=runner.steps,
        seeds=settings.seeds, starts=settings.starts,
        runs=runs, seconds=runner.seconds(each) * runs / each,
        held_out=runner.held_out, loss=not runner.score.ratio, notes=tuple(notes),
    )  # fmt: skip


def _at(
    runner: Runner, starts: Sequence[_Start], d: int, rate: float, seeds: range, done: list[int]
) -> Iterator[Item]:
    """All seeds of some starts at d numbers, at the rate that follows from full training's."""
    wanted = [Wanted(s.name, d, seed, runner.rate(d, rate)) for s in starts for seed in seeds]
    outcomes = yield from _trained(runner, wanted, done, d)
    for s in starts:
        s.scores[d] = [o.score for o in outcomes if o.wanted.start == s.name]


def _trained(runner: Runner, wanted: Sequence[Wanted], done: list[int], d: int) -> Iterator[Item]:
    """Train what is wanted, in stacks or one by one; returns the outcomes."""
    outcomes: list[Outcome] = []
    yield Training(d, len(wanted), done[0] / done[1])
    for outcome in runner.train(wanted):
        outcomes.append(outcome)
        done[0] += 1
        w = outcome.wanted
        yield Point(w.start, w.dimension, w.seed, outcome.score, outcome.loss, w.rate, w.full)
    return outcomes


def _refined(starts: Sequence[_Start], grid: Sequence[int]) -> list[tuple[int, list[_Start]]]:
    """Values between the two of the grid that each crossing lies between, and who needs them."""
    needed: dict[int, list[_Start]] = {}
    for s in starts:
        for found in _crossings(s):
            if found.sign:
                continue
            below = max((d for d in grid if d <= found.d), default=grid[0])
            for i in (1, 2, 3):
                row = needed.setdefault(round(below * FINE**i), [])
                if s not in row:
                    row.append(s)
    return sorted(needed.items(), key=lambda item: item[0])


def _crossings(s: _Start) -> list[Crossing]:
    """By the first rule that tells this start apart from its end."""
    for by_gain in (False, True):
        found = d90(s.scores, s.full, s.untrained, by_gain)
        if not found.sign:
            return [found]
    return []


def _measured(s: _Start, runner: Runner) -> Measured:
    notes = []
    full = fmean(s.full)
    by_score: Dimension | None = None
    by_gain: Dimension | None = None
    if not runner.score.ratio:
        notes.append("a loss has no 90 %: d90 is counted from where it starts")
    elif s.untrained >= SHARE * full:
        notes.append(
            f"at 0 numbers the score is {s.untrained:.3f}, which is 90 % of {full:.3f} already: "
            "nothing to measure by the paper's rule"
        )
    else:
        by_score = intrinsic_dimension(s.scores, s.full, s.untrained)
    if full <= s.untrained:
        notes.append("full training does not raise the score, so there is no gain to count from")
    else:
        by_gain = intrinsic_dimension(s.scores, s.full, s.untrained, by_gain=True)
    return Measured(
        s.name, by_score, by_gain, s.untrained, full, s.rate, tuple(notes), not runner.score.ratio
    )
