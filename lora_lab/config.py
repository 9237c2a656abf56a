"""What a person may set: `Hyperparameters` (live, in mid-run) and `RunConfig` (fixed for a run).

One declaration per field carries its label, limits, scale and help; the slider, the command-line
flag, the JSON key and the tooltip are all made from it. Everything here is frozen and plain, so a
value can cross threads and be compared with `is`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from lora_lab.errors import ConfigError
from lora_lab.variants import VARIANTS

SCHEMA_VERSION: Literal[1] = 1

AlphaMode = Literal["scale_effect", "keep_function"]
Decay = Annotated[float, Field(ge=0, lt=1)]
Schedule = Literal["constant", "linear", "cosine"]
DType = Literal["float32", "bfloat16", "float16", "float64"]
Optimizer = Literal["adamw", "sgd"]
Batching = Literal["bucketed", "packed", "shuffled"]
# The keys of INITS, for those who must not wait for torch.
Init = Literal["kaiming", "gaussian", "normal", "orthogonal", "pissa", "olora", "eva"]


@dataclass(frozen=True)
class Knob:
    """How a live field looks as a control: label, limits of the slider, its scale, and help."""

    label: str
    minimum: float
    maximum: float
    scale: Literal["linear", "log"]
    help: str
    page: str  # of resources/help, and its heading: "learning-rate#dropout"
    when: Literal["live", "on_release"] = "live"


def _knob(default: float, knob: Knob, **limits: Any) -> Any:
    return Field(default, title=knob.label, description=knob.help, **limits)


KNOBS: dict[str, Knob] = {
    "rank": Knob(
        "Rank r", 1, 4096, "log",
        "How many directions ΔW = (α/r)·B·A may use. It can change in mid-run: growing keeps ΔW "
        "exactly, shrinking keeps the largest singular values.",
        "rank",
        when="on_release",
    ),
    "alpha": Knob(
        "Alpha α", 0.125, 1024, "log",
        "The numerator of the scaling s = α/r (rsLoRA: α/√r) that multiplies B·A.",
        "alpha",
    ),
    "learning_rate": Knob(
        "Learning rate", 1e-6, 1.0, "log",
        "Peak step size of the optimizer. LoRA wants about ten times what full fine-tuning does.",
        "learning-rate",
    ),
    "weight_decay": Knob(
        "Weight decay", 0.0, 0.5, "linear",
        "Decoupled decay of A and B per step, times their learning rate; it pulls B·A towards 0.",
        "learning-rate#weight-decay",
    ),
    "dropout": Knob(
        "Dropout", 0.0, 0.9, "linear",
        "Share of the adapter's inputs that is zeroed while training (never while evaluating).",
        "learning-rate#dropout",
    ),
}  # fmt: skip


class Frozen(BaseModel):
    """A plain frozen value that refuses unknown keys, NaN and infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Hyperparameters(Frozen):
    """The live settings. The loop compares the newest snapshot with what it applied last."""

    rank: int = _knob(8, KNOBS["rank"], ge=1, le=65536)
    alpha: float = _knob(16.0, KNOBS["alpha"], ge=1e-6, le=1e6)
    learning_rate: float = _knob(1e-3, KNOBS["learning_rate"], gt=0, le=10)
    weight_decay: float = _knob(0.0, KNOBS["weight_decay"], ge=0, le=10)
    dropout: float = _knob(0.0, KNOBS["dropout"], ge=0, lt=1)
    alpha_mode: AlphaMode = Field(
        "scale_effect",
        title="Moving α",
        description="scale the effect: ΔW follows α at once. keep the function: ΔW stays as it is "
        "and B is rescaled, so that α acts like a learning rate of B.",
    )
    enabled: bool = Field(
        True,
        title="Adapter on",
        description="Whether evaluations see W + ΔW or the frozen W alone. Training goes on "
        "with the adapter either way.",
    )
    max_grad_norm: float | None = Field(
        None,
        ge=0,
        le=1e9,
        title="Clip",
        description="Norm that all gradients together are cut to from here on; 0: none. None: as "
        "the run began.",
    )
    layer_ranks: tuple[tuple[str, int], ...] = Field(
        (),
        title="Ranks of their own",
        description="Layers, by module path, that have another rank than the common one. The "
        "scaling s stays common.",
    )
    frozen_layers: tuple[str, ...] = Field(
        (),
        title="Frozen layers",
        description="Layers, by module path, whose ΔW is trained no further. They keep their rank "
        "when the common one moves.",
    )

    @field_validator("layer_ranks")
    @classmethod
    def _one_rank_each(cls, ranks: tuple[tuple[str, int], ...]) -> tuple[tuple[str, int], ...]:
        named: set[str] = set()
        for name, rank in ranks:
            if rank < 1:
                raise ValueError(f"must be at least 1 for {name}")
            if name in named:
                raise ValueError(f"must name {name} once")
            named.add(name)
        return tuple(sorted(ranks))

    @field_validator("frozen_layers")
    @classmethod
    def _each_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted(set(names)))


class Pretraining(Frozen):
    """Full training of all weights that makes the base, before the adapter's own run."""

    max_steps: int = Field(..., ge=1)
    batch_size: int = Field(..., ge=1)
    learning_rate: float = Field(..., gt=0, le=10)


class RunConfig(Frozen):
    """Everything that is fixed for one run; written before step 0."""

    schema_version: Literal[1] = SCHEMA_VERSION
    preset: str = Field("", description="Name of the preset that this run came from.")
    task: str = Field(..., description="What is learned: a name in TASKS.")
    data: str | None = Field(None, description="Folder or file of data; none: what ships.")
    model: str | None = Field(None, description="Base checkpoint; none: the task's own.")
    factory: str = Field(
        "",
        description="A function of your own that makes the net, as module:function; the checkpoint "
        "is loaded into what it returns.",
    )
    columns: tuple[tuple[str, str], ...] = Field(
        (), description="Columns of the data by role, as role=column; none: guessed."
    )
    validation: float = Field(
        0.1, ge=0, lt=1, description="Share of the rows held out, by the seed."
    )
    validation_data: str | None = Field(
        None, description="File or folder of held-out data; none: a share of the data."
    )
    keep_data: str | None = Field(
        None,
        description="File or folder of the same form with rows of the old task: a few are measured "
        "beside the held-out ones, and show what the model forgets.",
    )
    skip_bad_rows: bool = Field(False, description="Leave out rows that cannot be read.")
    max_length: int = Field(1024, ge=2, le=2**24, description="Tokens that a row is cut to.")
    batching: Batching = Field(
        "bucketed",
        description="bucketed: rows of like length together. packed: rows end to end up to the "
        "length. shuffled: as they come.",
    )
    prompts: tuple[str, ...] = Field((), description="What the model is asked, adapter off and on.")
    digits: tuple[int, ...] = Field((), description="Classes the adapter trains on; none: all.")
    variant: str = Field("lora", description="Kind of adapter.")
    init: Init = Field("kaiming", description="How lora_A and lora_B start.")
    targets: tuple[str, ...] = Field((), description="Adapted layers; none: all linear layers.")
    device: str = Field("cpu", description="cpu, cuda, cuda:N or mps.")
    dtype: DType = Field(
        "float32",
        description="Type of the base's numbers. Adapters on half precision stay in float32.",
    )
    batch_size: int = Field(32, ge=1, le=1_000_000, description="Examples per step.")
    accumulation: int = Field(
        1,
        ge=1,
        le=1_000_000,
        description="Parts that a step's examples are worked off in: less memory, the same step. "
        "Short texts take fewer parts, as long as none is larger than the largest.",
    )
    checkpointing: bool = Field(
        False,
        description="Compute activations twice instead of keeping them: less memory, slower.",
    )
    max_steps: int = Field(1000, ge=1, le=1_000_000_000, description="Steps of one run.")
    epochs: float | None = Field(
        None, gt=0, le=1e6, description="Passes over the data, in place of the number of steps."
    )
    eval_steps: int = Field(
        0, ge=0, description="Steps between two validations; 0: as often as 3 % of the time allow."
    )
    autosave_seconds: float = Field(
        5.0, gt=0, le=3600, description="Seconds of training between two checkpoints."
    )
    patience: int = Field(
        0, ge=0, description="Validations without a better loss that end the run; 0: none does."
    )
    schedule: Schedule = Field("constant", description="Course of the learning rate.")
    warmup_steps: int = Field(0, ge=0, description="Steps of linear warm-up.")
    optimizer: Optimizer = Field("adamw", description="What turns gradients into steps.")
    b_rate_ratio: float = Field(
        1.0,
        gt=0,
        le=10_000,
        description="λ of LoRA+ (Hayou et al. 2024, arXiv 2402.12354): the learning rate of B over "
        "that of A. 1: none; the paper's is 16.",
    )
    momentum: Decay = Field(0.0, description="SGD's momentum.")
    betas: tuple[Decay, Decay] = Field((0.9, 0.999), description="Adam's two decay rates.")
    max_grad_norm: float = Field(
        0.0, ge=0, le=1e9, description="Norm that all gradients together are cut to; 0: none."
    )
    eps: float = Field(1e-8, gt=0, le=1, description="Adam's ε, beside the root of its v.")
    seed: int = Field(0, ge=0, lt=2**63, description="Seed of inits, batches and dropout.")
    pretraining: Pretraining | None = Field(None, description="Full training of the base first.")
    hyper: Hyperparameters = Hyperparameters()

    @field_validator("columns")
    @classmethod
    def _one_column_each(cls, columns: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        roles = [role for role, _ in columns]
        if twice := next((role for role in roles if roles.count(role) > 1), None):
            raise ValueError(f"must name one column for {twice}")
        return columns

    @field_validator("variant")
    @classmethod
    def _known(cls, variant: str) -> str:
        if variant not in VARIANTS:
            raise ValueError(f"must be one of {', '.join(VARIANTS)}")
        return variant


@dataclass(frozen=True)
class Origin:
    """Where a branch begins: its parent's folder, and the step of a save near which it does."""

    run: str
    step: int


Model = TypeVar("Model", bound=BaseModel)


def checked(kind: type[Model], values: dict[str, Any], where: str = "") -> Model:
    """Build `kind` from plain values; every field that is wrong is named in one `ConfigError`."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        prefix = f"{where}: " if where else ""
        raise ConfigError(prefix + "; ".join(_complaint(e) for e in error.errors())) from None


def changed(current: Model, **values: Any) -> Model:
    """A copy of a frozen value with some fields replaced, checked like a new one."""
    return checked(type(current), {**current.model_dump(), **values})


def plain_number(value: float) -> str:
    """A setting as people write it: 16, 0.05, 1e-4, exact to twelve digits."""
    if value and abs(value) < 1e-3:
        mantissa, exponent = f"{value:.11e}".split("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    return f"{value:.12g}"


def _complaint(error: Any) -> str:
    field = ".".join(str(part) for part in error["loc"]) or "settings"
    if error["type"] == "extra_forbidden":
        return f"{field} is not a setting of this version"
    if error["type"] == "missing":
        return f"{field} is missing"
    shown = repr(error["input"])
    shown = shown if len(shown) <= 40 else shown[:39] + "…"
    reason = error["msg"].removeprefix("Input ").removeprefix("Value error, ")
    return f"{field} {reason}, not {shown}"
