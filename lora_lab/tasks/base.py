"""What the loop asks of a task: a base model, batches, a loss, and a pass over validation data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from lora_lab.errors import LabError
from lora_lab.opening_records import DataRecord
from lora_lab.sampling import GREEDY, Sampling
from lora_lab.tasks.retention import RetentionSet
from lora_lab.tasks.wrong_answers import WrongAnswers


@dataclass(frozen=True)
class Evaluation:
    """A pass over the validation data: mean loss and, for classifiers, counts per class.

    `figures` are what else the task measures, each (name, value) and greater where it is better.
    """

    loss: float
    accuracy: float | None = None
    correct: tuple[int, ...] = ()
    total: tuple[int, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()  # [true class][predicted class]
    figures: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class LookedAt:
    """One validation row by itself: how the model is shown it, and what a person sees of it."""

    number: int  # in its file, from 1
    show: Callable[[nn.Module], Any]  # calls the model on it
    words: tuple[str, ...] = ()  # of each position
    label: str = ""
    image: np.ndarray | None = None  # (height, width) or (height, width, 3) of uint8
    pixels: torch.Tensor | None = None  # (1, …): what the model is given of an image


def never() -> bool:
    """No reason to stop an evaluation early."""
    return False


class Task:
    """A thing to learn. Subclasses are made by `open(config, report)` and listed in TASKS.

    Batches and models come out on the CPU; `to(device, dtype)` moves the data once, where a task
    holds it as tensors of the model's type.
    """

    name: str = ""
    classes: tuple[str, ...] = ()
    trained_classes: tuple[str, ...] = ()
    loss_floor: tuple[float, ...] = ()
    true_sigma: np.ndarray | None = None
    base: str = ""  # where the base weights come from, for people
    rows: int = 0  # training rows; 0: without end
    epoch_steps: int = 0  # where tokens bound the batches, about; 0: rows and batch size say it
    data: DataRecord | None = None  # what was read, to look at before training
    shown: DataRecord | None = None  # the same of data that the task brings itself
    untrained: bool = False  # the base's weights are as they were drawn
    chats: bool = False  # whether a prompt can be what a user says
    new_layers: tuple[str, ...] = ()  # not in the checkpoint: drawn anew, fully trained
    notes: tuple[str, ...] = ()  # what the person should know of base and data
    retention: RetentionSet[Any] | None = None  # rows of an earlier task, if any

    def base_model(self) -> nn.Module:
        """A fresh base model with its weights, on the CPU, in float32 or the config's dtype."""
        raise NotImplementedError

    def to(self, device: torch.device, dtype: torch.dtype) -> None:
        """Move the data to where the model is."""
        raise NotImplementedError

    def batches(self, batch_size: int, seed: int, skip: int = 0) -> Iterator[Any]:
        """Batches without end, shuffled anew each epoch by a generator seeded with `seed`.

        The first `skip` are left out; they are not made, since there may be millions.
        """
        raise NotImplementedError

    def parts(self, batch: Any, count: int) -> Sequence[tuple[Any, float]]:
        """`batch` in up to `count` parts, with shares so that Σ share · loss(part) = loss(batch).

        The shares sum up to 1. Here a batch is a tuple of tensors with a row per example, and the
        loss a mean over the rows, each with its weight.
        """
        if count == 1:
            return ((batch, 1.0),)
        return self.weighed(list(zip(*(tensor.chunk(count) for tensor in batch), strict=True)))

    def weighed(self, parts: Sequence[Any]) -> list[tuple[Any, float]]:
        """Each part with its share of the batch; without those that count nothing."""
        weights = [self.weight(part) for part in parts]
        total = sum(weights)
        return [(part, w / total) for part, w in zip(parts, weights, strict=True) if w]

    def dealt(self, batch: Any, number: int, processes: int) -> Any:
        """The examples of `batch` that one of several processes takes; None where it gets none.

        Every `processes`-th one from `number` on: those of a bucket are sorted by length.
        """
        if isinstance(batch, list):
            return batch[number::processes] or None
        rows = tuple(tensor[number::processes] for tensor in batch)
        return rows if len(rows[0]) else None

    def weight(self, part: Any) -> float:
        """What a part of a batch counts in the batch's mean: as many as its rows."""
        return len(part[0])

    def tokens(self, batch: Any) -> int:
        """Tokens of a batch, padding left out; 0 where rows are no texts."""
        return 0

    def heaviest(self, batch_size: int, count: int) -> Any:
        """A part of a step that takes as much memory as any."""
        return self.parts(next(self.batches(batch_size, 0)), count)[0][0]

    def loss(self, model: nn.Module, batch: Any) -> torch.Tensor:
        """The scalar to minimise on one part of a batch; differentiable."""
        raise NotImplementedError

    def losses(self, model: nn.Module, batch: Any, count: int) -> torch.Tensor | None:
        """The `loss` (count) of as many copies of a model at once; None: it is found one by one.

        `model` answers the rows of all copies, those of one after those of another.
        """
        return None

    def evaluate(
        self, model: nn.Module, should_stop: Callable[[], bool] = never
    ) -> Evaluation | None:
        """Measure `model` on the validation data; the caller has set eval mode and no_grad.

        Between two batches it asks `should_stop` and returns None where it says so.
        """
        raise NotImplementedError

    @property
    def evaluation_parts(self) -> int:
        """How often a pass over the validation data asks `should_stop`; 0 where it is short."""
        return 0

    @property
    def unlabelled_rows(self) -> int:
        """Training rows in which the loss looks at nothing."""
        return 0

    @property
    def has_retention(self) -> bool:
        """Whether there is a retention set to measure."""
        return self.retention is not None

    def evaluate_retention(
        self, model: nn.Module, should_stop: Callable[[], bool] = never
    ) -> Evaluation | None:
        """Like `evaluate`, on the retention set; called only where the task has one."""
        raise NotImplementedError

    def looked_at(self, count: int) -> Iterator[LookedAt]:
        """The first `count` validation rows, one by one; none where rows cannot be shown so."""
        del count
        yield from ()

    def wrong(
        self, model: nn.Module, most: int, should_stop: Callable[[], bool] = never
    ) -> WrongAnswers | None:
        """The validation images that `model` gets wrong, at most `most` of each class.

        Only for classifiers of images, and as `evaluate` asks for it.
        """
        raise NotImplementedError

    @property
    def shows_wrong(self) -> bool:
        """Whether `wrong` can be asked."""
        return type(self).wrong is not Task.wrong

    def prompts(self) -> tuple[str, ...]:
        """What `generate` may be asked to begin with."""
        return ()

    def generate(
        self,
        model: nn.Module,
        prompt: str,
        max_new_tokens: int,
        sampling: Sampling = GREEDY,
        should_stop: Callable[[], bool] = never,
    ) -> str:
        """What continues the prompt; tasks without text have none.

        Raises Cancelled where `should_stop` says so, and LabError for a prompt that it cannot be.
        """
        raise NotImplementedError

    def row_losses(self, model: nn.Module, row: int) -> tuple[float, ...]:
        """Loss of every token of the training row with this number, nan for the first; nats.

        Raises LabError for a task without such losses, and for a row that it does not have.
        """
        raise LabError("This task has no loss for each token of a row.")

    @property
    def scores_tokens(self) -> bool:
        """Whether `row_losses` can be asked."""
        return type(self).row_losses is not Task.row_losses

    @property
    def generates(self) -> bool:
        """Whether `generate` can be asked."""
        return type(self).generate is not Task.generate
