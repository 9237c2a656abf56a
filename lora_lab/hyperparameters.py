"""The live settings: what a person may change while a run trains, declared once each."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, field_validator

from lora_lab import choices
from lora_lab.choices import AlphaMode
from lora_lab.setting import Knob, Setting, declared, settings_of


class Frozen(BaseModel):
    """A plain frozen value that refuses unknown keys, NaN and infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Hyperparameters(Frozen):
    """The live settings. The loop compares the newest snapshot with what it applied last."""

    # fmt: off
    rank: int = declared(8, Knob("Rank r",
        "How many directions ΔW = (α/r)·B·A may use. It can change during training: increasing "
        "it keeps ΔW exactly, decreasing it keeps the largest singular values.",
        short="r", flags=("--rank", "-r"), minimum=1, maximum=4096, scale="log", page="rank",
        when="on_release"), ge=1, le=65536)
    alpha: float = declared(16.0, Knob("Alpha α",
        "The numerator of the scaling s = α/r (rsLoRA: α/√r) that multiplies B·A.",
        short="α", flags=("--alpha", "-a"), minimum=0.125, maximum=1024, scale="log", page="alpha"
    ), ge=1e-6, le=1e6)
    dimension: int = declared(128, Knob("Numbers d",
        "How many numbers θ a random subspace trains, each moving its share of all weights. "
        "Doubling d keeps ΔW exactly; halving it keeps what comes nearest.",
        short="d", flags=("--dimension", "-d"), minimum=1, maximum=65536,
        scale="doubling", page="random-subspace", when="on_release"), ge=1, le=1_000_000_000)
    learning_rate: float = declared(1e-3, Knob("Learning rate",
        "Peak step size of the optimizer. LoRA needs about ten times that of full fine-tuning.",
        short="lr", flags=("--learning-rate", "--lr"), minimum=1e-6, maximum=1.0, scale="log",
        page="learning-rate"), gt=0, le=10)
    weight_decay: float = declared(0.0, Knob("Weight decay",
        "Decoupled decay of A and B per step, times their learning rate; it pulls B·A towards 0. "
        "Biases that are trained do not decay.",
        short="wd", minimum=0.0, maximum=0.5, scale="linear", page="learning-rate#weight-decay"
    ), ge=0, le=10)
    dropout: float = declared(0.0, Knob("Dropout",
        "Share of the adapter's inputs that is zeroed while training (never while evaluating).",
        short="drop", minimum=0.0, maximum=0.9, scale="linear", page="learning-rate#dropout"
    ), ge=0, lt=1)
    alpha_mode: AlphaMode = declared("scale_effect", Setting("α mode",
        "rescale ΔW: ΔW follows α at once. keep ΔW: ΔW stays as it is and B is rescaled, so that "
        "α acts like a learning rate of B.",
        name="α mode", choices=choices.ALPHA_MODES))
    enabled: bool = declared(True, Setting("Adapter on",
        "Whether evaluations see W + ΔW or the frozen W alone. Training continues with the "
        "adapter either way.",
        name="adapter"))
    max_grad_norm: float | None = declared(None, Setting("Max grad norm",
        "Norm that all gradients together are clipped to from here on; 0: no clipping. None: as "
        "the run began.",
        short="max norm"), ge=0, le=1e9)
    layer_ranks: tuple[tuple[str, int], ...] = declared((), max_length=100_000, setting=Setting(
        "Per-layer ranks", "Layers, by module path, with another rank than the default one. "
        "The scaling s stays common.",
        short="rank", group="Adapter", flags=("--layer-rank",), metavar="NAME=R", example="fc1=4"))
    frozen_layers: tuple[str, ...] = declared((), max_length=100_000, setting=Setting(
        "Frozen layers", "Layers, by module path, whose ΔW is trained no further. They keep "
        "their rank when the default one changes.",
        short="frozen", group="Adapter", flags=("--freeze",), metavar="NAME"))
    # fmt: on

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


KNOBS: dict[str, Knob] = {
    field: setting
    for field, setting in settings_of(Hyperparameters).items()
    if isinstance(setting, Knob)
}
