"""Images of digits as flat vectors: the shipped 8×8 digits, and what MNIST shares with them.

The adapter trains on some of the classes only; validation is over all classes, so that the
gain on the trained ones and the forgetting of the others are seen together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from lora_lab import paths
from lora_lab.config import RunConfig
from lora_lab.data.images import ImageSet
from lora_lab.data.preview import frozen_image, image_record
from lora_lab.errors import ConfigError, DataError
from lora_lab.models.checkpoint import read_state
from lora_lab.models.plain import check_fits, mlp_from_state
from lora_lab.models.readings import net_from_state
from lora_lab.opening_records import DataRecord
from lora_lab.progress import Report, silent
from lora_lab.tasks.base import Evaluation, LookedAt, Task, never
from lora_lab.tasks.class_loss import ClassLoss
from lora_lab.tasks.wrong_answers import WrongAnswers, wrong_answers

BLOCK = 4096  # images that are gathered at once; a batch is a view into them
PERMUTED_SEED = 1
EVAL_ROWS = 2000  # images per forward pass of an evaluation

Batch = tuple[torch.Tensor, torch.Tensor]


class DigitsTask(Task):
    """Ten classes, mean cross-entropy, accuracy per class.

    Inputs are (pixel/`white` − `mean`)/`std`, with the mean and standard deviation of all pixels.
    """

    name = "digits"
    classes = tuple(str(digit) for digit in range(10))
    inputs = 64
    white, mean, std = 16.0, 0.3053, 0.3761

    @classmethod
    def open(cls, config: RunConfig, report: Report = silent) -> DigitsTask:
        """The shipped digits. Raises ConfigError for settings that do not fit."""
        if config.data is not None:
            raise ConfigError(
                "The digits preset brings its own data. For a folder of IDX files choose "
                "mnist-tutorial."
            )
        state = read_state(paths.demo("digits.safetensors"))
        images, labels = state["images"], state["labels"].long()
        train, test = state["train"].long(), state["test"].long()
        return cls(config, (images[train], labels[train]), (images[test], labels[test]))

    def __init__(self, config: RunConfig, train: Batch, test: Batch) -> None:
        """`train` and `test` are images (N, …) of uint8 and labels (N) of int64."""
        self.config = config
        self.trained_classes = tuple(self.classes[d] for d in checked_digits(config.digits))
        if config.permuted:
            train, test = self._permuted(train), self._permuted(test)
        images, labels = train
        self.shown = self._shown(train, test, checked_digits(config.digits))
        self._held_images = self._as_bytes(test[0])
        if config.digits:
            wanted = torch.isin(labels, torch.tensor(config.digits))
            images, labels = images[wanted], labels[wanted]
        if len(labels) == 0:
            raise DataError(f"There is no image of {', '.join(self.trained_classes)} to train on.")
        if config.random_labels:
            drawn = torch.Generator().manual_seed(config.seed)
            labels = torch.randint(len(self.classes), labels.shape, generator=drawn)
        self.images, self.labels = self._normalised(images), labels
        self._class_loss = ClassLoss(config, labels, len(self.classes))
        self.test_images, self.test_labels = self._normalised(test[0]), test[1]
        self.total = tuple(torch.bincount(test[1], minlength=len(self.classes)).tolist())
        self.base = self._base_name()

    def base_model(self) -> nn.Module:
        """The net of `config.model`, or the shipped one, which never saw a 9."""
        path = (
            Path(self.config.model) if self.config.model else paths.demo("digits_base.safetensors")
        )
        state = read_state(path)
        self.notes = (state.note,) if state.note else ()
        net = mlp_from_state(state, path.name)
        check_fits(net, self.inputs, len(self.classes), path.name)
        ours = self.config.model is None or paths.bases() in path.parents  # made here, with ReLU
        if ours or (self.config.classes and not self.config.reading):
            return net
        image = (1, 1, self.inputs)
        return net_from_state(state, path.name, image, self.config.reading, self._labelled)

    def _labelled(self, pixels: str, most: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Some training images and their labels, to try readings on."""
        at = torch.linspace(0, len(self.labels) - 1, min(most, len(self.labels))).long()
        return self.images[at], self.labels[at]

    def to(self, device: torch.device, dtype: torch.dtype) -> None:
        self.images, self.test_images = (
            t.to(device, dtype) for t in (self.images, self.test_images)
        )
        self.labels, self.test_labels = (t.to(device) for t in (self.labels, self.test_labels))

    def batches(self, batch_size: int, seed: int, skip: int = 0) -> Iterator[Batch]:
        """(batch, inputs) and (batch); the last batch of an epoch may be smaller.

        Images are gathered a block at a time and split into views, because a gather per batch
        would cost more than a small net's forward pass.
        """
        generator = torch.Generator().manual_seed(seed)
        block = batch_size * max(1, BLOCK // batch_size)
        while True:
            order = torch.randperm(len(self.labels), generator=generator).to(self.labels.device)
            for rows in order.split(block):
                count = -(-len(rows) // batch_size)
                if skip >= count:  # blocks begin where they would: batches are in them as they were
                    skip -= count
                    continue
                images = self.images.index_select(0, rows).split(batch_size)
                labels = self.labels.index_select(0, rows).split(batch_size)
                yield from zip(images[skip:], labels[skip:], strict=True)
                skip = 0

    def loss(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        images, labels = batch
        return self._class_loss(model(images), labels)

    def losses(self, model: nn.Module, batch: Batch, count: int) -> torch.Tensor:
        images, labels = batch
        answers = model(images.repeat(count, *[1] * (images.dim() - 1)))
        return self._class_loss.each(answers, labels, count)

    def weight(self, part: Batch) -> float:
        return self._class_loss.weight(part[1])

    def evaluate(self, model: nn.Module, should_stop: Callable[[], bool] = never) -> Evaluation:
        return self.judged(torch.cat([model(part) for part in self.test_images.split(EVAL_ROWS)]))

    def judged(self, logits: torch.Tensor) -> Evaluation:
        """What answers (n, classes) to all validation images are worth."""
        size = len(self.classes)
        pairs = self.test_labels * size + logits.argmax(1)  # true class, then the answered one
        counts = torch.bincount(pairs, minlength=size**2).view(size, size)
        correct = counts.diagonal().tolist()
        return Evaluation(
            loss=F.cross_entropy(logits, self.test_labels).item(),
            accuracy=sum(correct) / len(self.test_labels),
            correct=tuple(correct),
            total=self.total,
            confusion=tuple(map(tuple, counts.tolist())),
        )

    def looked_at(self, count: int) -> Iterator[LookedAt]:
        for row in range(min(count, len(self.test_labels))):
            pixels = self.test_images[row : row + 1]
            yield LookedAt(
                row + 1, lambda model, pixels=pixels: model(pixels),
                label=self.classes[int(self.test_labels[row])],
                image=frozen_image(self._held_images[row]), pixels=pixels,
            )  # fmt: skip

    def wrong(
        self, model: nn.Module, most: int, should_stop: Callable[[], bool] = never
    ) -> WrongAnswers | None:
        parts = zip(
            self.test_images.split(EVAL_ROWS), self.test_labels.split(EVAL_ROWS), strict=True
        )
        blocks = ((model(images).cpu(), labels.cpu()) for images, labels in parts)
        return wrong_answers(blocks, self._held_images, len(self.classes), most, should_stop)

    def _permuted(self, part: Batch) -> Batch:
        """The pixels of all images in one other order, that of Goodfellow et al. 2013's task."""
        images, labels = part
        order = torch.randperm(self.inputs, generator=torch.Generator().manual_seed(PERMUTED_SEED))
        return images.flatten(1)[:, order].view(images.shape), labels

    def _shown(self, train: Batch, test: Batch, digits: Sequence[int]) -> DataRecord:
        """What is trained on and validated with, to be looked at."""
        images, labels = (t.numpy() for t in train)
        used = np.isin(labels, list(digits))
        sets = (
            ImageSet(self._as_bytes(torch.from_numpy(i))[..., None], k, self.classes)
            for i, k in ((images[used], labels[used]), (test[0].numpy(), test[1].numpy()))
        )
        return image_record("", *sets)

    def _as_bytes(self, images: torch.Tensor) -> np.ndarray:
        """(N, …) of uint8 up to `white` → (N, side, side) of uint8 up to 255."""
        side = math.isqrt(self.inputs)
        whole = (images.int() * 255 // int(self.white)).to(torch.uint8)
        return whole.view(-1, side, side).numpy()

    def _base_name(self) -> str:
        return Path(self.config.model).name if self.config.model else "digits_base.safetensors"

    def _normalised(self, images: torch.Tensor) -> torch.Tensor:
        """(N, …) of uint8 → (N, inputs) of float32."""
        return images.flatten(1).float().div_(self.white).sub_(self.mean).div_(self.std)


def checked_digits(digits: Sequence[int]) -> Sequence[int]:
    """The classes to train on, all where none is named. Raises ConfigError for what is no digit."""
    wrong = [d for d in digits if not 0 <= d <= 9]
    if wrong or len(set(digits)) != len(digits):
        raise ConfigError(
            f"digits must be different numbers from 0 to 9, not {', '.join(map(str, digits))}."
        )
    return digits or range(10)
