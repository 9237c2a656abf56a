"""Three optimizers on the change of known rank: in which order its directions are learned."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import torch

from lora_lab.choices import OPTIMIZERS
from lora_lab.lessons.driven import DRAWN, Driven
from lora_lab.lessons.lesson import Answer, Sample
from lora_lab.progress import Report

RATES = {"sgd": 0.5, "adamw": 1e-2, "muon": 1e-2}
STEPS = 260


class Growth:
    """A run of that preset at rank 8, and how much of each direction of D it has found."""

    def __init__(self, optimizer: str, report: Report, seed: int = 0) -> None:
        hyper = {"rank": 8, "learning_rate": RATES[optimizer]}
        self.run = Driven(
            "known-rank", STEPS, report, optimizer=optimizer, seed=seed, dtype="float64",
            eps=1e-8, hyper=hyper,
        )  # fmt: skip
        U, self.sigma, Vh = torch.linalg.svd(self.run.experiment.task.change)
        self._U, self._V = U[:, :4], Vh[:4].T  # (out, 4), (in, 4)
        self.half_way: list[int] = [0, 0, 0, 0]  # the step at which uᵢᵀ·ΔW·vᵢ passed λᵢ/2; 0: not
        self.surplus = 0.0  # the largest σ₅(ΔW) of all steps: D has none

    def shares(self) -> Iterator[tuple[int, list[float]]]:
        """Make the steps; after each its number, and uᵢᵀ·ΔW·vᵢ/λᵢ of D's four directions."""
        (name,) = self.run.experiment.layers
        for step in range(1, STEPS + 1):
            for _ in self.run.steps(1):
                pass
            delta = self.run.delta(name)
            found = ((self._U * (delta @ self._V)).sum(0) / self.sigma[:4]).tolist()
            for i, share in enumerate(found):
                if share >= 0.5 and not self.half_way[i]:
                    self.half_way[i] = step
            self.surplus = max(self.surplus, float(torch.linalg.svdvals(delta)[4]))
            yield step, found


def three_optimizers(report: Report) -> Iterator[Sample | Answer]:
    """Under SGD the largest direction comes first, under Muon the smallest."""
    grown = {}
    for optimizer in RATES:
        title = OPTIMIZERS[optimizer].title
        growth = grown[optimizer] = Growth(optimizer, report)
        for step, shares in growth.shares():
            if step == 1 or step % max(1, STEPS // DRAWN) == 0:
                yield Sample(f"{title}, σ₁ of D", step, shares[0])
                yield Sample(f"{title}, σ₄ of D", step, shares[3])
    ways = {name: growth.half_way for name, growth in grown.items()}
    backwards = [name for name, way in ways.items() if 0 not in way and _falls(way)]
    words = "; ".join(
        f"{OPTIMIZERS[name].title} {', '.join(str(step or 'never') for step in way)}"
        for name, way in ways.items()
    )
    surplus = ", ".join(f"{OPTIMIZERS[n].title} {g.surplus:.2g}" for n, g in grown.items())
    yield Answer(
        list(RATES).index(backwards[0]) if len(backwards) == 1 else 0,
        f"Half-way at step, for σ = 4, 2, 1 and ½: {words}. The largest fifth σ, which D does not "
        f"have: {surplus}.",
    )


def _falls(way: list[int]) -> bool:
    return all(first > second for first, second in pairwise(way))
