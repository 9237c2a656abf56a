"""MNIST from a folder of its four IDX files, with the base net that a run trains first."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from lora_lab.config import RunConfig
from lora_lab.data.idx import read_images, read_labels
from lora_lab.errors import ConfigError, DataError
from lora_lab.models.plain import mlp
from lora_lab.progress import Report, silent
from lora_lab.tasks.digits import Batch, DigitsTask

HIDDEN = (1000, 2000)  # 2,807,010 parameters
PARTS = {"train": "training images", "t10k": "test images"}
INNER = ("", "raw", "MNIST/raw")  # where the files are under the chosen folder


class MnistTask(DigitsTask):
    """28×28 images; a fresh 784-1000-2000-10 net, or as `hidden` says, where no model is named."""

    name = "mnist"
    inputs = 784
    white, mean, std = 255.0, 0.1307, 0.3081

    @classmethod
    def open(cls, config: RunConfig, report: Report = silent) -> MnistTask:
        """The files in `config.data`. Raises DataError for what is missing or damaged."""
        if config.data is None:
            raise ConfigError("MNIST needs a folder with its four IDX files: give it as data.")
        folder = Path(config.data)
        return cls(config, _read_part(folder, "train"), _read_part(folder, "t10k"))

    def base_model(self) -> nn.Module:
        """The net of `config.model`, or a fresh one in torch's default init from the run's seed."""
        if self.config.model:
            return super().base_model()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.config.seed)
            return mlp(self._sizes)

    @property
    def untrained(self) -> bool:
        """Whether its base knows nothing: weights as they are drawn."""
        return not self.config.model

    @property
    def _sizes(self) -> tuple[int, ...]:
        return self.inputs, *(self.config.hidden or HIDDEN), len(self.classes)

    def _base_name(self) -> str:
        if self.config.model:
            return Path(self.config.model).name
        return f"untrained {'-'.join(map(str, self._sizes))}"


def _read_part(folder: Path, part: str) -> Batch:
    """Images (N, 28, 28) of uint8 and labels (N) of int64 of "train" or "t10k"."""
    images_path = _find(folder, part, "images", 3)
    labels_path = _find(folder, part, "labels", 1)
    images = torch.from_numpy(read_images(images_path))
    labels = torch.from_numpy(read_labels(labels_path))
    if len(images) != len(labels):
        raise DataError(
            f"{images_path.name} has {len(images):,} images but {labels_path.name} has "
            f"{len(labels):,} labels. Take both from the same download."
        )
    if len(labels) == 0:
        raise DataError(f"{labels_path.name} is empty: there are no {PARTS[part]}.")
    if images.shape[1:] != (28, 28):
        raise DataError(
            f"{images_path.name} has images of {images.shape[2]} × {images.shape[1]} pixels; "
            "MNIST's are 28 × 28."
        )
    if (labels > 9).any():
        at = int((labels > 9).nonzero()[0])
        raise DataError(
            f"{labels_path.name}: label {int(labels[at])} at position {at:,} is not a digit "
            "from 0 to 9."
        )
    return images, labels.long()


def _find(folder: Path, part: str, kind: str, dimensions: int) -> Path:
    """The file of one part under any of its usual names."""
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder. Choose the folder of the four IDX files.")
    stem = f"{part}-{kind}"
    names = [
        f"{stem}{dot}idx{dimensions}-ubyte{packed}" for packed in ("", ".gz") for dot in ("-", ".")
    ]
    for inner in INNER:
        for name in names:
            if (path := folder / inner / name).is_file():
                return path
    raise DataError(
        f"{folder.name} has no {names[0]} (nor {', '.join(names[1:])}). Choose the folder of the "
        "four IDX files."
    )
