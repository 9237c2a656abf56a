"""The runs that the tables and figures of LoRA §7 need, from the settings at hand, with a price."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from lora_lab.config import RunConfig, changed
from lora_lab.errors import ConfigError
from lora_lab.opening_records import TargetInfo
from lora_lab.studies.base import StudyBase
from lora_lab.variants import FULL, VARIANTS

RANKS, SEEDS = (1, 2, 4, 8, 16, 32), 4  # of a net of the lab's own
RANKS_OF_OWN, SEEDS_OF_OWN = (2, 8, 32), 2  # of a model that a person has opened
RATES = (3e-3, 1e-2, 3e-2)  # Adam's for the adapters of small nets
AROUND = (1 / 3, 1.0, 3.0)  # times the rate at hand, elsewhere
FULL_SHARE = 0.1  # of an adapter's rate, for full training
PAIRED = 4  # kinds of layers up to which each two of them are a set
LEAST_OF_ALL = 2  # rank of the set of all kinds in Table 5


@dataclass(frozen=True)
class Settings:
    """What a study is asked for; 0 and () leave it to the task."""

    ranks: tuple[int, ...] = ()
    seeds: int = 0
    rates: tuple[float, ...] = ()
    steps: int = 0
    count: int = 0  # numbers that each set of Table 5 may train

    def __post_init__(self) -> None:
        if any(rank < 1 for rank in self.ranks):
            raise ConfigError("A rank is 1 at least.")
        if any(not 0 < rate <= 10 for rate in self.rates):
            raise ConfigError("A learning rate is above 0 and 10 at most.")


@dataclass(frozen=True)
class TargetSet:
    """One row of Table 5: some kinds of layers at the rank that the count leaves them."""

    name: str
    targets: tuple[str, ...]
    rank: int
    numbers: int  # that it trains
    note: str = ""


@dataclass(frozen=True)
class Plan:
    """The runs of a study: each rank, and each set of layers, at every rate and seed."""

    ranks: tuple[int, ...]
    seeds: tuple[int, ...]
    rates: tuple[float, ...]
    steps: int
    by_rank: dict[tuple[int, float, int], RunConfig]  # (rank, rate, seed)
    sets: tuple[TargetSet, ...]
    by_set: dict[tuple[str, float, int], RunConfig]  # (name of the set, rate, seed)
    count: int  # of Table 5
    numbers: dict[int, int]  # that each rank trains
    notes: tuple[str, ...] = ()


FULL_SET, ALL_SET = "full training", "all layers"


def plan(base: StudyBase, settings: Settings) -> Plan:
    """Raises ConfigError for ranks that no layer has, and where there is nothing to adapt."""
    most = base.max_rank
    asked = settings.ranks or (RANKS_OF_OWN if base.own else RANKS)
    if settings.ranks and max(asked) > most:
        raise ConfigError(f"Rank {max(asked)} is above what any of the layers can use, {most}.")
    ranks = tuple(sorted({rank for rank in asked if rank <= most})) or (1,)
    count = settings.seeds or (SEEDS_OF_OWN if base.own else SEEDS)
    seeds = tuple(range(base.config.seed, base.config.seed + count))
    own = tuple(base.config.hyper.learning_rate * factor for factor in AROUND)
    rates = tuple(sorted(settings.rates or (own if base.own else RATES)))
    scaling = _scaling(base.config)

    def run(rank: int, rate: float, seed: int, **values: object) -> RunConfig:
        row = VARIANTS[base.config.variant]
        alpha = row.alpha(scaling, rank)
        hyper = changed(base.config.hyper, rank=rank, alpha=alpha, learning_rate=rate)
        return changed(base.config, seed=seed, **values, hyper=hyper.model_dump())

    by_rank = {(r, lr, s): run(r, lr, s) for r in ranks for lr in rates for s in seeds}
    sets, numbers = target_sets(base, settings.count)
    by_set = {
        (one.name, lr, s): run(one.rank, lr, s, targets=one.targets, snapshots=0)
        for one in sets for lr in rates for s in seeds
    }  # fmt: skip
    notes = list(base.notes)
    if sets:
        by_set |= {
            (FULL_SET, lr * FULL_SHARE, s): run(1, lr * FULL_SHARE, s, variant=FULL, snapshots=0)
            for lr in rates for s in seeds
        }  # fmt: skip
    else:
        notes.append("Table 5 needs two kinds of layers at least, and here is one")
    if len(seeds) < 2:
        notes.append("figures 3 and 4, and every ±, need two seeds at least")
    if len(rates) == 1:
        notes.append(
            "one learning rate for all ranks: then Table 6 is a curve of the rate, since the best "
            "one may differ from rank to rank"
        )
    by_layers = {rank: numbers_of(base, rank) for rank in ranks}
    return Plan(ranks, seeds, rates, base.config.max_steps, by_rank, sets, by_set, numbers,
                by_layers, tuple(notes))  # fmt: skip


def _scaling(config: RunConfig) -> float:
    """s of the settings at hand: it is the same for all ranks, and α follows."""
    return VARIANTS[config.variant].scaling(config.hyper.alpha, config.hyper.rank)


def target_sets(base: StudyBase, asked: int) -> tuple[tuple[TargetSet, ...], int]:
    """Kinds of layers by their last name: each alone, those of one parent, two by two, and all.

    r_T = ⌊N/Σ_T(in + out)⌋: a set for which that is 0 is no row.
    """
    layers = [layer for layer in _adapted(base) if not layer.always]
    kinds: dict[str, list[TargetInfo]] = {}
    parents: dict[str, set[str]] = {}
    for layer in layers:
        *path, kind = layer.name.split(".")
        kinds.setdefault(kind, []).append(layer)
        parents.setdefault(path[-1] if path else "", set()).add(kind)
    if len(kinds) < 2:
        return (), 0
    wanted = [(kind,) for kind in kinds]
    if len(kinds) <= PAIRED:
        wanted += list(combinations(kinds, 2))
    wanted += [tuple(k for k in kinds if k in own) for own in parents.values() if len(own) > 1]
    wanted.append(tuple(kinds))
    numbers = asked or LEAST_OF_ALL * sum(_each(layer) for layer in layers)
    sets = []
    for names in dict.fromkeys(wanted):
        chosen = [layer for name in names for layer in kinds[name]]
        rank = numbers // sum(_each(layer) for layer in chosen)
        if rank < 1:
            continue
        caps = [min(rank, *layer.shape) for layer in chosen]
        trained = sum(r * _each(layer) for r, layer in zip(caps, chosen, strict=True))
        note = "capped by the shape of a layer" if min(caps) < rank else ""
        rank = min(rank, max(min(layer.shape) for layer in chosen))
        whole = len(names) == len(kinds)  # not by its title: a layer may be called so
        title = ALL_SET if whole else " + ".join(names)
        targets = base.targets if whole else tuple(layer.name for layer in chosen)
        sets.append(TargetSet(title, targets, rank, trained, note))
    return tuple(sets), numbers


def numbers_of(base: StudyBase, rank: int) -> int:
    """Numbers that adapters of that rank train, each capped by the shape of its layer."""
    return sum(min(rank, *layer.shape) * _each(layer) for layer in _adapted(base))


def _adapted(base: StudyBase) -> list[TargetInfo]:
    held = {layer.name for layer in base.experiment.lora_layers}
    return [layer for layer in base.adaptable if layer.name in held]


def _each(layer: TargetInfo) -> int:
    """Numbers of rank 1."""
    return sum(layer.shape)


def distinct(configs: Sequence[RunConfig]) -> tuple[RunConfig, ...]:
    """Each run once: two tables may need the same one."""
    found: list[RunConfig] = []
    for config in configs:
        if config not in found:
            found.append(config)
    return tuple(found)
