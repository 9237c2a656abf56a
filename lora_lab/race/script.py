"""The lanes of a race as they are typed, and what is to happen to them at given steps."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from lora_lab.config import RunConfig, changed
from lora_lab.errors import ConfigError
from lora_lab.number_text import parts
from lora_lab.race.race import Race, no_lane
from lora_lab.runs.grid import parse_axis

FORM = "STEP:drop:LANE, STEP:add:RANK, STEP:clone:LANE:SETTING=VALUE or STEP:set:LANE:SETTING=VALUE"
DIGITS = 9  # of a rank or a step


@dataclass(frozen=True)
class Act:
    """One line: `apply` raises LabError where the race refuses what is asked."""

    step: int
    verb: str
    lane: str
    words: str
    apply: Callable[[Race], object]


def read_ranks(text: str) -> tuple[int, ...]:
    """The ranks of the lanes as a person writes them, "1, 2, 4"; () for nothing but blanks.

    Raises ConfigError for what is no rank, and for one that is named twice.
    """
    found: list[int] = []
    for part in parts(text, whole=True):
        (rank,) = parse_axis("rank", part)
        if rank in found:
            raise ConfigError(
                f"Rank {rank} is named twice. Name each once; a lane is cloned once the race runs."
            )
        found.append(rank)
    return tuple(found)


def read(
    lines: Sequence[str], at_rank: Callable[[int], RunConfig], lanes: Iterable[str]
) -> list[Act]:
    """The acts in the order of their steps; `at_rank` makes the settings of a lane that is added.

    `lanes` are those at the start. Raises ConfigError for a line that cannot be read, and for one
    whose lane is not there at its step.
    """
    acts = sorted((_read(line, at_rank) for line in lines), key=lambda act: act.step)
    there = [*lanes]
    for act in acts:
        if act.verb != "add" and act.lane not in there:
            raise ConfigError(f"At step {act.step:,}: {no_lane(act.lane, there)}")
        if act.verb == "drop":
            there.remove(act.lane)
        elif act.verb != "set":
            there.append(_free(there, act.lane))
    return acts


def _read(line: str, at_rank: Callable[[int], RunConfig]) -> Act:
    step, verb, what, *rest = (part.strip() for part in (*line.split(":"), "", ""))
    settings = dict(
        pair.partition("=")[::2] for pair in ",".join(filter(None, rest)).split(",") if pair
    )
    wanted: dict[str, Any] = {key.strip(): value.strip() for key, value in settings.items()}
    if not _is_number(step) or not what or verb not in ("drop", "add", "clone", "set"):
        raise ConfigError(f"{line!r} is no act of a race. Write it as {FORM}.")
    name = _lane(what)
    acts: dict[str, Callable[[Race], object]] = {
        "drop": lambda race: race.drop(name),
        "clone": partial(_clone, source=name, values=wanted),
        "set": lambda race: race.edit(name, **wanted),
    }
    if verb == "add":
        if not name.startswith("r ") or not _is_number(name[2:]):
            raise ConfigError(f"{line!r} adds no rank. Write it as {FORM}.")
        acts["add"] = partial(_add, name=name, config=at_rank(int(name[2:])))
    changed(at_rank(1).hyper, **wanted)  # refused before anything runs
    if verb == "set" and not wanted:
        raise ConfigError(f"{line!r} sets nothing. Write it as {FORM}.")
    words = f"{verb} {name} {', '.join(filter(None, rest))}".strip()
    return Act(int(step), verb, name, words, acts[verb])


def _lane(what: str) -> str:
    """The name of a lane by its rank: r 4, r4 or 4."""
    rank = what.removeprefix("r").strip()
    return f"r {int(rank)}" if _is_number(rank) else what


def _is_number(text: str) -> bool:
    """Whether int() takes it: ² is a digit to Python, and 5,000 of them are too many."""
    return text.isascii() and text.isdigit() and len(text) <= DIGITS


def _add(race: Race, name: str, config: RunConfig) -> None:
    race.add(_free(race.lanes, name), config)


def _clone(race: Race, source: str, values: dict[str, Any]) -> None:
    race.clone(source, _free(race.lanes, source), **values)


def _free(taken: Container[str], name: str) -> str:
    """The name itself, or with the first number that is free behind it."""
    names = (name if n == 1 else f"{name} ({n})" for n in range(1, 1000))
    return next(each for each in names if each not in taken)
