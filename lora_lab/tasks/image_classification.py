"""Image classification: folders of images by class, or IDX files, for vision models and plain nets.

Images are kept as bytes and turned into numbers batch by batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from lora_lab.config import RunConfig
from lora_lab.data.batching import batch_order
from lora_lab.data.duplicates import duplicate_notes, prints
from lora_lab.data.images import ImageSet, read_image_folder
from lora_lab.data.preview import frozen_image, image_record
from lora_lab.data.split import split
from lora_lab.errors import CheckpointError, DataError
from lora_lab.models.architecture import first_line
from lora_lab.models.fresh_head import drawn_anew, with_classes
from lora_lab.models.image_rules import ImageRules
from lora_lab.models.reading import parse
from lora_lab.progress import Report, silent
from lora_lab.tasks.base import Evaluation, LookedAt, never
from lora_lab.tasks.class_loss import ClassLoss
from lora_lab.tasks.class_order import ordered
from lora_lab.tasks.confusion import Tally
from lora_lab.tasks.net_of_file import open_net, wanted_images
from lora_lab.tasks.padding import onto
from lora_lab.tasks.pretrained import PretrainedTask, needs
from lora_lab.tasks.retention import RetentionSet, chosen
from lora_lab.tasks.wrong_answers import WrongAnswers, wrong_answers

EVAL_ROWS = 64  # images per forward pass of an evaluation

Batch = tuple[torch.Tensor, torch.Tensor]


class ImageClassificationTask(PretrainedTask):
    """Mean cross-entropy over the images of a batch; accuracy and confusion on validation ones.

    Inputs are what the model's own image processor makes of an image; for a plain net, which has
    none, (value/255 − mean)/std with mean and standard deviation of the training images.
    """

    name = "image_classification"

    @classmethod
    def open(cls, config: RunConfig, report: Report = silent) -> ImageClassificationTask:
        """Read `config.data` in the size that `config.model` takes.

        Raises CheckpointError for the model, DataError for the images, and ConfigError where one of
        them is not named.
        """
        model, data = needs(config)
        shape, rules = wanted_images(config, model)

        def read(path: str, classes: tuple[str, ...] = ()) -> ImageSet:
            return read_image_folder(
                path, shape[1:] or None, shape[0] if shape else None,
                prepare=rules.prepare if rules else None, classes=classes,
                skip_bad=config.skip_bad_rows, report=report,
            )  # fmt: skip

        images = read(data)
        images = in_order(images, ordered(images.classes, config))
        held_out = images.given_validation
        if config.validation_data:
            held_out = read(config.validation_data, images.classes)
        notes = (*(rules.notes if rules else ()), *images.notes)
        if held_out is not None:
            notes += held_out.notes if config.validation_data else ()
            held_out = in_order(held_out, images.classes)
        else:
            rows = split(len(images.labels), config.validation, config.split_seed, images.labels)
            images, held_out = images.chosen(rows[0]), images.chosen(rows[1])
        if len(images.classes) < 2:
            raise DataError("All images are of one class, so there is nothing to learn.")
        task = cls(config, images, held_out, rules, report)
        if config.keep_data:
            old = read(config.keep_data)
            task.set_retention(old)
            notes += old.notes
        both = prints(images.images), prints(held_out.images)
        notes += duplicate_notes(*both, images.labels, "image")
        task.data = image_record(data, images, held_out, notes)
        return task

    def __init__(
        self,
        config: RunConfig,
        train: ImageSet,
        held_out: ImageSet,
        rules: ImageRules | None = None,
        report: Report = silent,
    ) -> None:
        """Images (N, height, width, channels) of uint8; no `rules`: mean and std of the images."""
        super().__init__(config, report)
        self.classes = self.trained_classes = train.classes
        self.rows = len(train.labels)
        self.images, self.labels = torch.from_numpy(train.images), torch.from_numpy(train.labels)
        self._class_loss = ClassLoss(config, self.labels, len(self.classes))
        self.held_images = torch.from_numpy(held_out.images)
        self.held_labels = torch.from_numpy(held_out.labels)
        if rules is None:
            mean, std = self._measures(parse(config.reading).pixels if config.reading else "")
        else:  # value · scale + shift = (value/255 − mean)/std
            std = 1 / (255 * torch.tensor(rules.scale, dtype=torch.float64))
            mean = (-torch.tensor(rules.shift) * std).float()
            std = std.float()
        self._mean, self._std = (t.view(1, -1, 1, 1) for t in (mean, std))
        self._plain = Path(str(config.model)).is_file() or bool(config.factory)

    def _measures(self, pixels: str) -> tuple[torch.Tensor, torch.Tensor]:
        """What is taken from value/255, and what it is divided by, of each channel; (channels)."""
        channels = self.images.shape[3]
        if pixels:
            centre = 0.0 if pixels == "0to1" else 0.5
            return torch.full((channels,), centre), torch.full((channels,), centre or 1.0)
        some = self.images[:: max(1, self.rows // 1000)].float().div_(255)
        return some.mean((0, 1, 2)), some.std((0, 1, 2)).clamp_min(1e-3)

    def set_retention(self, old: ImageSet) -> None:
        """Images of an earlier task, to be measured beside the validation ones.

        Raises DataError for a class that is none of those to train on: nothing would tell it.
        """
        if unknown := [name for name in old.classes if name not in self.classes]:
            raise DataError(
                f"Images of the retention set are of the class {unknown[0]!r}, which is none of "
                f"{', '.join(self.classes)}. Take images of these classes."
            )
        few = old.chosen(chosen(len(old.labels)))  # a copy: the other images are freed
        places = np.array([self.classes.index(name) for name in old.classes])
        pair = (torch.from_numpy(few.images), torch.from_numpy(places[few.labels]))
        self.retention = RetentionSet(pair, [1] * len(few.labels), EVAL_ROWS)

    def base_model(self) -> nn.Module:
        """The model of `config.model` for these classes, in the config's dtype."""
        config, dtype = self.config, getattr(torch, self.config.dtype)
        if not self._plain:
            return self.open_pretrained("image_classification")
        self.base = Path(str(config.model)).name
        height, width, channels = self.images.shape[1:]
        net, self.new_layers, self.notes = open_net(
            config, (channels, height, width), len(self.classes), self._labelled, self._pictures,
            self._report,
        )  # fmt: skip
        if config.factory:
            self._in_one_channel(net.float().eval())
        self._check_plain(net)
        return net.to(dtype)

    @torch.no_grad()
    def _in_one_channel(self, net: nn.Module) -> None:
        """Gray images as files have them, in three equal channels, for a net that takes one."""
        kept = self.images, self.held_images, self._mean, self._std
        if self.images.shape[3] != 3 or self._answers(net):
            return
        if any((images != images[..., :1]).any() for images in kept[:2] if len(images)):
            return
        self.images, self.held_images = self.images[..., :1], self.held_images[..., :1]
        mean, std = self._measures("")
        self._mean, self._std = mean.view(1, -1, 1, 1), std.view(1, -1, 1, 1)
        if not self._answers(net):
            self.images, self.held_images, self._mean, self._std = kept
            return
        if self.retention is not None:
            images, labels = self.retention.source
            self.retention.source = (images[..., :1], labels)
        self.notes = (*self.notes, "the net takes images of one channel; these are gray")

    def _answers(self, net: nn.Module) -> bool:
        try:
            self._logits(net, self._inputs(self.images[:1]))
        except Exception:  # noqa: BLE001, whatever code of its owner raises; told where it is final
            return False
        return True

    def _pictures(self, most: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Some training images of all classes as bytes, and their labels."""
        at = torch.linspace(0, self.rows - 1, min(most, self.rows)).long()
        return self.images[at], self.labels[at]

    def _labelled(self, pixels: str, most: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Some training images of all classes as a plain net would get them, and their labels."""
        images, labels = self._pictures(most)
        mean, std = (t.view(1, -1, 1, 1) for t in self._measures(pixels))
        values = images.permute(0, 3, 1, 2).float().div_(255)
        return values.sub_(mean).div_(std).contiguous(), labels

    def to(self, device: torch.device, dtype: torch.dtype) -> None:
        self.images, self.labels = self.images.to(device), self.labels.to(device)
        self.held_images = self.held_images.to(device)
        self.held_labels = self.held_labels.to(device)
        self._mean, self._std = self._mean.to(device, dtype), self._std.to(device, dtype)

    def batches(self, batch_size: int, seed: int, skip: int = 0) -> Iterator[Batch]:
        for rows in batch_order(np.ones(self.rows), batch_size, seed, "shuffled", 1, skip):
            at = onto(self.labels.device, np.asarray(rows))
            yield self._inputs(self.images.index_select(0, at)), self.labels.index_select(0, at)

    def loss(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        images, labels = batch
        return self._class_loss(self._logits(model, images).float(), labels)

    def weight(self, part: Batch) -> float:
        return self._class_loss.weight(part[1])

    def evaluate(
        self, model: nn.Module, should_stop: Callable[[], bool] = never
    ) -> Evaluation | None:
        pairs = zip(
            self.held_images.split(EVAL_ROWS), self.held_labels.split(EVAL_ROWS), strict=True
        )
        return self._evaluation(model, pairs, should_stop)

    @property
    def evaluation_parts(self) -> int:
        return -(-len(self.held_labels) // EVAL_ROWS)

    def evaluate_retention(
        self, model: nn.Module, should_stop: Callable[[], bool] = never
    ) -> Evaluation | None:
        images, labels = self.retention.source
        blocks = map(torch.from_numpy, self.retention.blocks())
        pairs = ((images[at].to(self.labels.device), labels[at]) for at in blocks)
        return self._evaluation(model, pairs, should_stop)

    def looked_at(self, count: int) -> Iterator[LookedAt]:
        for row in range(min(count, len(self.held_labels))):
            image = self.held_images[row : row + 1]
            pixels = self._inputs(image)
            yield LookedAt(
                row + 1, lambda model, pixels=pixels: self._logits(model, pixels),
                label=self.classes[int(self.held_labels[row])],
                image=frozen_image(image[0].cpu().numpy()), pixels=pixels,
            )  # fmt: skip

    def wrong(
        self, model: nn.Module, most: int, should_stop: Callable[[], bool] = never
    ) -> WrongAnswers | None:
        pairs = zip(
            self.held_images.split(EVAL_ROWS), self.held_labels.split(EVAL_ROWS), strict=True
        )
        blocks = (
            (self._logits(model, self._inputs(images)).cpu(), labels.cpu())
            for images, labels in pairs
            if len(labels)
        )
        images = self.held_images.cpu().numpy()
        return wrong_answers(blocks, images, len(self.classes), most, should_stop)

    def _evaluation(
        self, model: nn.Module, pairs: Iterable[Batch], should_stop: Callable[[], bool]
    ) -> Evaluation | None:
        tally = Tally(len(self.classes))
        for images, labels in pairs:
            if should_stop():
                return None
            if len(labels):
                tally.add(self._logits(model, self._inputs(images)), labels)
        return tally.evaluation()

    def _logits(self, model: nn.Module, images: torch.Tensor) -> torch.Tensor:
        """(rows, channels, height, width) → (rows, classes)."""
        if not self._plain:
            return model(pixel_values=images, return_dict=True).logits
        return model(images.flatten(1) if getattr(model, "flat", False) else images)

    def _inputs(self, images: torch.Tensor) -> torch.Tensor:
        """(rows, height, width, channels) of uint8 → (rows, channels, height, width)."""
        values = images.permute(0, 3, 1, 2).to(self._mean.dtype).div_(255)
        return values.sub_(self._mean).div_(self._std).contiguous()

    @torch.no_grad()
    def _check_plain(self, net: nn.Module) -> None:
        """Raise CheckpointError where the net does not take these images or has other classes."""
        self._mean, self._std = self._mean.float(), self._std.float()
        net.eval()
        try:
            logits = self._logits(net.float(), self._inputs(self.images[:1]))
        except MemoryError:
            raise
        except Exception as error:  # a factory's net is code of its owner
            raise CheckpointError(
                f"{self.base}: the net does not take images of {_size(self.images)}: "
                f"{first_line(error)}"
            ) from error
        if not torch.is_tensor(logits):
            raise CheckpointError(
                f"{self.base}: the net answers with a {type(logits).__name__}, where one tensor "
                "(rows, classes) belongs. Let the factory return a module that gives this alone."
            )
        if logits.shape == (1, len(self.classes)):
            return
        head = ""
        if self.config.factory and logits.dim() == 2:
            image = self._inputs(self.images[:1])
            image = image.flatten(1) if getattr(net, "flat", False) else image
            head = with_classes(net, len(self.classes), image, self.config.seed)
        if not head:
            raise CheckpointError(
                f"{self.base}: the net answers with {tuple(logits.shape)[1:]} numbers for "
                f"{len(self.classes)} classes of images. Choose a net for these classes."
            )
        self.new_layers, self.notes = (head,), (*self.notes, *drawn_anew([head]))


def in_order(images: ImageSet, classes: tuple[str, ...]) -> ImageSet:
    """`images` numbered as `classes` are, of which it may lack some.

    Raises DataError for a class that is none of them.
    """
    if images.classes == classes:
        return images
    numbered = {name: number for number, name in enumerate(classes)}
    if unknown := [name for name in images.classes if name not in numbered]:
        raise DataError(
            f"The validation images are of the class {unknown[0]!r}, which is none of "
            f"{', '.join(classes)} to train on. Give both the same folders."
        )
    places = np.array([numbered[name] for name in images.classes])
    own = images.given_validation
    own = None if own is None else in_order(own, classes)
    return replace(images, labels=places[images.labels], classes=classes, given_validation=own)


def _size(images: torch.Tensor) -> str:
    height, width, channels = images.shape[1:]
    return f"{width} × {height} pixels in {channels} channel{'s' if channels > 1 else ''}"
