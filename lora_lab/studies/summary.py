"""What a study has found, as plain values: for JSON, for tables, and the sentences above them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from lora_lab.analysis.similarity import VIEWS
from lora_lab.errors import LabError
from lora_lab.studies.ended import Shelf
from lora_lab.studies.found import Amplified, Found, Similarity, between_ranks, between_seeds
from lora_lab.studies.plan import Plan
from lora_lab.studies.tables import Cell, Row, at_best_rate, rank_rows, set_rows

HARDLY = 0.01  # of the span of the losses
COUNTS = (1, 2, 4, 8, 16, 32, 64)  # k of φ(k, k)
COLUMNS = ("in_delta", "in_own", "in_random", "delta_norm", "factor", "over_random")


@dataclass(frozen=True)
class Shared:
    """φ(1, 1) of two runs of one rank, and what chance makes of it."""

    layer: str
    rank: int
    first: float
    chance: float


@dataclass(frozen=True)
class Verdict:
    """What Table 6 says so far."""

    measured: int  # ranks of which runs have ended
    asked: int
    best: Row | None = None  # of the finite ones
    enough: Row | None = None  # the lowest that is hardly worse
    shared: Shared | None = None


def two_ranks(plan: Plan) -> tuple[int, int]:
    """Those of figure 3: the highest, and the highest that is a quarter of it or less."""
    high = plan.ranks[-1]
    low = [rank for rank in plan.ranks if rank <= high // 4] or [plan.ranks[0]]
    return low[-1], high


def summary(plan: Plan, shelf: Shelf, found: Found) -> dict[str, Any]:
    """All tables and figures of the runs that have ended; None for what cannot be said yet."""
    low, high = two_ranks(plan)
    of_rank = {r: found.sound(at_best_rate(plan, shelf, r), plan.steps) for r in plan.ranks}
    lower, higher = of_rank[low], of_rank[high]
    layers = found.layers(higher[0]) if higher else ()
    result: dict[str, Any] = {
        "ranks": list(plan.ranks), "seeds": list(plan.seeds), "rates": list(plan.rates),
        "steps": plan.steps, "notes": list(plan.notes),
        "table5": {"count": plan.count, "rows": [_row(row) for row in set_rows(plan, shelf)]},
        "table6": [_row(row) for row in rank_rows(plan, shelf)],
        "between_ranks": {"ranks": [low, high], "layers": {}},
        "between_seeds": {"rank": high, "layers": {}},
        "table7": {},
    }  # fmt: skip
    for layer in layers:
        for name, pairs in (
            ("between_ranks", between_ranks(lower, higher)),
            ("between_seeds", between_seeds(higher)),
        ):
            if pairs:
                result[name]["layers"][layer] = {
                    view: _similarity(found.similarity(pairs, layer, view, plan.steps))
                    for view in VIEWS
                }
        result["table7"][layer] = {
            str(rank): _amplified(found.amplification(runs, layer, plan.steps))
            for rank, runs in of_rank.items() if runs
        }  # fmt: skip
    result["notes"] += found.notes()
    return result


def ordered(row: Amplified) -> bool:
    """Whether random directions hold less of W than ΔW's do, and these less than W's own."""
    return row.middle("in_random") < row.middle("in_delta") < row.middle("in_own")


def verdict(plan: Plan, shelf: Shelf, found: Found, layer: str) -> Verdict:
    """Does a low rank suffice, and how much have two runs of the highest in common in `layer`?"""
    rows = [row for row in rank_rows(plan, shelf) if row.loss.n]
    finite = [row for row in rows if math.isfinite(row.loss.mean)]
    if not finite:
        return Verdict(len(rows), len(plan.ranks))
    best, enough = _enough(finite)
    top = finite[-1]
    shared: Shared | None = None
    if pairs := between_seeds(found.sound(top.loss.runs, plan.steps)):
        with suppress(LabError):  # what was kept of them is not there any more
            first, _, chance = found.similarity(pairs, layer, "right", plan.steps).at(1)
            shared = Shared(layer, top.rank, first, chance)
    return Verdict(len(rows), len(plan.ranks), best, enough, shared)


def _enough(rows: Sequence[Row]) -> tuple[Row, Row]:
    """The best row, and the first that is hardly worse.

    That is within a deviation, of its own or of the best, or within 1 % of what lies between best
    and worst.
    """
    best = min(rows, key=lambda row: row.loss.mean)
    worst = max(row.loss.mean for row in rows)
    least = HARDLY * (worst - best.loss.mean)

    def hardly_worse(row: Row) -> bool:
        spreads = [x for x in (row.loss.deviation, best.loss.deviation) if math.isfinite(x)]
        return row.loss.mean - best.loss.mean <= max((*spreads, least))

    return best, next(row for row in rows if hardly_worse(row))


def _row(row: Row) -> dict[str, Any]:
    return {
        "name": row.name, "rank": row.rank, "numbers": row.numbers or None,
        "learning_rate": number(row.rate), "rate_at_the_edge": row.at_the_edge,
        "accuracy": _cell(row.accuracy), "loss": _cell(row.loss), "note": row.note,
        "loss_by_rate": {f"{rate:g}": _cell(cell) for rate, cell in row.by_rate},
    }  # fmt: skip


def _cell(cell: Cell) -> dict[str, Any]:
    return {
        "mean": number(cell.mean), "sd": number(cell.deviation), "n": cell.n,
        "runs": [run.path.name for run in cell.runs],
    }  # fmt: skip


def _similarity(found: Similarity) -> dict[str, Any]:
    counts = [k for k in COUNTS if k <= min(found.phi.shape)]
    at = [found.at(k) for k in counts]
    return {
        "k": counts,
        "phi": [number(row[0]) for row in at],
        "sd": [number(row[1]) for row in at],
        "chance": [number(row[2]) for row in at],
        "pairs": len(found.pairs),
    }


def _amplified(found: Amplified) -> dict[str, Any]:
    return {
        **{name: number(found.middle(name)) for name in COLUMNS},
        "n": len(found.rows), "ordered": ordered(found),
    }  # fmt: skip


def number(value: float) -> float | None:
    """For JSON, which has no nan."""
    return value if math.isfinite(value) else None
