"""What a person may set: `Hyperparameters` (live, in mid-run) and `RunConfig` (fixed for a run).

One declaration per field carries its default, limits, label, help, choices and names; the slider or
the row of the form, the tooltip, the words of undo, the mark along a curve, the command-line flag
and the JSON key are all made from it. Everything here is frozen and plain, so a value can cross
threads and be compared with `is`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from lora_lab import choices, inits, projections, variants
from lora_lab.choices import BaseBits, Batching, ClassWeights, DType, Optimizer, Schedule
from lora_lab.device_name import normal, split
from lora_lab.errors import ConfigError
from lora_lab.hyperparameters import Frozen, Hyperparameters
from lora_lab.inits import INITS
from lora_lab.names import is_text, shown
from lora_lab.setting import Setting, declared
from lora_lab.task_info import TASKS
from lora_lab.variants import VARIANTS

SCHEMA_VERSION: Literal[1] = 1
MOST_COMPLAINTS = 10  # of settings that are wrong in one message
RULES = 4  # how warm-up, decay, a .gguf and all-linear are taken now; 1 where a run names none

NAME = re.compile(r"[\w][\w .+-]*(?<![ .])")  # of a folder, on every system

Decay = Annotated[float, Field(ge=0, lt=1)]


class Pretraining(Frozen):
    """Full training of all weights that makes the base, before the adapter's own run."""

    max_steps: int = Field(..., ge=1)
    batch_size: int = Field(..., ge=1)
    learning_rate: float = Field(..., gt=0, le=10)


class RunConfig(Frozen):
    """Everything that is fixed for one run; written before step 0."""

    schema_version: Literal[1] = SCHEMA_VERSION
    rules: int = Field(
        RULES,
        ge=1,
        le=RULES,
        description="1: warm-up is not bounded by the run, biases decay. 1, 2: a .gguf in floats. "
        "1 to 3: all-linear means what PEFT cannot hold as well.",
    )
    preset: str = Field(
        "", max_length=100, description="Name of the preset that this run came from."
    )
    task: str = Field(..., description="What is learned: a name in TASKS.")

    # fmt: off
    model: str | None = declared(None, Setting("Base",
        "Base model: Hugging Face folder, .gguf or checkpoint; none: the task's own.",
        group="Model"))
    factory: str = declared("", Setting("Model factory",
        "A function of your own that builds the network, as module:function; the checkpoint is "
        "loaded into its result.",
        group="Model", metavar="MODULE:FUNCTION"))
    reading: str = declared("", Setting("Reading",
        "What a file of weights does not tell of a plain net: activation, padding, pooling, skips; "
        "or a net of torchvision or timm by its name. Where several fit, they are listed.",
        group="Model", metavar="NAME", example="relu/p0,p0max2"))
    device: str = declared("cpu", Setting("Device",
        "cpu, cuda, cuda:N or mps; 2 × cuda: one run in two processes.", group="Model"))
    shard_base: bool = declared(False, Setting("Sharded base",
        "Each of several processes holds a part of the frozen base, and gets the rest layer by "
        "layer (FSDP): for a base that is too large for one device.", group="Model"))
    dtype: DType = declared("float32", Setting("dt&ype",
        "dtype of the base model. Adapters on half precision stay in float32.",
        choices=choices.DTYPES, place="own data", group="Model"))
    base_bits: BaseBits = declared("auto", Setting("Base in",
        "How the frozen matrices of the base are held: 4 or 8 bits need a quarter or half of the "
        "memory of 16; heads and embeddings stay as they are.",
        name="bits of the base", choices=choices.BASE_BITS, place="own data", group="Model"))
    checkpointing: bool = declared(False, Setting("Gradient checkpointing",
        "Compute activations twice instead of keeping them: less memory, slower.",
        group="Model"))
    trunk_cache: float = declared(2.0, Setting("Trunk cache",
        "Gigabytes beside a run for what frozen layers below the lowest adapter answer: each text "
        "goes through them once. The losses are the same to the bit. 0: nothing is kept.",
        group="Model", metavar="GB"), ge=0, le=100_000)

    data: str | None = declared(None, Setting("Data",
        "Training data: file or folder; none: what ships.",
        group="Data"))
    columns: tuple[tuple[str, str], ...] = declared((), Setting("Columns",
        "Columns of the data by role, as role=column; none: guessed.",
        group="Data", flags=("--column",), metavar="ROLE=COLUMN", example="text=review"
    ), max_length=64)
    validation: float = declared(0.1, Setting("Validation",
        "Validation split: share of the rows held out, by the data seed.",
        step=0.05, place="own data", group="Data"), ge=0, lt=1)
    validation_data: str | None = declared(None, Setting("Validation data",
        "File or folder of validation data; none: a share of the data.",
        group="Data"))
    skip_bad_rows: bool = declared(False, Setting("Skip bad rows",
        "Leave out rows that cannot be read.",
        group="Data"))
    max_length: int = declared(1024, Setting("Ma&x length",
        "Tokens that a row is truncated to.",
        place="own data", group="Data"), ge=2, le=2**24)
    batching: Batching = declared("bucketed", Setting("Batching",
        "bucketed: rows of similar length together. packed: rows end to end up to the max length. "
        "shuffled: in random order.",
        choices=choices.BATCHINGS, place="own data", group="Data"))
    share_prefix: bool = declared(False, Setting("Shared prefix",
        "What all rows of a batch begin with, as a system prompt, goes through the model once for "
        "all of them: the same step up to rounding, several times faster where it is long.",
        group="Data"))
    prompts: tuple[str, ...] = declared((), Setting("Prompts",
        "Prompts to generate from, adapter off and on.",
        group="Data", flags=("--prompt",)))
    keep_data: str | None = declared(None, Setting("Retention",
        "Retention set: file or folder of the same form with rows of the old task. A few are "
        "measured beside the validation rows, and show what the model forgets.",
        name="retention set", place="own data", group="Data"))
    digits: tuple[int, ...] = Field((), description="Classes the adapter trains on; none: all.")
    permuted: bool = Field(
        False, description="Shuffle the pixels of all images alike: every weight has to change."
    )
    hidden: tuple[Annotated[int, Field(ge=1, le=100_000)], ...] = Field(
        (), max_length=20, description="Hidden layers of MNIST's fresh net; none: 1000 and 2000."
    )
    # Of a run that is resumed; no setting, so it is in no file and in no copy.
    classes: tuple[str, ...] = Field((), exclude=True, description="The classes in their order.")

    variant: str = declared(variants.PLAIN, Setting("Ada&pter",
        "Adapter variant.",
        choices=VARIANTS, place="always", group="Adapter"))
    init: str = declared(inits.PLAIN, Setting("I&nit",
        "How lora_A and lora_B start.",
        choices=INITS, place="always", group="Adapter"))
    targets: tuple[str, ...] = declared((), Setting("Tar&gets",
        "Layers to adapt: all-linear, all-linear+conv, all-linear+experts, a module path or its "
        "end; none: all linear layers, and the convolutions where these hold most of the weights.",
        place="always", group="Adapter", commas=True))
    adapter: str | None = declared(None, Setting("Continue",
        "Adapter file or folder that training continues from: its factors, ranks, α, targets and "
        "variant are taken as they are, and the optimizer starts afresh. Another rank or α is "
        "applied before the first step, as in mid-run.",
        name="adapter to continue", place="more", group="Adapter"))
    random_weights: bool = Field(
        False, description="Draw the base's weights anew by the seed: nothing of pre-training."
    )
    random_labels: bool = Field(
        False, description="Draw the labels of the training rows by the seed, to learn by heart."
    )
    projection: projections.Name = declared(projections.HASH, Setting("Projection",
        "How the d numbers of a random subspace move all weights.",
        choices=projections.PROJECTIONS, place="more", group="Adapter"))
    structure: projections.Structure = declared(projections.FLAT, Setting("Structure",
        "Whether the d numbers of a random subspace move all tensors by one projection.",
        choices=projections.STRUCTURES, place="more", group="Adapter"))
    space: projections.Space = declared("auto", Setting("Space",
        "What the d numbers of a random subspace move.",
        choices=projections.SPACES, place="more", group="Adapter"))
    whole: tuple[str, ...] = Field((), description="Layers fully trained beside the adapters.")

    optimizer: Optimizer = declared("adamw", Setting("Optimi&zer",
        "Optimizer: what turns gradients into steps.",
        choices=choices.OPTIMIZERS, place="more", group="Training"))
    b_rate_ratio: float = declared(1.0, Setting("LoRA+ λ",
        "λ of LoRA+ (Hayou et al. 2024, arXiv 2402.12354): the learning rate of B over that of A. "
        "1: none; the paper's is 16.",
        name="LoRA+ λ", short="λ", place="more", group="Training"), gt=0, le=10_000)
    schedule: Schedule = declared("constant", Setting("S&chedule",
        "LR schedule: the learning rate over the steps.",
        choices=choices.SCHEDULES, place="more", group="Training"))
    warmup_steps: int = declared(0, Setting("&Warm-up",
        "Steps of linear warm-up; half of the run's steps at most.",
        short="warm-up", place="more", group="Training"), ge=0)
    max_steps: int = declared(1000, Setting("S&teps",
        "Steps of one run.",
        name="steps", place="always", group="Training", flags=("--steps",)), ge=1, le=1_000_000_000)
    epochs: float | None = declared(None, Setting("Epochs",
        "Passes over the data, in place of the number of steps.",
        group="Training"), gt=0, le=1e6)
    batch_size: int = declared(32, Setting("&Batch",
        "Examples per step.",
        place="always", group="Training"), ge=1, le=1_000_000)
    batch_tokens: int = declared(0, Setting("Batch tokens",
        "Token budget: tokens of a step, with padding, at most (sources and targets each); it has "
        "as many examples as fit, in place of the batch. A longer row is a step by itself. 0: the "
        "batch counts examples.",
        place="own data", group="Training"), ge=0, le=2**31)
    seed: int = declared(0, Setting("&Seed",
        "Seed of inits, batches and dropout.",
        place="more", group="Training"), ge=0, lt=2**63)
    data_seed: int | None = declared(None, Setting("Data seed",
        "Seed of the validation split alone, so that runs of other seeds are measured on the same "
        "rows. None: the seed.",
        group="Data"), ge=0, lt=2**63)
    momentum: Decay = declared(0.0, Setting("&Momentum",
        "SGD's momentum.",
        step=0.1, place="more", group="Training"))
    betas: tuple[Decay, Decay] = Field((0.9, 0.999), description="Adam's two decay rates.")
    eps: float = Field(1e-8, gt=0, le=1, description="Adam's ε, beside the root of its v.")
    accumulation: int = declared(1, Setting("Accumulate",
        "Gradient accumulation: parts that a step's examples are computed in. Less memory, the "
        "same step. Short texts take fewer parts, as long as none is larger than the largest.",
        place="more", group="Training"), ge=1, le=1_000_000)
    max_grad_norm: float = declared(0.0, Setting("Max norm",
        "Max grad norm: what the norm of all gradients together is clipped to; 0: no clipping.",
        short="max norm", step=0.5, place="more"), ge=0, le=1e9)
    label_smoothing: float = declared(0.0, Setting("Smoothing",
        "Label smoothing (Szegedy et al. 2016, arXiv 1512.00567): share of each label that is "
        "spread over all classes or tokens alike. The validation loss is the plain one.",
        name="label smoothing", short="smoothing", step=0.05, place="own data", group="Training"
    ), ge=0, lt=1)
    class_weights: ClassWeights = declared("none", Setting("Weighting",
        "What a row counts in a classifier's loss: balanced, n/(k·n_c) for a class with n_c of n "
        "rows, lets rare classes count as much. The validation loss is the plain one.",
        name="class weights", choices=choices.CLASS_WEIGHTS, place="own data", group="Training"))
    eval_steps: int = declared(0, Setting("Eval steps",
        "Steps between two validations; 0: as often as 3 % of the time allow. Which step is the "
        "best one is then a matter of the clock, and so is a patient run's end.",
        place="own data", group="Training"), ge=0)
    patience: int = declared(0, Setting("Patience",
        "Early stopping: validations without a better loss that end the run; 0: never.",
        place="own data", group="Training"), ge=0)
    autosave_seconds: float = declared(5.0, Setting("Autosave",
        "Seconds of training between two checkpoints.",
        group="Training", flags=("--autosave",)), gt=0, le=3600)
    snapshots: int = declared(0, Setting("Snapshots",
        "Adapters kept along the way, at steps that double up to the last, and at the start, so "
        "that runs can be compared over steps. 0: none.",
        group="Training"), ge=0, le=64)
    dpo_beta: float = declared(0.1, Setting("DPO β",
        "β of DPO (Rafailov et al. 2023, arXiv 2305.18290): how strongly the model is held to its "
        "base, the adapter off. A small one lets it go further. For preference pairs alone.",
        name="DPO β", short="β", step=0.05, place="own data", group="Training"), gt=0, le=1000)
    source_prefix: str = declared("", Setting("Prefix",
        "Text before every source, as in \"summarize: \" of T5. For sequence to sequence alone.",
        name="prefix", group="Data"))
    # fmt: on
    pretraining: Pretraining | None = Field(None, description="Full training of the base first.")
    hyper: Hyperparameters = Hyperparameters()

    @property
    def split_seed(self) -> int:
        """What the validation split is drawn by."""
        return self.seed if self.data_seed is None else self.data_seed

    @property
    def bits(self) -> str:
        """How the base is held: runs from before blocks unpacked every .gguf."""
        return "float" if self.rules < 3 and self.base_bits == "auto" else self.base_bits

    def warmup(self, length: int) -> int:
        """Steps of warm-up in a stage of `length` steps: as set, but half of the stage at most."""
        return self.warmup_steps if self.rules < 2 else min(self.warmup_steps, length // 2)

    @property
    def processes(self) -> int:
        """That the run is in, as its device says."""
        return split(self.device)[0]

    _a_device = field_validator("device")(normal)

    @field_validator("preset")
    @classmethod
    def _a_name(cls, preset: str) -> str:
        """Folders are named after it."""
        if preset and not (preset[0].isalnum() and NAME.fullmatch(preset)):
            raise ValueError("must be a name: letters, digits, blanks, and - _ . + between them")
        return preset

    @field_validator("*")
    @classmethod
    def _is_text(cls, value: Any) -> Any:
        """A name in another encoding holds halves of characters, and a run could not keep it."""
        if not all(is_text(part) and "\0" not in part for part in _texts(value)):
            raise ValueError("must be text in UTF-8, without NUL; rename the file or the column")
        return value

    @field_validator("columns")
    @classmethod
    def _one_column_each(cls, columns: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        role, count = Counter(role for role, _ in columns).most_common(1)[0] if columns else ("", 0)
        if count > 1:
            raise ValueError(f"must name one column for {role}")
        return columns

    @model_validator(mode="after")
    def _has_labels_to_draw(self) -> RunConfig:
        row = TASKS.get(self.task)
        if self.random_labels and row is not None and not row.draws_labels:
            raise ValueError("random_labels is for the presets of digits")
        return self

    @field_validator("task", "variant", "init")
    @classmethod
    def _known(cls, name: str, info: ValidationInfo) -> str:
        rows: dict[str, Iterable[str]] = {"task": TASKS, "variant": VARIANTS, "init": INITS}
        known = tuple(rows[str(info.field_name)])
        if name not in known:
            raise ValueError(f"must be one of {', '.join(known)}")
        return name


@dataclass(frozen=True)
class Origin:
    """Where a branch begins: its parent's folder, and the step of a save near which it does."""

    run: str
    step: int


Model = TypeVar("Model", bound=BaseModel)


def checked(kind: type[Model], values: dict[str, Any], where: str = "") -> Model:
    """Build `kind` from plain values; the fields that are wrong are named in one `ConfigError`."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        prefix = f"{where}: " if where else ""
        first = [_complaint(each) for each in error.errors()[:MOST_COMPLAINTS]]
        if (more := error.error_count() - len(first)) > 0:
            first.append(f"and {more:,} more")
        raise ConfigError(prefix + "; ".join(first)) from None


def changed(current: Model, **values: Any) -> Model:
    """A copy of a frozen value with some fields replaced, checked like a new one."""
    return checked(type(current), {**current.model_dump(), **values})


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for part in value:
            yield from _texts(part)


def plain_number(value: float) -> str:
    """A setting as people write it: 16, 0.05, 1e-4, exact to twelve digits."""
    if value and abs(value) < 1e-3:
        mantissa, exponent = f"{value:.11e}".split("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    return f"{value:.12g}"


def _complaint(error: Any) -> str:
    field = shown(".".join(str(part) for part in error["loc"]) or "settings")[1:-1]
    if error["type"] == "extra_forbidden":
        return f"{field} is not a setting of this version"
    if error["type"] == "missing":
        return f"{field} is missing"
    value = repr(error["input"])
    value = value if len(value) <= 40 else value[:39] + "…"
    reason = error["msg"].removeprefix("Input ").removeprefix("Value error, ")
    return f"{field} {reason[:300]}, not {value}"
