"""What is to happen to the lanes of a race at given steps, read from a line each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from lora_lab.config import RunConfig, changed
from lora_lab.errors import ConfigError
from lora_lab.race.race import Race

FORM = "STEP:drop:LANE, STEP:add:RANK, STEP:clone:LANE:SETTING=VALUE or STEP:set:LANE:SETTING=VALUE"


@dataclass(frozen=True)
class Act:
    """One line: `apply` raises LabError where the race has no such lane or setting."""

    step: int
    words: str
    apply: Callable[[Race], object]


def read(lines: Sequence[str], at_rank: Callable[[int], RunConfig]) -> list[Act]:
    """The acts in the order of their steps; `at_rank` makes the settings of a lane that is added.

    Raises ConfigError for a line that cannot be read.
    """
    return sorted((_read(line, at_rank) for line in lines), key=lambda act: act.step)


def _read(line: str, at_rank: Callable[[int], RunConfig]) -> Act:
    step, verb, what, *rest = (part.strip() for part in (*line.split(":"), "", ""))
    settings = dict(
        pair.partition("=")[::2] for pair in ",".join(filter(None, rest)).split(",") if pair
    )
    wanted: dict[str, Any] = {key.strip(): value.strip() for key, value in settings.items()}
    if not step.isdigit() or not what or verb not in ("drop", "add", "clone", "set"):
        raise ConfigError(f"{line!r} is no act of a race. Write it as {FORM}.")
    name = _lane(what)
    acts: dict[str, Callable[[Race], object]] = {
        "drop": lambda race: race.drop(name),
        "clone": partial(_clone, source=name, values=wanted),
        "set": lambda race: race.edit(name, **wanted),
    }
    if verb == "add":
        if not name.startswith("r "):
            raise ConfigError(f"{line!r} adds no rank. Write it as {FORM}.")
        acts["add"] = partial(_add, name=name, config=at_rank(int(name[2:])))
    changed(at_rank(1).hyper, **wanted)  # refused before anything runs
    if verb == "set" and not wanted:
        raise ConfigError(f"{line!r} sets nothing. Write it as {FORM}.")
    return Act(int(step), f"{verb} {name} {', '.join(filter(None, rest))}".strip(), acts[verb])


def _lane(what: str) -> str:
    """The name of a lane by its rank: r 4, r4 or 4."""
    rank = what.removeprefix("r").strip()
    return f"r {int(rank)}" if rank.isdigit() else what


def _add(race: Race, name: str, config: RunConfig) -> None:
    race.add(_free(race, name), config)


def _clone(race: Race, source: str, values: dict[str, Any]) -> None:
    race.clone(source, _free(race, source), **values)


def _free(race: Race, name: str) -> str:
    """The name itself, or with the first number that is free behind it."""
    names = (name if n == 1 else f"{name} ({n})" for n in range(1, 1000))
    return next(each for each in names if each not in race.lanes)
