"""What the ended runs of a claim show: the figure, whether it agrees, and why it may differ."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import fmean
from typing import Any

import numpy as np
import torch

from lora_lab.analysis.subspace import delta_directions
from lora_lab.config import plain_number
from lora_lab.runs.listing import METRICS
from lora_lab.runs.metrics import read_metrics
from lora_lab.runs.snapshots import read_snapshot
from lora_lab.studies.base import StudyBase
from lora_lab.studies.claim_list import AGREES, DIFFERS, OPEN
from lora_lab.studies.claim_runs import ATTENTION, BATCHES, LORA, MLP, WHOLE
from lora_lab.studies.ended import Ended
from lora_lab.studies.plan import numbers_of

FAR_BELOW = 0.5  # 1, of the exponent of a stable rank
Known = dict[tuple[Any, float, int], Ended]


@dataclass(frozen=True)
class Verdict:
    """`word` is agrees, differs here, or not decided."""

    measured: str
    word: str
    why: str = ""
    figures: dict[str, float] = field(default_factory=dict)


def ten_times(known: Known, base: StudyBase) -> Verdict:
    """The ratio of the two best rates."""
    lora, full = best_rate(known, LORA), best_rate(known, WHOLE)
    if open_end := _open_end(known, (LORA, WHOLE)):
        return open_end
    ratio = lora / full
    width = max(max(layer.shape) for layer in base.adaptable)
    return Verdict(
        f"LoRA is best at {plain_number(lora)}, full training at {plain_number(full)}: a factor of "
        f"{ratio:.3g}.",
        AGREES if 5 <= ratio <= 20 else DIFFERS,
        "" if 5 <= ratio <= 20 else
        f"the factor grows with the width of the layers, and here the widest has {width:,}",
        {"lora": lora, "full": full, "ratio": ratio},
    )  # fmt: skip


def rate_of_ranks(known: Known, base: StudyBase) -> Verdict:
    """Whether one rate is best for every rank from 4 on."""
    del base
    ranks = _whats(known)
    best = {rank: best_rate(known, rank) for rank in ranks}
    higher = {rate for rank, rate in best.items() if rank >= 4} or set(best.values())
    same = len(higher) == 1
    return Verdict(
        f"Best rates: {_listed(best)}.",
        AGREES if same else DIFFERS,
        "" if same else "neighbouring rates of this grid may differ by less than the seeds",
        {f"rank {rank}": rate for rank, rate in best.items()},
    )


def rate_at_fixed_scale(known: Known, base: StudyBase) -> Verdict:
    """Whether the highest rank wants a lower rate than the lowest."""
    del base
    ranks = _whats(known)
    best = {rank: best_rate(known, rank) for rank in ranks}
    falls = best[ranks[-1]] < best[ranks[0]]
    return Verdict(
        f"Best rates at s = 2: {_listed(best)}.",
        AGREES if falls else DIFFERS,
        "" if falls else "the task may be so easy that every rank learns it at the same rate",
        {f"rank {rank}": rate for rank, rate in best.items()},
    )


def first_steps(known: Known, base: StudyBase) -> Verdict:
    """How far the curves of the ranks lie apart."""
    del base
    curves = {
        rank: np.mean([_losses(run) for (what, _, _), run in known.items() if what == rank], 0)
        for rank in _whats(known)
    }
    half = {rank: float(curve[len(curve) // 2 :].mean()) for rank, curve in curves.items()}
    start = float(np.mean([curve[: max(1, len(curve) // 20)].mean() for curve in curves.values()]))
    fallen = start - fmean(half.values())
    spread = max(half.values()) - min(half.values())
    share = spread / fallen if fallen > 0 else math.inf
    words = ", ".join(f"{loss:.3f} at rank {rank}" for rank, loss in half.items())
    if not math.isfinite(share):
        return Verdict(f"Training loss {words}.", OPEN, "it has not fallen: train longer")
    return Verdict(
        f"Training loss in the second half of the first {len(next(iter(curves.values())))} steps: "
        f"{words}. They differ by {100 * share:.0f} % of what the loss has fallen.",
        AGREES if share < 0.15 else DIFFERS,
        "" if share < 0.15 else "at this rate the smallest ranks are at their capacity already",
        {"share": share, **{f"rank {rank}": loss for rank, loss in half.items()}},
    )  # fmt: skip


def variants_tie(known: Known, base: StudyBase) -> Verdict:
    """Held-out accuracy, or loss where there is none, of each variant at its best rate."""
    del base
    at_best = {name: _at_best(known, name) for name in _whats(known)}
    scores = {name: fmean(run.accuracy for run in runs) for name, runs in at_best.items()}
    by_loss = any(math.isnan(score) for score in scores.values())
    if by_loss:
        scores = {name: fmean(run.loss for run in runs) for name, runs in at_best.items()}
    apart = (max(scores.values()) - min(scores.values())) / max(scores.values())
    what = "validation losses" if by_loss else "accuracies"
    words = ", ".join(f"{name} {score:.3f}" for name, score in scores.items())
    return Verdict(
        f"The {what}, each at its best rate: {words}; {100 * apart:.1f} % apart.",
        AGREES if apart <= 0.02 else DIFFERS,
        "" if apart <= 0.02 else "the seeds may differ as much: try more of them",
        {**scores, "apart": apart},
    )


def large_batches(known: Known, base: StudyBase) -> Verdict:
    """The gap of the validation losses at each batch."""
    del base
    gaps = {}
    for size in BATCHES:
        lora, full = (
            fmean(run.loss for run in _at_best(known, (what, size))) for what in (LORA, WHOLE)
        )
        gaps[size] = lora - full
    grows = gaps[BATCHES[-1]] > max(1.5 * gaps[BATCHES[0]], 0.0)
    words = ", ".join(f"{gap:+.3f} at {size}" for size, gap in gaps.items())
    return Verdict(
        f"LoRA's validation loss over that of full training: {words}.",
        AGREES if grows else DIFFERS,
        "" if grows else "it was seen on large models and data sets, and not on small ones",
        {f"batch {size}": gap for size, gap in gaps.items()},
    )


def mlp_layers(known: Known, base: StudyBase) -> Verdict:
    """The validation losses of both at their best rates."""
    del base
    losses = {}
    for what in (ATTENTION, MLP):
        losses[what] = fmean(run.loss for run in _at_best(known, what))
    holds = losses[MLP] <= losses[ATTENTION]
    return Verdict(
        f"Validation loss {losses[MLP]:.4f} with the MLP layers, {losses[ATTENTION]:.4f} with "
        "attention.",
        AGREES if holds else DIFFERS,
        "" if holds else "it depends on the model: in encoders no difference was found",
        losses,
    )


def stable_rank(known: Known, base: StudyBase) -> Verdict:
    """The slope of log stable rank over log r, the mean over the layers."""
    found: dict[str, dict[int, list[float]]] = {}
    for (rank, _, _), run in known.items():
        last = run.config.max_steps
        for layer in read_snapshot(run.path, last, base.most_numbers).values():
            _, sigma, _ = delta_directions(layer)
            if sigma.numel():
                stable = float((sigma / sigma[0]).square().sum())
                found.setdefault(layer.name, {}).setdefault(rank, []).append(stable)
    slopes = {name: _slope(rows) for name, rows in found.items() if len(rows) > 1}
    if not slopes:
        return Verdict("No ΔW has moved.", OPEN, "train longer")
    beta = fmean(slopes.values())
    words = ", ".join(f"{slope:.2f} in {name}" for name, slope in list(slopes.items())[:4])
    agrees = beta < FAR_BELOW
    return Verdict(
        f"β = {beta:.2f}" + (f": {words}." if len(slopes) > 1 else "."),
        AGREES if agrees else DIFFERS,
        "" if agrees else "after few steps ΔW is still nearly as random as A's start",
        {"beta": beta, **slopes},
    )


def capacity(known: Known, base: StudyBase) -> Verdict:
    """Bits of the labels that are known by heart, N·(log₂ classes − loss/ln 2), for each number.

    The loss is that of training: an upper bound of what the last adapter has, so that the bits are
    a lower one.
    """
    task = base.experiment.task
    rows, entropy = len(task.labels), math.log2(len(task.classes))
    bits, each = {}, {}
    for rank in _whats(known):
        loss = fmean(run.training_loss for run in _at_best(known, rank))
        bits[rank] = rows * max(0.0, entropy - loss / math.log(2))
        each[rank] = bits[rank] / numbers_of(base, rank)
    grows = all(a < b for a, b in pairwise(bits.values()))
    agrees = grows and max(each.values()) <= 2
    words = ", ".join(f"{bits[r]:,.0f} bits at rank {r} ({each[r]:.2f} each)" for r in bits)
    return Verdict(
        f"Of {rows * entropy:,.0f} bits of labels: {words}.",
        AGREES if agrees else DIFFERS,
        "" if agrees else "train longer: these runs were ended by their steps",
        {**{f"rank {r}": b for r, b in bits.items()}, "most each": max(each.values())},
    )


def best_rate(known: Known, what: Any) -> float:
    """The rate whose runs have the least training loss; nan where none stayed finite."""
    losses = {}
    for rate in sorted({rate for w, rate, _ in known if w == what}):
        mine = [run.training_loss for (w, lr, _), run in known.items() if (w, lr) == (what, rate)]
        if all(map(math.isfinite, mine)):
            losses[rate] = fmean(mine)
    return min(losses, key=lambda rate: losses[rate], default=math.nan)


def _at_best(known: Known, what: Any) -> list[Ended]:
    rate = best_rate(known, what)
    return [run for (w, lr, _), run in known.items() if (w, lr) == (what, rate)]


def _open_end(known: Known, whats: Iterable[Any]) -> Verdict | None:
    """Not decided, where a best rate is the smallest or largest that was tried."""
    for what in whats:
        rates = {rate for w, rate, _ in known if w == what}
        best = best_rate(known, what)
        if math.isnan(best):
            return Verdict(f"No run of {what} stayed finite.", OPEN, "try smaller rates")
        if best in (min(rates), max(rates)):
            return Verdict(
                f"The best rate of {what} is {plain_number(best)}, at the edge of what was tried.",
                OPEN, "the best one may lie beyond it",
            )  # fmt: skip
    return None


def _whats(known: Known) -> list[Any]:
    return list(dict.fromkeys(what for what, _, _ in known))


def _listed(best: dict[Any, float]) -> str:
    return ", ".join(f"{plain_number(rate)} at rank {rank}" for rank, rate in best.items())


def _losses(run: Ended) -> np.ndarray:
    """The training loss of every step."""
    rows = read_metrics(run.path / METRICS)
    return np.array([row["loss"] for row in rows if row["record"] == "StepRecord"])


def _slope(rows: dict[int, list[float]]) -> float:
    """Of log y over log r, by least squares."""
    x = torch.tensor([math.log(rank) for rank in rows], dtype=torch.float64)
    y = torch.tensor([math.log(fmean(values)) for values in rows.values()], dtype=torch.float64)
    x = x - x.mean()
    return float((x * y).sum() / x.square().sum())
