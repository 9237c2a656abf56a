"""What a measurement of d90 yields: its plan, a point per run, and the sentence at its end."""

from __future__ import annotations

from dataclasses import dataclass

from lora_lab.analysis.intrinsic_dimension import FEWEST_SEEDS, Crossing, Dimension
from lora_lab.figures import counted

BASE, RANDOM = "base", "random"
STARTS = (BASE, RANDOM)
IN_WORDS = {BASE: "from the base", RANDOM: "from random weights"}


@dataclass(frozen=True)
class Plan:
    """What will be trained; `measure` is what a score is, `runs` is at most."""

    weights: int  # D, of all layers that a subspace moves
    measure: str
    steps: int
    seeds: int
    starts: tuple[str, ...]
    runs: int
    seconds: float  # what all runs take, by a few steps that were tried
    held_out: int  # rows that a score is measured on
    loss: bool = False  # scores are losses with the sign turned
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Training:
    """The runs that are on their way now: a ring on the plot."""

    dimension: int  # 0: full training
    done: int
    share: float  # of all that is planned


@dataclass(frozen=True)
class Point:
    """One run: d numbers from a start, or full training, and its score on held-out rows."""

    start: str
    dimension: int  # D for full training, 0 for the untrained model
    seed: int
    score: float
    loss: float
    rate: float
    full: bool = False


@dataclass(frozen=True)
class Measured:
    """d90 of one start by both rules; None where a rule does not apply, and `notes` say why."""

    start: str
    by_score: Dimension | None
    by_gain: Dimension | None
    untrained: float  # score at d = 0
    full: float
    full_rate: float  # the best learning rate of full training
    notes: tuple[str, ...] = ()
    loss: bool = False  # scores are losses with the sign turned

    def shown(self, score: float) -> float:
        """A score as people know it."""
        return -score if self.loss else score

    def plain(self) -> dict[str, object]:
        """As JSON has it: null where a rule does not apply, a text such as "> 4096" at an end."""

        def value(crossing: Crossing) -> object:
            return str(crossing) if crossing.sign else round(crossing.d, 2)

        def ends(dimension: Dimension | None) -> object:
            interval = dimension and dimension.interval
            return [value(x) for x in interval] if interval else None

        return {
            "d90": value(self.by_score.d90) if self.by_score else None,
            "interval": ends(self.by_score or self.by_gain),
            "d90_gain": value(self.by_gain.d90) if self.by_gain else None,
            "interval_gain": ends(self.by_gain),
            "full": self.shown(self.full),
            "start": self.shown(self.untrained),
            "full_learning_rate": self.full_rate,
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class Result:
    """All starts, and the plan that they were measured by."""

    plan: Plan
    measured: tuple[Measured, ...]

    def of(self, start: str) -> Measured | None:
        return next((m for m in self.measured if m.start == start), None)

    def sentence(self) -> str:
        """What the measurement says, in one line."""
        base, random = self.of(BASE), self.of(RANDOM)
        first = base or random
        if first is None:
            return ""
        chosen = first.by_score or first.by_gain
        if chosen is None:
            return (
                f"Full training in {counted(self.plan.steps, 'step')} does not reach more than "
                "the start: nothing to measure."
            )
        rule = "" if first.by_score else " of the gain"
        numbers = with_interval(chosen, "number")
        if chosen.d90.sign == ">":
            numbers = f"No size up to {counted(round(chosen.d90.d), 'number')} is enough to"
        text = (
            f"{numbers} reach 90 %{rule} of what {self.plan.weights:,} reach"
            f"{'' if base else ', from random weights'}"
        )
        other = random and (random.by_score if first.by_score else random.by_gain)
        if base and other:
            text += f"; from random weights it takes {other.d90}"
        return f"{text}."

    def gains(self) -> str:
        """The same counted from where each starts."""
        found = [str(m.by_gain.d90) for m in self.measured if m.by_gain and m.by_score]
        return f"Counted from where it starts: {' and '.join(found)}." if found else ""


def with_interval(dimension: Dimension, noun: str = "") -> str:
    """d90, what it counts, and its interval where there are seeds enough for one."""
    d = str(dimension.d90)
    d += f" {noun}{'' if d == '1' else 's'}" if noun else ""
    if dimension.interval is None:
        return f"{d} (no interval: that needs {FEWEST_SEEDS} seeds)"
    low, high = dimension.interval
    return f"{d} ({low}-{high})"
