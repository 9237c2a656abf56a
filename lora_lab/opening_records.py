"""What a run says before its first step: how far the opening is, the model, and the data."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from lora_lab.hyperparameters import Hyperparameters
from lora_lab.records import Record

MOST_PAIRED = 100  # classes of which each pair is counted, and can be seen in a picture


@dataclass(frozen=True)
class LayerInfo:
    """One adapted layer: its name in the model, weight shape (out, in), and ‖W‖_F."""

    name: str
    shape: tuple[int, int]
    weight_norm: float
    kind: str = "linear"
    max_rank: int = 0  # the largest useful rank; 0 where there is no rank
    rank_locked: str = ""  # why its rank cannot move, or nothing
    rounding: float | None = None  # ‖W − W_file‖/‖W_file‖ of a W in blocks, where it is known


@dataclass(frozen=True)
class TargetInfo:
    """A layer of the base model that could be adapted: its name, kind and shape (out, in).

    `all_linear` says whether the target "all-linear" means it, `all_conv` whether
    "all-linear+conv" means it besides. The engine decides that; where it is not given, as in
    records of older runs, every layer of the kind counts. `always`: the checkpoint does
    not have it, so it is drawn anew and fully trained, whatever is targeted. `left_out`: why
    "all-linear" does not mean it, though it is linear; its adapter is for no PEFT folder.
    """

    name: str
    kind: str
    shape: tuple[int, int]
    all_linear: bool | None = None
    always: bool = False
    all_conv: bool | None = None
    left_out: str = ""

    @property
    def of_experts(self) -> bool:
        """Whether it is a matrix of a parameter that holds a mixture's experts."""
        return self.kind.startswith("expert")

    def __post_init__(self) -> None:
        if self.all_conv is None:
            object.__setattr__(self, "all_conv", self.kind == "conv")
        if self.all_linear is None:
            object.__setattr__(self, "all_linear", self.kind in ("linear", "conv1d_linear"))


@dataclass(frozen=True)
class LoadedRecord(Record):
    """A model with its adapters stands ready; the panels start afresh on it."""

    title: str
    stage: str  # "" or the name of a preliminary stage, e.g. "pretraining the base"
    task: str
    variant: str
    base: str
    device: str
    dtype: str
    layers: tuple[LayerInfo, ...]
    base_parameters: int
    max_rank: int  # largest useful rank of any layer
    max_steps: int
    hyper: Hyperparameters
    classes: tuple[str, ...] = ()
    trained_classes: tuple[str, ...] = ()
    loss_floor: tuple[float, ...] = ()  # known-rank: loss_floor[r] = Eckart–Young tail at rank r
    true_sigma: np.ndarray | None = None  # known-rank: σ(D), descending
    adaptable: tuple[TargetInfo, ...] = ()  # what `targets` may name
    modules: tuple[tuple[str, str, tuple[int, ...], int], ...] = ()  # path, class, shape, numbers
    locked: tuple[tuple[str, str], ...] = ()  # (hyperparameter, why it cannot move)
    notes: tuple[str, ...] = ()  # what was not done as asked, e.g. a rank that was capped
    seconds: float = 0.0
    generates: bool = False  # whether it can be asked to go on from a prompt
    scores_tokens: bool = False  # whether it can be asked for the loss of each token of a row
    prompts: tuple[str, ...] = ()  # to begin with
    chats: bool = False  # whether a prompt can be what a user says, by a chat template
    most_numbers: int = 0  # random subspace: the weights that its numbers move, the most d can be
    goal: int = 0  # the step at which the present stage of the run ends; 0: nobody wrote it


@dataclass(frozen=True)
class OpeningRecord(Record):
    """What is being done until a model stands ready, and how far it is."""

    what: str
    share: float  # 0 to 1; negative where it cannot be told


@dataclass(frozen=True)
class DataRow:
    """One row of the data as the model will see it: tokens, or an image; and what it is to say."""

    number: int  # of the row in its file, from 1
    tokens: tuple[str, ...] = ()
    supervised: tuple[bool, ...] = ()  # per token: whether the loss looks at its prediction
    cut: int = 0  # tokens beyond the longest length, which the model never sees
    label: str = ""
    # (height, width) or (height, width, 3) of uint8
    image: np.ndarray | None = field(default=None, metadata={"deep": (2, 3)})
    rejected: DataRow | None = None  # of a pair: the answer that is not preferred
    target: DataRow | None = None  # what the row, a source, is to become
    tags: tuple[str, ...] = ()  # per token, where words are tagged; "" where none is asked for


@dataclass(frozen=True)
class DataRecord(Record):
    """The data of a run as it was read, mapped and split: what to look at before training."""

    path: str
    form: str  # "prompt + completion", "chat", "text", "text + label", "images by folder", …
    columns: tuple[str, ...] = ()  # of the file
    roles: tuple[tuple[str, str], ...] = ()  # (role, column), guessed or as the config says
    train_rows: int = 0
    validation_rows: int = 0
    rows: tuple[DataRow, ...] = ()  # the first ones of the training part
    lengths: np.ndarray | None = None  # tokens of every training row before the cut
    max_length: int = 0
    cut_rows: int = 0
    tokens: int = 0  # of the training part, after the cut
    supervised_tokens: int = 0
    classes: tuple[str, ...] = ()
    class_counts: tuple[int, ...] = ()  # training rows per class
    validation_counts: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()  # what was skipped, guessed, or looks wrong
    epoch_steps: int = 0  # where tokens bound the batches, about; 0: rows and batch size say it
