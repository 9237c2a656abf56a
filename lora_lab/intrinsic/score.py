"""What counts as a score: accuracy with new and old classes in balance, or the loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lora_lab.tasks.base import Evaluation, Task


@dataclass(frozen=True)
class Score:
    """`of` an evaluation, higher is better; `ratio`: 90 % of its value has a meaning."""

    name: str
    of: Callable[[Evaluation], float]
    ratio: bool


def score_of(task: Task, new: tuple[str, ...], by_loss: bool) -> Score:
    """The score of a task whose classes `new` the base does not know yet.

    Half is the accuracy on them and half that on the others, since the base has the latter already;
    without such classes all count alike. Where there are no classes, or on request, it is the loss.
    """
    classes = task.classes
    if by_loss or not classes:
        return Score("loss", lambda evaluation: -evaluation.loss, ratio=False)
    known = [i for i, name in enumerate(classes) if name not in new]
    learned = [i for i, name in enumerate(classes) if name in new]
    if not learned or not known:
        groups = [[i] for i in range(len(classes))]
        name = "accuracy, mean of the classes"
    else:
        groups = [learned, known]
        name = "accuracy, half new and half old classes"

    def balanced(evaluation: Evaluation) -> float:
        shares = []
        for group in groups:
            rows = sum(evaluation.total[i] for i in group)
            if rows:
                shares.append(sum(evaluation.correct[i] for i in group) / rows)
        return sum(shares) / len(shares)

    return Score(name, balanced, ratio=True)
