"""A study as a page reads it: opened once, looked at again whenever a run has ended."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lora_lab.config import RunConfig
from lora_lab.errors import LabError
from lora_lab.progress import Report, silent
from lora_lab.studies.base import StudyBase
from lora_lab.studies.ended import Ended, Shelf
from lora_lab.studies.found import (
    Amplified,
    Found,
    Pairs,
    Similarity,
    between_ranks,
    between_seeds,
    same_seed,
)
from lora_lab.studies.plan import Settings, distinct, plan
from lora_lab.studies.summary import Verdict, two_ranks, verdict
from lora_lab.studies.tables import Row, at_best_rate, rank_rows, set_rows

PAIRED = {"ranks": between_ranks, "same seed": same_seed}


@dataclass(frozen=True)
class Standing:
    """What is known of a study now."""

    sets: tuple[Row, ...]  # Table 5
    count: int  # numbers of each set
    ranks: tuple[Row, ...]  # Table 6
    two: tuple[int, int]  # the ranks of figure 3
    wanted: dict[str, int]  # runs of "layers" (Table 5) and of "ranks" (all else)
    todo: dict[str, tuple[RunConfig, ...]]  # those that no ended run has
    run_seconds: float  # that one takes
    run_steps: int
    layers: tuple[str, ...]  # that figures can be drawn of
    steps: tuple[int, ...]  # at which
    verdict: Verdict
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Maps:
    """φ at one step and at the start; what is missing says why."""

    now: Similarity | None
    start: Similarity | None
    refused: str = ""


class Reading:
    """Used by one thread at a time."""

    def __init__(
        self,
        config: RunConfig,
        settings: Settings,
        report: Report = silent,
        folder: Path | None = None,
    ) -> None:
        """`folder` has the runs; None: the lab's own. Raises LabError for what cannot be opened."""
        self.base = StudyBase(config, settings.steps, report)
        self.plan = plan(self.base, settings)
        self._shelf, self._found = Shelf(self.base, folder), Found(self.base)

    def look(self) -> Standing:
        """Look at the runs that have ended by now."""
        asked, shelf = self.plan, self._shelf
        shelf.look()
        wanted = {
            "layers": distinct(tuple(asked.by_set.values())),
            "ranks": distinct(tuple(asked.by_rank.values())),
        }
        higher = self._runs(two_ranks(asked)[1])
        any_runs = higher or next(filter(None, map(self._runs, reversed(asked.ranks))), ())
        layers = self._found.layers(any_runs[0]) if any_runs else ()
        last = layers[-2:][0] if layers else ""
        return Standing(
            set_rows(asked, shelf), asked.count, rank_rows(asked, shelf), two_ranks(asked),
            {part: len(runs) for part, runs in wanted.items()},
            {part: shelf.missing(runs) for part, runs in wanted.items()},
            self.base.run_seconds, asked.steps, layers,
            self._found.steps(any_runs) if any_runs else (),
            verdict(asked, shelf, self._found, last), (*asked.notes, *self._found.notes()),
        )  # fmt: skip

    def pairs(self, kind: str) -> Pairs:
        """Of runs: "ranks" and "same seed" have two ranks, "seeds" the higher one."""
        lower, higher = map(self._runs, two_ranks(self.plan))
        return between_seeds(higher) if kind == "seeds" else PAIRED[kind](lower, higher)

    def maps(self, kind: str, layer: str, view: str, step: int) -> Maps:
        """φ of one layer, in one view."""
        pairs = self.pairs(kind)
        if not pairs:
            return Maps(None, None, "There are no two ended runs yet that could be compared so.")
        try:
            now = self._found.similarity(pairs, layer, view, step)
        except LabError as error:
            return Maps(None, None, str(error))
        try:
            start = self._found.similarity(pairs, layer, view, 0)
        except LabError as error:
            return Maps(now, None, str(error))
        return Maps(now, start)

    def amplification(self, step: int) -> tuple[tuple[int, Amplified], ...]:
        """Table 7: a row for each layer and rank whose runs have that step."""
        rows = []
        for layer in self._layers():
            for rank in self.plan.ranks:
                if runs := self._runs(rank):
                    rows.append((rank, self._found.amplification(runs, layer, step)))
        return tuple(rows)

    def _layers(self) -> tuple[str, ...]:
        for rank in reversed(self.plan.ranks):
            if runs := self._runs(rank):
                return self._found.layers(runs[0])
        return ()

    def _runs(self, rank: int) -> tuple[Ended, ...]:
        """Ended runs of a rank at its best rate that can be drawn."""
        runs = at_best_rate(self.plan, self._shelf, rank)
        return self._found.sound(runs, self.plan.steps)
