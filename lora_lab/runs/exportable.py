"""Which adapters of a run can be exported: the last step, the best one, and every save.

No torch: the window's list, the command line and the engine read the same rows.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lora_lab.errors import LabError

LAST, BEST = "last", "best"


@dataclass(frozen=True)
class Exportable:
    """One adapter of a run."""

    at: str  # what asks for it: LAST, BEST, or the name of a checkpoint's folder
    step: int
    loss: float = math.nan  # of validation with this very adapter; nan: it was not measured
    before_edit: bool = False


def exportable(
    step: int,
    losses: Mapping[int, float],
    best: tuple[int, float] | None,
    saves: Iterable[tuple[int, Path]],
) -> tuple[Exportable, ...]:
    """The run at `step`, its best step (step, loss), and its checkpoints, the newest first.

    `losses` are validation losses with the adapter on, by step. One that was measured at the step
    of an edit may be of before or after it, so that neither of the two saves claims it.
    """
    rows = [Exportable(LAST, step, losses.get(step, math.nan))]
    if best is not None and best[0]:
        rows.append(Exportable(BEST, *best))
    newest = sorted(saves, key=lambda save: (-save[0], save[1].name))
    saved = Counter(at for at, _ in newest)
    for at, path in newest:
        loss = losses.get(at, math.nan) if saved[at] == 1 else math.nan
        rows.append(Exportable(path.name, at, loss, path.name.startswith("kept")))
    return tuple(rows)


def chosen(at: str, saves: Iterable[tuple[int, Path]]) -> Path:
    """The checkpoint that `at` names, by its step or its folder.

    Raises LabError, with those there are, where there is none or a step has two.
    """
    saves = sorted(saves)
    digits = at.replace(",", "")
    step = int(digits) if digits.isascii() and digits.isdigit() else None
    found = [path for number, path in saves if path.name == at or number == step]
    if len(found) == 1:
        return found[0]
    if found:
        names = " and ".join(path.name for path in found)
        raise LabError(
            f"Step {step:,} has two checkpoints, from before an edit and after it: name one of "
            f"{names}."
        )
    there = ", ".join(f"{number:,}" for number, _ in saves) or "none"
    raise LabError(
        f"There is no checkpoint {at!r} to export: there are {LAST}, {BEST}, and the checkpoints "
        f"of steps {there}. Only the newest ones and those from before edits are kept."
    )
