"""Figures 3 and 4 and Table 7 of LoRA §7: what ended runs have found, at their steps, per layer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path
from statistics import median

import torch

from lora_lab.adapters.weights import LayerWeights
from lora_lab.analysis.amplification import Amplification, amplified
from lora_lab.analysis.similarity import by_chance, directions, similarity_of
from lora_lab.errors import AdapterError, LabError
from lora_lab.formats import FORMATS
from lora_lab.runs.folder import ADAPTER
from lora_lab.runs.snapshots import kept_steps, read_snapshot
from lora_lab.studies.base import StudyBase
from lora_lab.studies.ended import Ended

PAIRS = 8  # of runs, at most, that a map is the mean of
SHOWN = 64  # of the directions of a map, at most
Pairs = tuple[tuple[Ended, Ended], ...]


@dataclass(frozen=True)
class Similarity:
    """φ(i, j), the mean over pairs of runs, with its deviation, chance, and the start."""

    phi: torch.Tensor  # (i × j); nan where a direction is missing
    deviation: torch.Tensor
    chance: torch.Tensor  # max(i, j)/n
    pairs: Pairs
    step: int

    def at(self, k: int) -> tuple[float, float, float]:
        """φ(k, k), its deviation, and what chance makes."""
        i = min(k, *self.phi.shape) - 1
        return tuple(float(M[i, i]) for M in (self.phi, self.deviation, self.chance))


@dataclass(frozen=True)
class Amplified:
    """Table 7 of one layer: medians over the runs, since at rank 1 the factor explodes."""

    layer: str
    step: int
    rows: tuple[Amplification, ...]
    runs: tuple[Ended, ...]

    def middle(self, column: str) -> float:
        """The median of a column; nan where no ΔW has directions."""
        found = [getattr(row, column) for row in self.rows]
        return median([value for value in found if math.isfinite(value)] or [math.nan])


class Found:
    """Reads the factors of ended runs, and keeps what was read."""

    def __init__(self, base: StudyBase) -> None:
        self.base = base
        self._factors: dict[tuple[Path, int], dict[str, LayerWeights]] = {}
        self._starts: dict[Path, dict[str, LayerWeights]] = {}
        self.refused: dict[Path, str] = {}  # runs that cannot be drawn, and why

    def steps(self, runs: Sequence[Ended]) -> tuple[int, ...]:
        """The steps that all of them have; the last is always there."""
        last = min((run.config.max_steps for run in runs), default=0)
        kept = [set(kept_steps(run.path)) for run in runs]
        common = set.intersection(*kept) if kept else set()
        return tuple(sorted({*common, last}))

    def layers(self, run: Ended) -> tuple[str, ...]:
        return tuple(self.factors(run, run.config.max_steps))

    def factors(self, run: Ended, step: int) -> dict[str, LayerWeights]:
        """The factors of a run at a step; raises LabError where they were not kept."""
        if (run.path, step) not in self._factors:
            if step in kept_steps(run.path):
                found = read_snapshot(run.path, step, self.base.most_numbers)
            elif step == run.config.max_steps:
                weights = FORMATS["peft"].load(run.path / ADAPTER)
                found = {layer.name: layer for layer in weights.layers}
            elif step == 0:
                found = self.start(run)
            else:
                raise LabError(f"{run.path.name} has no snapshot of step {step:,}.")
            self._factors[run.path, step] = found
        return self._factors[run.path, step]

    def notes(self) -> list[str]:
        """Of runs that cannot be drawn: why, and what makes others of them."""
        return [
            f"{path.name} is left out of the figures: {reason} Remove it to train it anew."
            for path, reason in self.refused.items()
        ]

    def start(self, run: Ended) -> dict[str, LayerWeights]:
        """A₀ and B₀: as they were kept, else drawn again from the seed of the run."""
        if run.path not in self._starts:
            kept = 0 in kept_steps(run.path)
            self._starts[run.path] = (
                read_snapshot(run.path, 0, self.base.most_numbers)
                if kept
                else self.base.start_of(run.config)
            )
        return self._starts[run.path]

    def directions(self, run: Ended, layer: str, view: str, step: int) -> torch.Tensor:
        """See `analysis.similarity.directions`; raises LabError where A₀ is not known."""
        start = self.start(run).get(layer) if view == "change" else None
        return directions(self.of(run, step, layer), view, start)

    def of(self, run: Ended, step: int, layer: str) -> LayerWeights:
        """The factors of one layer; raises LabError where there are none that fit its W."""
        weights = self.factors(run, step).get(layer)
        if weights is None:
            raise LabError(f"{run.path.name} has no adapter on {layer}.")
        if weights.shape != self.base.weight(layer).shape:
            raise LabError(f"{run.path.name} has an adapter of another shape on {layer}.")
        return weights

    def sound(self, runs: Sequence[Ended], step: int) -> tuple[Ended, ...]:
        """Those whose factors at a step can be read, of every layer that the base gives them.

        What is wrong with the others stands in `refused`: one damaged run hides no other.
        """
        found = []
        for run in runs:
            try:
                for layer in self.base.layers:
                    self.of(run, step, layer)
                found.append(run)
            except LabError as error:
                self.refused[run.path] = str(error)
        return tuple(found)

    def similarity(
        self, pairs: Sequence[tuple[Ended, Ended]], layer: str, view: str, step: int
    ) -> Similarity:
        """φ between the runs of each pair in one layer, at one step of each."""
        if not pairs:
            raise AdapterError("There is no pair of runs to compare.")
        maps, n = [], 0
        for first, second in pairs:
            X, Y = (self.directions(run, layer, view, step) for run in (first, second))
            n = X.shape[0]
            rows, columns = (
                min(self.of(run, step, layer).rank, n, SHOWN) for run in (first, second)
            )
            maps.append(similarity_of(X[:, :rows], Y[:, :columns], rows, columns))
        stacked = torch.stack(maps)
        spread = stacked.std(0) if len(maps) > 1 else torch.full_like(maps[0], math.nan)
        return Similarity(
            stacked.nanmean(0), spread, by_chance(n, *maps[0].shape), tuple(pairs), step
        )

    def amplification(self, runs: Sequence[Ended], layer: str, step: int) -> Amplified:
        """Table 7 of one layer, over runs of one rank."""
        rows = []
        for run in runs:
            weights = self.of(run, step, layer)
            own = self.base.sigma(layer, min(weights.rank, *weights.shape))
            rows.append(amplified(self.base.weight(layer), weights, own))
        return Amplified(layer, step, tuple(rows), tuple(runs))


def between_ranks(first: Sequence[Ended], second: Sequence[Ended]) -> Pairs:
    """Figure 3: runs of two ranks, each pair with two seeds, as far as there are others."""
    pairs = [(a, b) for a, b in product(first, second) if a.config.seed != b.config.seed]
    return tuple(_spread(pairs))


def same_seed(first: Sequence[Ended], second: Sequence[Ended]) -> Pairs:
    """The control of figure 3: runs of two ranks that began with the same draws."""
    pairs = product(first, second)
    return tuple((a, b) for a, b in pairs if a.config.seed == b.config.seed)[:PAIRS]


def between_seeds(runs: Sequence[Ended]) -> Pairs:
    """Figure 4: two runs that differ in the seed alone."""
    return tuple(_spread(list(combinations(runs, 2))))


def _spread(pairs: Sequence[tuple[Ended, Ended]]) -> Iterator[tuple[Ended, Ended]]:
    """At most so many of them, over all of the runs."""
    stride = max(1, len(pairs) // PAIRS)
    yield from pairs[::stride][:PAIRS]
