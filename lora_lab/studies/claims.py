"""A claim on the model and data at hand: its runs, those that have ended, and the verdict."""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from lora_lab.config import RunConfig
from lora_lab.errors import ConfigError
from lora_lab.studies.base import StudyBase
from lora_lab.studies.claim_list import CLAIMS, Claim
from lora_lab.studies.claim_runs import Runs
from lora_lab.studies.claim_verdicts import Known, Verdict
from lora_lab.studies.ended import Shelf


@dataclass(frozen=True)
class ClaimStanding:
    """One claim as it stands here; a verdict once all of its runs have ended."""

    name: str
    claim: Claim
    wanted: int
    todo: tuple[RunConfig, ...]
    seconds: float
    verdict: Verdict | None
    refused: str = ""  # why it cannot be tried on this model


class ClaimReading:
    """One claim on the model and data at hand. Used by one thread at a time."""

    def __init__(self, name: str, base: StudyBase, seeds: int = 2, steps: int = 0) -> None:
        """On an open base, whose own number of steps says nothing; raises ConfigError for a name
        that is no claim's."""
        if name not in CLAIMS:
            raise ConfigError(f"There is no claim {name!r}. There are: {', '.join(CLAIMS)}.")
        self.name, self.claim = name, CLAIMS[name]
        self.base = base.of_steps(steps or self.claim.steps)
        self._shelf = Shelf(self.base)
        self.runs: Runs = {}
        self.refused = ""
        try:
            self.runs = _named(self.claim.runs)(self.base, seeds)
        except ConfigError as error:
            self.refused = str(error)

    def look(self) -> ClaimStanding:
        """Look at the runs that have ended by now."""
        self._shelf.look()
        todo = self._shelf.missing(self.runs.values())
        verdict = None
        if self.runs and not todo:
            verdict = _named(self.claim.judge)(self._known(), self.base)
        steps = [config.max_steps for config in todo]
        seconds = sum(self.base.seconds_of(count) for count in steps) if todo else 0.0
        return ClaimStanding(
            self.name, self.claim, len(self.runs), todo, seconds, verdict, self.refused
        )

    def _known(self) -> Known:
        found = {key: self._shelf.of(config) for key, config in self.runs.items()}
        return {key: ended for key, ended in found.items() if ended is not None}


def plain(standing: ClaimStanding) -> dict[str, object]:
    """For JSON."""
    verdict = standing.verdict
    return {
        "claim": standing.name,
        "says": standing.claim.says,
        "source": standing.claim.source,
        "expected": standing.claim.expected,
        "runs": standing.wanted,
        "missing": len(standing.todo),
        "measured": verdict.measured if verdict else None,
        "verdict": verdict.word if verdict else None,
        "why": verdict.why if verdict else standing.refused or None,
        "figures": {k: _number(v) for k, v in verdict.figures.items()} if verdict else {},
    }


def _named(name: str) -> Any:
    """The function of "file:function" beside this file."""
    file, _, function = name.partition(":")
    return getattr(import_module(f"lora_lab.studies.{file}"), function)


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
