"""Rank or numbers?: ways to train few numbers, each at its own best rate, over what they train."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lora_lab.adapters.space import most_numbers, rate_factor
from lora_lab.config import RunConfig
from lora_lab.errors import ConfigError
from lora_lab.intrinsic.marks import Comparison, ComparisonPlan, Mark, Running, Tried
from lora_lab.intrinsic.methods import METHODS, known, row
from lora_lab.intrinsic.results import BASE
from lora_lab.intrinsic.runs import Outcome, Runner, Wanted, runner_for
from lora_lab.progress import Report, silent
from lora_lab.variants import PLAIN

STEP = 3.0  # between two rates that are tried
NEAR = 0.01  # of a training loss: a hundredth of a nat says nothing of which rate is better
MOST_RATES = 6  # of one method at one size
STEPS = 1000  # where the net is small
Item = ComparisonPlan | Running | Tried | Mark | Comparison


@dataclass(frozen=True)
class ComparisonSettings:
    """What a comparison is asked for; 0 and () leave it to the task."""

    methods: tuple[str, ...] = ()
    seeds: int = 3
    steps: int = 0
    by_loss: bool = False

    def __post_init__(self) -> None:
        if unknown := [name for name in self.methods if name not in known()]:
            raise ConfigError(f"A method is one of {', '.join(known())}, not {unknown[0]}.")
        if self.seeds < 1:
            raise ConfigError(f"At least 1 seed is needed, not {self.seeds}.")


@dataclass(frozen=True)
class _Size:
    """A method at one size, and how many numbers that is."""

    method: str
    size: int
    trained: int


class EqualCount:
    """One comparison: opened with its `plan` and price, then trained by `run`."""

    def __init__(
        self, config: RunConfig, settings: ComparisonSettings, report: Report = silent
    ) -> None:
        """Raises LabError for a task or settings that cannot be compared, Cancelled as `report`."""
        self._settings, self._projection = settings, config.projection
        self._many = runner_for(config, settings.steps or _steps(config), settings.by_loss, report)
        self._one = self._many.single(report)
        self._sizes = self._laid_out(settings.methods or known())
        self.plan = self._plan(settings.methods or known())

    def run(self, report: Report = silent) -> Iterator[Item]:
        """Yield the plan, each run as it ends, a mark where all of its seeds have, and the end."""
        self._many.report = self._one.report = report
        plan, done = self.plan, [0, self.plan.runs]
        yield plan
        start = self._many.untrained(BASE).score
        marks: list[Mark] = []
        rates: dict[str, float] = {}  # the best so far, over what is usual
        for size in self._sizes:
            mark = yield from self._marked(size, rates, done)
            if mark is not None:
                marks.append(mark)
                yield mark
        full = yield from self._marked(_Size("", 0, self._many.weights), rates, done)
        if full is None:
            raise ConfigError("Full training stays finite at no rate: there is no line to reach.")
        yield Comparison(plan, start, full, tuple(marks))

    def _laid_out(self, methods: Sequence[str]) -> list[_Size]:
        """The sizes of all methods, small ones of each first, so that a picture comes soon."""
        shapes = self._one.shapes
        rows: list[list[_Size]] = []
        least = 2 * len(shapes) if self._one.least > 1 else 0  # a λ for each W, b, A and B
        lora = [self._count(PLAIN, rank, shapes) for rank in METHODS[PLAIN].sizes[:3]]
        for name in methods:
            sizes = METHODS[name].sizes
            if row(name).shared:  # numbers, and as many as LoRA has at its lowest ranks
                sizes = tuple(sorted({*sizes, *lora}))
                most = most_numbers(self._projection, self._moved(name))
                sizes = tuple(d for d in sizes if least < d <= most)
            elif row(name).capped:
                largest = max(min(shape) for shape in shapes)
                sizes = tuple(rank for rank in sizes if rank <= largest)
            rows.append([_Size(name, size, self._count(name, size, shapes)) for size in sizes])
        longest = max(map(len, rows))
        return [sizes[i] for i in range(longest) for sizes in rows if i < len(sizes)]

    @staticmethod
    def _count(method: str, size: int, shapes: Sequence[tuple[int, int]]) -> int:
        if row(method).shared:
            return size
        capped = row(method).capped
        ranks = [min(size, *shape) if capped else size for shape in shapes]
        return sum(row(method).parameters(shape, r) for shape, r in zip(shapes, ranks, strict=True))

    def _moved(self, method: str) -> int:
        """How much its numbers move: all weights, or factors of LoRA."""
        rank = METHODS[method].rank
        return self._count(PLAIN, rank, self._one.shapes) if rank else self._many.weights

    def _plan(self, methods: Sequence[str]) -> ComparisonPlan:
        many, seeds = self._many, self._settings.seeds
        each = 2 + seeds  # three rates of the first seed, and the others at the best of them
        stacked = many is not self._one
        together = sum(self._runner(size) is many for size in self._sizes)
        runs = each * (len(self._sizes) + 1)
        notes = ("random subspaces of all weights are trained in a stack",)
        seconds = self._one.seconds(each) * (len(self._sizes) - together)
        seconds += many.seconds(each) * (together + 1)
        return ComparisonPlan(
            tuple(methods), many.score.name, many.weights, many.steps, seeds, runs,
            seconds, many.held_out, not many.score.ratio,
            (*many.notes, *(notes if stacked and together else ())),
        )  # fmt: skip

    def _marked(
        self, size: _Size, rates: dict[str, float], done: list[int]
    ) -> Iterator[Running | Tried]:
        """All seeds of a size at its best rate; returns their mark, None where none is finite.

        The rate is that of the least training loss of the first seed, among three at least, and
        further ones while the best is at an edge; of those that come as near as `NEAR` to it the
        slowest, since a faster one moves further for nothing. Rows that choose are not held out.
        """
        yield Running(size.method, size.size, size.trained, done[0] / done[1])
        usual = self._first_rate(size)
        fastest = self._runner(size).fastest
        first = min(usual * rates.get(size.method, 1.0), fastest)
        tried: dict[float, Outcome] = {}
        ahead = [rate for rate in (first, first / STEP, first * STEP) if rate <= fastest]
        while ahead and len(tried) < MOST_RATES:
            wanted = [self._wanted(size, 0, rate) for rate in ahead]
            for outcome in self._runner(size).train(wanted):
                tried[outcome.wanted.rate] = outcome
                yield self._tried(size, outcome, done)
            best = _slowest(tried)
            ahead = [best * STEP] if best == max(tried) and best * STEP <= fastest else []
            ahead += [best / STEP] if best == min(tried) else []
        if not math.isfinite(_loss(tried[best])):
            return None
        rates[size.method] = best / usual
        outcomes = [tried[best]]
        others = [self._wanted(size, seed, best) for seed in range(1, self._settings.seeds)]
        for outcome in self._runner(size).train(others) if others else ():
            outcomes.append(outcome)
            yield self._tried(size, outcome, done)
        scores = tuple(o.score for o in outcomes if math.isfinite(o.score))
        return Mark(size.method, size.size, size.trained, best, scores) if scores else None

    def _tried(self, size: _Size, outcome: Outcome, done: list[int]) -> Tried:
        done[0] = min(done[0] + 1, done[1] - 1)
        w = outcome.wanted
        return Tried(
            size.method, size.size, size.trained, w.seed, w.rate, outcome.score, outcome.loss
        )

    def _first_rate(self, size: _Size) -> float:
        rate = self._many.full_rate
        if not size.method:
            return rate
        if row(size.method).shared:
            rate *= rate_factor(self._moved(size.method), size.size)
        return rate * METHODS[size.method].faster

    def _wanted(self, size: _Size, seed: int, rate: float) -> Wanted:
        if not size.method:
            return Wanted(BASE, self._many.weights, seed, rate, full=True)
        shared = row(size.method).shared
        dimension, rank = (size.size, METHODS[size.method].rank) if shared else (0, size.size)
        return Wanted(BASE, dimension, seed, rate, variant=size.method, rank=rank)

    def _runner(self, size: _Size) -> Runner:
        """What trains it: in a stack there are full training and numbers of all weights alone."""
        return self._one if self._wanted(size, 0, 0.0).rank else self._many


def _slowest(tried: dict[float, Outcome]) -> float:
    """The least rate whose training loss is as good as the least."""
    least = min(map(_loss, tried.values()))
    return min(rate for rate, outcome in tried.items() if _loss(outcome) <= least + NEAR)


def _loss(outcome: Outcome) -> float:
    return outcome.training_loss if math.isfinite(outcome.training_loss) else math.inf


def _steps(config: RunConfig) -> int:
    return 0 if config.data else STEPS
