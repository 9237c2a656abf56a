"""What a comparison at equal count yields: its price, a run at a time, and the sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lora_lab.intrinsic.methods import row
from lora_lab.variants import PLAIN, SUBSPACE

NEAR = 0.1  # of a count: as many numbers


@dataclass(frozen=True)
class ComparisonPlan:
    """`runs` is about how many: where the best rate is at an edge, further ones are tried."""

    methods: tuple[str, ...]
    measure: str
    weights: int  # that full training moves
    steps: int
    seeds: int
    runs: int
    seconds: float
    held_out: int
    loss: bool = False  # scores are losses with the sign turned
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Running:
    """What is on its way now; ("", 0, …): full training."""

    method: str
    size: int
    trained: int
    share: float


@dataclass(frozen=True)
class Tried:
    """One run that ended."""

    method: str
    size: int  # rank, or numbers
    trained: int
    seed: int
    rate: float
    score: float
    loss: float


@dataclass(frozen=True)
class Mark:
    """All seeds of a method at one size, at the best rate by the training loss."""

    method: str
    size: int
    trained: int
    rate: float
    scores: tuple[float, ...]

    @property
    def mean(self) -> float:
        return sum(self.scores) / len(self.scores)


@dataclass(frozen=True)
class Comparison:
    """Every mark, and full training and the untrained model beside them."""

    plan: ComparisonPlan
    start: float
    full: Mark
    marks: tuple[Mark, ...]

    def of(self, method: str) -> tuple[Mark, ...]:
        """The marks of a method, by what they train."""
        mine = [mark for mark in self.marks if mark.method == method]
        return tuple(sorted(mine, key=lambda mark: mark.trained))

    def shown(self, score: float) -> float:
        """A score as people know it."""
        return -score if self.plan.loss else score

    def reaching(self, method: str, score: float) -> Mark | None:
        """The fewest numbers of a method that come to `score`."""
        return next((mark for mark in self.of(method) if mark.mean >= score), None)

    def sentence(self) -> str:
        """What the comparison says, in one line."""
        target = self.start + 0.9 * (self.full.mean - self.start)
        if self.full.mean <= self.start:
            return "Full training does not reach more than the start: nothing to compare."
        words = []
        for method in self.plan.methods:
            found = self.reaching(method, target)
            count = f"{found.trained:,}" if found else "none of the sizes"
            words.append(f"{row(method)} {count}")
        return f"For 90 % of what full training gains it takes: {', '.join(words)}."

    def at_one_count(self) -> str:
        """LoRA and random numbers where both train as many; "" where they are not both there."""
        pairs = [
            (one, other) for one in self.of(PLAIN) for other in self.of(SUBSPACE)
            if abs(one.trained - other.trained) <= NEAR * one.trained
        ]  # fmt: skip
        if not pairs:
            return ""
        one, other = pairs[0]
        lora, random = (f"{self.shown(mark.mean):.3f}" for mark in (one, other))
        return (
            f"With {one.trained:,} numbers LoRA comes to {lora} and random numbers to {random}; "
            f"LoRA cannot have fewer."
        )

    def plain(self) -> dict[str, object]:
        """As JSON has it."""
        rows: dict[str, list[dict[str, object]]] = {
            method: [self._plain(mark) for mark in self.of(method)] for method in self.plan.methods
        }
        return {
            "start": self.shown(self.start),
            "full": self._plain(self.full),
            "methods": rows,
        }

    def _plain(self, mark: Mark) -> dict[str, object]:
        return {
            "size": mark.size, "trained": mark.trained, "score": self.shown(mark.mean),
            "sd": spread(mark.scores), "seeds": len(mark.scores), "learning_rate": mark.rate,
        }  # fmt: skip


def spread(values: Sequence[float]) -> float:
    """Standard deviation; 0 of a single value."""
    if len(values) < 2:
        return 0.0
    mean = sum(values) / len(values)
    return float((sum((v - mean) ** 2 for v in values) / (len(values) - 1)) ** 0.5)
