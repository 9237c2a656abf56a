"""Rules of the engine that plots, tables and the command line foretell with: no torch, no Qt."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lora_lab.config import RunConfig
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.names import suffixes
from lora_lab.opening_records import DataRecord, LayerInfo, LoadedRecord, TargetInfo
from lora_lab.records import CountsRecord, LayerSpectrum, SpectrumRecord
from lora_lab.variants import VARIANTS

ALL_LINEAR = "all-linear"
ALL_LINEAR_CONV = "all-linear+conv"
ALL_LINEAR_EXPERTS = "all-linear+experts"
KINDS = (ALL_LINEAR, ALL_LINEAR_CONV, ALL_LINEAR_EXPERTS)


class LayerRanks:
    """The present rank of every layer of a model, kept up with what is applied."""

    def __init__(self, loaded: LoadedRecord) -> None:
        self.layers = {layer.name: layer for layer in loaded.layers}
        self.variant = VARIANTS[loaded.variant]
        self.applied = loaded.hyper
        self._asked: Hyperparameters | None = None
        own, common = dict(loaded.hyper.layer_ranks), loaded.hyper.rank
        self.present = {n: min(own.get(n, common), cap(i)) for n, i in self.layers.items()}
        self._all = loaded.hyper, self.present  # what all layers are to have under that snapshot

    def apply(self, hyper: Hyperparameters) -> None:
        """`hyper` is in force from now on."""
        self.present = self.all_wanted(hyper)
        self.applied = hyper

    def wanted(self, name: str, hyper: Hyperparameters) -> int:
        """The rank of that layer under `hyper`: its own, its present one, or the common, capped."""
        if hyper is not self._asked:  # one snapshot is asked about for all layers in turn
            self._asked = hyper
            self._own, self._frozen = dict(hyper.layer_ranks), set(hyper.frozen_layers)
        layer = self.layers[name]
        stays = name in self._frozen or layer.rank_locked or not self.variant.factored
        rank = self._own.get(name, self.present[name] if stays else hyper.rank)
        return min(rank, cap(layer))

    def all_wanted(self, hyper: Hyperparameters) -> dict[str, int]:
        """The same of every layer, worked out once for all who ask about one snapshot."""
        if hyper is not self._all[0]:
            self._all = hyper, {name: self.wanted(name, hyper) for name in self.layers}
        return self._all[1]

    def cut(self, row: LayerSpectrum, hyper: Hyperparameters) -> int:
        """Where `hyper` would cut that layer's singular values; 0 where nothing is foretold."""
        if not self.variant.exact_sigma or row.name not in self.layers:
            return 0
        wanted = self.wanted(row.name, hyper)
        return wanted if wanted < min(row.rank, self.present[row.name]) else 0

    def trained(self, name: str, hyper: Hyperparameters) -> int:
        """Parameters that would train in that layer under `hyper`, by arithmetic (LoRA §4.2)."""
        rank = self.wanted(name, hyper)
        return 0 if name in self._frozen else self.parameters(name, rank)

    def per_layer(self, hyper: Hyperparameters, counts: CountsRecord | None) -> list[int]:
        """`trained` of each layer in order; counted, where nothing of it changes."""
        counted = dict(counts.per_layer) if counts is not None else {}
        frozen, before = set(hyper.frozen_layers), set(self.applied.frozen_layers)
        found = []
        for name, wanted in self.all_wanted(hyper).items():
            same = wanted == self.present[name] and (name in frozen) == (name in before)
            if same and name in counted:
                found.append(counted[name])
            else:
                found.append(0 if name in frozen else self.parameters(name, wanted))
        return found

    def total(self, hyper: Hyperparameters, counts: CountsRecord | None) -> int:
        """All parameters that would train; θ of a random subspace is no layer's own."""
        shared = hyper.dimension if self.variant.shared else 0
        return sum(self.per_layer(hyper, counts)) + shared

    def parameters(self, name: str, rank: int) -> int:
        """Parameters of that layer's adapter at `rank`."""
        return self.variant.parameters(self.layers[name].shape, rank)


RANK_RULES = ("s", "alpha", "2r")  # what stays where a rank moves: s, α, or α = 2r


def alpha_with_rank(hyper: Hyperparameters, rank: int, rule: str, variant: str) -> float:
    """The α that goes with another rank: the one that keeps s, the same one, or twice the rank."""
    if rule == "2r":
        return 2.0 * rank
    if rule == "alpha" or rank == hyper.rank:
        return hyper.alpha
    before = scaling_of(hyper, variant)
    after = scaling_of(hyper.model_copy(update={"rank": rank}), variant)
    return hyper.alpha if before != before else float(f"{hyper.alpha * before / after:.12g}")


def cap(layer: LayerInfo) -> int:
    """The largest useful rank of a layer."""
    return layer.max_rank or min(layer.shape)


def scaling_of(hyper: Hyperparameters, variant: str) -> float:
    """s as that variant makes it of α and r; nan where nothing is scaled."""
    row = VARIANTS[variant]
    return row.scaling(hyper.alpha, hyper.rank) if row.factored else math.nan


def energy_beyond(sigma: np.ndarray, rank: int) -> float:
    """The share of Σσ² that a cut after the first `rank` values would discard."""
    squares = np.square(np.nan_to_num(sigma, posinf=0.0))
    total = float(squares.sum())
    return float(squares[rank:].sum()) / total if total > 0 else 0.0


def energy_tails(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Σσ² of every row beyond its first k values, (rows, longest + 1); infinities count nothing.

    k runs from 0 (everything) to the longest row (nothing). Summed from the end: small tails keep
    their digits, which the total minus the head would lose.
    """
    squares = np.zeros((len(rows), max((len(row) for row in rows), default=0) + 1))
    for place, row in enumerate(rows):
        squares[place, : len(row)] = row
    squares = np.square(np.nan_to_num(squares, copy=False, posinf=0.0))
    return squares[:, ::-1].cumsum(axis=1)[:, ::-1]


def discarded(tails: np.ndarray) -> np.ndarray:
    """The share of Σσ² that a cut after k values discards, along the last axis; nan of nothing."""
    with np.errstate(invalid="ignore"):
        return tails / tails[..., :1]


def energy_lost(spectrum: SpectrumRecord, cut: Callable[[LayerSpectrum], int]) -> tuple[float, str]:
    """The share of Σσ² that is cut away in the layer that would lose most, and its name; or nan.

    `cut` says how many values a layer would keep, 0 for all.
    """
    worst, where = 0.0, ""
    for layer in spectrum.layers:
        if not np.isfinite(layer.sigma).all():
            return math.nan, layer.name
        kept = cut(layer)
        if kept and (share := energy_beyond(layer.sigma, kept)) > worst:
            worst, where = share, layer.name
    return worst, where


def is_all_linear(targets: Sequence[str]) -> bool:
    """Whether these targets are every linear layer and no other."""
    return not targets or tuple(targets) == (ALL_LINEAR,)


def meant_by(
    adaptable: Iterable[TargetInfo], targets: Iterable[str]
) -> dict[str, list[TargetInfo]]:
    """Of each target the layers that it means, in one walk through the layers.

    A target is a path, the end of a path, or a word for all of a kind.
    """
    found: dict[str, list[TargetInfo]] = {target: [] for target in targets}
    for layer in adaptable:
        for name in found.keys() & _called(layer):
            found[name].append(layer)
    return found


def _called(layer: TargetInfo) -> Iterator[str]:
    """All targets that mean a layer."""
    for path in _paths(layer):
        yield from (end for end in suffixes(path) if end not in KINDS)
    kinds = (layer.all_linear, layer.all_linear or layer.all_conv,
             layer.all_linear or layer.of_experts)  # fmt: skip
    yield from (word for word, means in zip(KINDS, kinds, strict=True) if means)


def _paths(layer: TargetInfo) -> tuple[str, ...]:
    """What a layer may be called by: of an expert's matrix also the parameter that has it, the
    expert, and the module of all experts."""
    if not layer.of_experts:
        return (layer.name,)
    head, _, parameter = layer.name.rpartition(".")
    owner = head.rpartition(".")[0]
    return layer.name, f"{owner}.{parameter}", head, owner


def named_by(adaptable: Sequence[TargetInfo], targets: Sequence[str]) -> frozenset[str]:
    """What is adapted with `targets`: layers by path, by the end of a path, or all linear ones.

    Layers that the checkpoint does not have are among them, whatever is targeted.
    """
    meant = meant_by(adaptable, targets or (ALL_LINEAR,)).values()
    always = (layer.name for layer in adaptable if layer.always)
    return frozenset(always).union(*({layer.name for layer in layers} for layers in meant))


def data_report(record: DataRecord) -> tuple[str, ...]:
    """What is trained, and every part of the data that is not, a line each with its count."""
    columns = ", ".join(f"{role} from {column}" for role, column in record.roles)
    lines = [
        f"data: {record.train_rows:,} training and {record.validation_rows:,} validation rows, "
        f"read as {record.form}{f' ({columns})' if columns else ''}"
    ]
    if record.supervised_tokens:
        lines.append(
            f"{record.tokens:,} tokens, of which {record.supervised_tokens:,} are label tokens"
        )
    if record.cut_rows:
        lines.append(
            f"{record.cut_rows:,} of {record.train_rows:,} rows are cut at {record.max_length:,} "
            "tokens, so what follows, their end included, is not learned"
        )
    return (*lines, *record.notes)


def schedule_factor(config: RunConfig, step: int, length: int) -> float:
    """What multiplies the learning rate at `step` (0-based) of a stage of `length` steps."""
    warmup = config.warmup(length)
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup) / max(1, length - warmup)
    if config.schedule == "linear":
        return 1 - done
    if config.schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * done))
    return 1.0


def steps_per_epoch(rows: int, batch_size: int) -> int:
    """Steps in which every training row comes once; the last batch of an epoch may be smaller."""
    return max(1, math.ceil(rows / batch_size))


def with_steps(config: RunConfig, rows: int, epoch_steps: int = 0) -> RunConfig:
    """`config` with the number of steps that its epochs make; the same `hyper` object.

    `epoch_steps` are those of one epoch where tokens bound the batches, and 0 elsewhere.
    """
    if config.epochs is None or not rows:
        return config
    epoch = epoch_steps or steps_per_epoch(rows, config.batch_size)
    steps = max(1, math.ceil(config.epochs * epoch))
    return config.model_copy(update={"max_steps": steps})


@dataclass(frozen=True)
class StageAhead:
    """The steps that training on would make, and the learning rate that they would have."""

    begin: int  # the step after which they begin
    end: int
    schedule: str
    warmup: int  # steps of it
    first: float  # rate of its first step
    peak: float
    last: float  # rate of its last step


def stage_ahead(config: RunConfig, rate: float, step: int, steps: int) -> StageAhead:
    """`steps` more after `step`: a stage whose schedule begins anew, with `rate` as its peak."""
    factors = (schedule_factor(config, at, steps) for at in (0, steps - 1))
    first, last = (rate * factor for factor in factors)
    warmup = config.warmup(steps)
    return StageAhead(step, step + steps, config.schedule, warmup, first, rate, last)
