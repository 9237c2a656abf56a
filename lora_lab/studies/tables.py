"""Tables 5 and 6 of LoRA §7 from ended runs: a cell has mean, deviation, n and its runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from lora_lab.config import RunConfig
from lora_lab.studies.ended import Ended, Shelf
from lora_lab.studies.plan import FULL_SET, Plan

SMALL = 1e-3  # below which three digits behind the point say too little


@dataclass(frozen=True)
class Cell:
    """One figure over the seeds; nan where no run has ended, inf where none stayed finite."""

    mean: float
    deviation: float  # nan for one run
    runs: tuple[Ended, ...]

    @property
    def n(self) -> int:
        return len(self.runs)

    @property
    def words(self) -> str:
        """As 0.973 ± 0.004; "—" where there is none."""
        if math.isnan(self.mean):
            return "—"
        if math.isinf(self.mean):
            return "not finite"
        small = abs(self.mean) < SMALL
        spread = ""
        if math.isfinite(self.deviation):
            spread = f" ± {self.deviation:.0e}" if small else f" ± {self.deviation:.3f}"
        return f"{self.mean:.1e}{spread}" if small else f"{self.mean:.3f}{spread}"


@dataclass(frozen=True)
class Row:
    """A rank or a set of layers at its own best rate, and at every rate that was tried."""

    name: str
    rank: int
    numbers: int  # that train; 0: not known
    rate: float  # the best by the training loss; nan while no run has ended
    accuracy: Cell
    loss: Cell
    by_rate: tuple[tuple[float, Cell], ...]  # the validation loss at each
    note: str = ""

    @property
    def at_the_edge(self) -> bool:
        """Whether the best rate is the smallest or largest that was tried: others may be better."""
        rates = [rate for rate, cell in self.by_rate if cell.n]
        return len(rates) > 1 and self.rate in (min(rates), max(rates))


def rank_rows(plan: Plan, shelf: Shelf) -> tuple[Row, ...]:
    """Table 6: each rank at its own best of the rates."""
    return tuple(
        _row(
            str(rank), rank, plan.numbers[rank],
            {lr: [plan.by_rank[rank, lr, s] for s in plan.seeds] for lr in plan.rates}, shelf,
        )
        for rank in plan.ranks
    )  # fmt: skip


def set_rows(plan: Plan, shelf: Shelf) -> tuple[Row, ...]:
    """Table 5: each set of layers at equal count, and full training beside them."""
    rows = []
    for one in plan.sets:
        runs = {lr: [plan.by_set[one.name, lr, s] for s in plan.seeds] for lr in plan.rates}
        rows.append(_row(one.name, one.rank, one.numbers, runs, shelf, one.note))
    rates = sorted({lr for name, lr, _ in plan.by_set if name == FULL_SET})
    if rates:
        full = {lr: [plan.by_set[FULL_SET, lr, s] for s in plan.seeds] for lr in rates}
        rows.append(_row(FULL_SET, 0, 0, full, shelf))
    return tuple(rows)


def _row(
    name: str,
    rank: int,
    numbers: int,
    runs: Mapping[float, Sequence[RunConfig]],
    shelf: Shelf,
    note: str = "",
) -> Row:
    ended = {
        rate: [found for config in configs if (found := shelf.of(config)) is not None]
        for rate, configs in runs.items()
    }
    known = {rate: found for rate, found in ended.items() if found}
    # By the training loss: rows that a rate was chosen by are no held-out rows any more.
    best = min(known, key=lambda lr: fmean(r.training_loss for r in known[lr]), default=math.nan)
    mine = ended.get(best, [])
    return Row(
        name, rank, numbers, best,
        cell([r.accuracy for r in mine], mine), cell([r.loss for r in mine], mine),
        tuple((lr, cell([r.loss for r in found], found)) for lr, found in ended.items()), note,
    )  # fmt: skip


def cell(values: Sequence[float], runs: Sequence[Ended]) -> Cell:
    """Mean and standard deviation (n − 1) over the runs."""
    if not values:
        return Cell(math.nan, math.nan, ())
    finite = all(map(math.isfinite, values))
    spread = stdev(values) if len(values) > 1 and finite else math.nan
    return Cell(fmean(values), spread, tuple(runs))


def at_best_rate(plan: Plan, shelf: Shelf, rank: int) -> tuple[Ended, ...]:
    """The ended runs of a rank at its best rate, a seed each."""
    index = plan.ranks.index(rank)
    return rank_rows(plan, shelf)[index].loss.runs
