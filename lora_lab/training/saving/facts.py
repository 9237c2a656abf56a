"""What a checkpoint says, held against the experiment that it is to be put into.

A checkpoint may come from anybody. The fused optimizer writes through the pointers that it is
given and checks no shape, so every name, shape, type and range is compared here, before the first
number moves.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field

from lora_lab.adapters import LoRALayer
from lora_lab.adapters.space import SharesTheta
from lora_lab.config import checked
from lora_lab.errors import ConfigError, LabError
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.json_size import values_in
from lora_lab.names import shown
from lora_lab.training.adam8bit import BLOCK
from lora_lab.training.experiment import Experiment
from lora_lab.training.loss_scale import is_standing
from lora_lab.training.optim import state_names
from lora_lab.training.per_layer import check
from lora_lab.training.saving.best_facts import check_best
from lora_lab.training.saving.counted_twice import REASON, as_counted_twice
from lora_lab.training.saving.fitting import FLOATS, Tensors, fits, tensor_of, wrong
from lora_lab.training.saving.random_states import ON_DEVICE, is_of, is_random_state

VERSION = 1

MOST_STEPS = 1_000_000_000
MOST_EDITS = 2 * MOST_STEPS
AHEAD = 1_000_000  # batches that were drawn and made no step, as where one was not finite
FASTEST = 1e-5  # seconds of a step: none is as fast, and a place in the course is counted up to
Count = Annotated[int, Field(ge=0, le=2 * MOST_STEPS)]
Real = Annotated[float, Field(allow_inf_nan=False, ge=-1e300, le=1e300)]
BATCH = 2**31  # tokens of a step, at most
VALUES = 500  # of one layer, at most: of what cannot be, pydantic says 2 kB for each
SQUARES = ("exp_avg_sq", "exp_avg_sq_scales")
WIDE = (torch.float32, torch.float64)  # of factors; a branch may change from one to the other


class Stored(BaseModel):
    """Plain values of just these types; a later lab may have more of them."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class Trained(Stored):
    """One trained tensor of a layer, and what the optimizer keeps of it."""

    moves: bool
    state: list[str] = Field(max_length=8)
    numbers: dict[str, Real] = Field(max_length=8)


class StoredLayer(Stored):
    trained: dict[str, Trained] = Field(max_length=8)
    scaling: Real | None = None
    dropout: Real | None = None
    ratio: Real = 1.0  # of its scaling to the common one, as an adapter's file had it


class StoredBest(Stored):
    loss: Real | None
    step: Count
    due_loss: Real | None = None
    unimproved: Count
    last: Annotated[int, Field(ge=-1, le=MOST_STEPS)] = -1
    weights: dict[str, Any] | None = None


class Facts(Stored):
    """What JSON holds of a checkpoint."""

    version: Literal[1]
    step: Annotated[int, Field(ge=0, le=MOST_STEPS)]
    edits: Count = 0
    tokens: Annotated[int, Field(ge=0, lt=2**62)] = 0
    batches: Count
    seconds: Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]
    parts: tuple[Annotated[int, Field(ge=1, le=1_000_000)], Annotated[int, Field(ge=0, le=64)]] = (
        Field(strict=False)
    )
    loss_scale: tuple[Real, Count] | None = Field(None, strict=False)  # of float16 alone
    stage: tuple[Count, Count] = Field(strict=False, alias="leg")
    hyper: dict[str, Any]
    layers: dict[str, StoredLayer]
    ramps: list[list[Any]]
    best: StoredBest
    kept: list[Any] | None = None
    base_fingerprint: str
    projection: str | None = None  # of a random subspace
    torch: str
    threads: Annotated[int, Field(ge=1, le=100_000)]
    device: str
    machine: dict[str, Annotated[str, Field(max_length=200)]] = Field({}, max_length=32)


def compare(experiment: Experiment, tensors: Tensors, facts: dict[str, Any]) -> Hyperparameters:
    """Raise LabError for the first thing in a checkpoint that `experiment` cannot have.

    Returns its settings. Nothing is changed.
    """
    if facts.get("version") != VERSION:
        raise LabError(
            f"The checkpoint is of version {shown(facts.get('version'))}, not {VERSION}."
        )
    if facts.get("base_fingerprint") != experiment.base_fingerprint:
        raise LabError(
            "The base model is not the one that this run was trained on: its weights differ. "
            "Restore the old one to resume."
        )
    stored = facts.get("layers")
    if not isinstance(stored, dict) or list(stored) != list(experiment.layers):
        raise LabError("The checkpoint has other layers than the run's settings make.")
    if values_in(facts) > VALUES * (len(stored) + 50):
        raise wrong("it holds more than is known of so many layers")
    try:
        read = checked(Facts, facts)
        hyper = checked(Hyperparameters, read.hyper, "hyper")
        check(experiment.layers, hyper)
    except ConfigError as error:
        raise wrong(str(error).rstrip(".")) from None
    _check_space(experiment, read, hyper.dimension)
    used = _check_random(experiment, tensors, read.device)
    ranks: dict[str, int] = {}
    own, frozen = dict(hyper.layer_ranks), set(hyper.frozen_layers)
    for name, about in read.layers.items():
        rank = None if name in frozen else own.get(name, hyper.rank)
        used |= _check_layer(experiment, name, about, tensors, hyper, rank, ranks)
    _check_course(read)
    _check_ramps(read.ramps, ranks)
    used |= check_best(experiment, read.best.weights, tensors)
    if left := [name for name in tensors if name not in used]:
        raise wrong(f"it holds {shown(left[0])}, which belongs to no layer")
    if read.kept is not None and not _is_kept(read.kept):
        raise wrong("what it says of the retention set is not a path and a count")
    return hyper


def _check_space(experiment: Experiment, facts: Facts, dimension: int) -> None:
    """θ means nothing in another random subspace than the one that it was trained in."""
    space = experiment.space
    if space is None or facts.projection == space.fingerprint(dimension):
        return
    if facts.projection and facts.projection == as_counted_twice(space, dimension):
        raise LabError(f"The checkpoint {REASON}.")
    if facts.projection and facts.torch != str(torch.__version__):
        raise LabError(
            f"torch {torch.__version__} draws another random subspace from the seed than torch "
            f"{shown(facts.torch)}, which made the run. Resume it with that version."
        )
    raise wrong(
        f"its random subspace is not the one of {dimension:,} numbers that the run's seed draws"
    )


def _check_course(facts: Facts) -> None:
    """Steps, stages and the place among the batches, which is counted up to."""
    begin, end = facts.stage
    if begin > end or begin > facts.step:
        raise wrong(f"step {facts.step:,} is in no stage from {begin:,} to {end:,}")
    if facts.loss_scale is not None and not is_standing(*facts.loss_scale):
        raise wrong(f"{shown(facts.loss_scale)} is no scale of a loss and its count of steps")
    most = facts.step + AHEAD
    if facts.batches > most or facts.batches * FASTEST > facts.seconds + 60:
        raise wrong(
            f"{facts.batches:,} batches in {facts.step:,} steps and {facts.seconds:,.0f} s "
            "cannot be"
        )
    # Bounds that move on as training does: what is saved next has to pass as well.
    longest = max(time.time(), 1e9)
    if facts.seconds > longest or max(facts.best.unimproved, facts.tokens / BATCH) > most:
        raise wrong("its seconds, tokens or validations are more than so many steps can have made")


def _check_random(experiment: Experiment, tensors: Tensors, saved_on: str) -> set[str]:
    """States of generators are tried on another one first."""
    names = {"random|torch", "random|generator"}
    if ON_DEVICE in tensors:
        names.add(ON_DEVICE)
    for name in names:
        on_device = name == ON_DEVICE
        if on_device and not is_of(experiment.device, saved_on):
            continue
        device = experiment.device if on_device else torch.device("cpu")
        if not is_random_state(tensor_of(tensors, name), device):
            raise wrong(f"{name} is no state of a generator")
    return names


def _check_layer(
    experiment: Experiment,
    name: str,
    about: StoredLayer,
    tensors: Tensors,
    hyper: Hyperparameters,
    wanted_rank: int | None,
    ranks: dict[str, int],
) -> set[str]:
    """The names of a layer's tensors, of a frozen one without a wanted rank; fills in `ranks`."""
    layer, used = experiment.layers[name], set()
    wanted = {label: tuple(p.shape) for label, p in layer.named_parameters(recurse=False)}
    if isinstance(layer, LoRALayer):
        factor = tensor_of(tensors, f"{name}|{layer.ranked_by}")
        ranks[name] = rank = _rank(layer, factor, wanted_rank)
        own = {label: t for label in layer.beside() if (t := tensors.get(f"{name}|{label}"))
               is not None}  # fmt: skip
        shapes = layer.shapes(rank, own)
        wanted = {label: shapes.get(label, shape) for label, shape in wanted.items()}
        scaling = about.ratio * layer.scaling_for(hyper.alpha, hyper.rank)
        if not about.scaling or not math.isclose(about.scaling, scaling, rel_tol=1e-9):
            raise wrong(f"{name} has a scaling of {about.scaling}, not {scaling:g}")
        if about.dropout != hyper.dropout:
            raise wrong(f"{name} has a dropout of {about.dropout}, not {hyper.dropout:g}")
        used |= {fits(tensors, f"{name}|{x}", shapes[x], WIDE) for x in layer.beside()}
    if isinstance(layer, SharesTheta) and "theta" in wanted:
        wanted["theta"] = (layer.space.numbers_of(hyper.dimension),)
    whole = not isinstance(layer, LoRALayer | SharesTheta)  # once trained in their own precision
    kinds = FLOATS if whole else WIDE
    if set(about.trained) != set(wanted):
        raise wrong(f"{name} trains {shown(sorted(about.trained))}, not {sorted(wanted)}")
    for label, shape in wanted.items():
        trained = about.trained[label]
        if trained.moves == (wanted_rank is None):
            how = "frozen" if trained.moves else "trained"
            raise wrong(f"{name} is {how} by its settings, and {label} is not")
        used.add(fits(tensors, f"{name}|{label}", shape, kinds))
        kept = state_names(experiment.optimizer, getattr(layer, label), shape)
        used |= _check_moments(kept, f"{name}|{label}", trained, shape, kinds, tensors)
    return used


def _rank(layer: LoRALayer, factor: torch.Tensor, wanted: int | None) -> int:
    """The rank that the stored factor has, where the layer may have it; any without a `wanted`."""
    rank = factor.shape[0] if factor.dim() else 0
    if not 1 <= rank <= layer.max_rank or rank % layer.kind.groups(layer.base_layer):
        raise wrong(f"{layer.name} has factors of shape {tuple(factor.shape)}")
    locked = bool(dict(layer.locked).get("rank"))
    if wanted is not None and not locked and rank != min(wanted, layer.max_rank):
        fit = min(wanted, layer.max_rank)
        raise wrong(f"{layer.name} has rank {rank}, and its settings say {fit}")
    return rank


def _check_moments(
    kept: tuple[str, ...],
    name: str,
    about: Trained,
    shape: tuple[int, ...],
    kinds: tuple[torch.dtype, ...],
    tensors: Tensors,
) -> set[str]:
    """All that the optimizer keeps of one tensor, or nothing of it."""
    if about.numbers or (about.state and sorted(about.state) != sorted(kept)):
        found = sorted([*about.state, *about.numbers])
        raise wrong(f"the optimizer keeps {shown(found)} of {name}, not {', '.join(kept)}")
    for key in about.state:
        form: tuple[tuple[int, ...], tuple[torch.dtype, ...]] = (shape, kinds)
        if key == "step":
            form = ((), (torch.float32,))
        elif key.endswith("_codes"):
            form = (shape, (torch.uint8,))
        elif key.endswith("_scales"):
            form = ((-(-math.prod(shape) // BLOCK),), (torch.float32,))
        moment = tensors[fits(tensors, f"{name}|{key}", *form)]
        if key == "step" and not 0 <= float(moment) <= 2 * MOST_STEPS:
            raise wrong(f"the optimizer's step of {name} is {float(moment):g}")
        if key in SQUARES and moment.numel() and float(moment.min()) < 0:
            raise wrong(f"{name}|{key} is a mean of squares, and below 0")
    return {f"{name}|{key}" for key in about.state}


def _check_ramps(rows: Iterable[list[Any]], ranks: dict[str, int]) -> None:
    for row in rows:
        if not (
            len(row) == 5
            and row[0] in (ranks if isinstance(row[0], str) else ())
            and all(type(n) is int for n in row[1:])
            and 0 <= row[1] < row[2] <= ranks[row[0]]
            and 0 <= row[4] < row[3] <= MOST_STEPS
        ):
            raise wrong(f"{shown(row)} is no ramp of one of its layers")


def _is_kept(value: list[Any]) -> bool:
    fits = len(value) == 2 and (value[0] is None or isinstance(value[0], str))
    return fits and type(value[1]) is int and 1 <= value[1] <= 2**40
