"""A grid over settings: every combination of a few values, laid over the settings of one run.

What cannot be is left out and named with the reason, as far as that is known without the model.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lora_lab import inits
from lora_lab.config import RunConfig, changed, plain_number
from lora_lab.errors import ConfigError
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.inits import INITS
from lora_lab.number_text import parts, read_number, read_whole
from lora_lab.opening_records import TargetInfo
from lora_lab.rules import ALL_LINEAR, is_all_linear, meant_by
from lora_lab.setting import setting_of
from lora_lab.variants import PLAIN, VARIANTS

LIVE = ("rank", "alpha", "learning_rate")
AXES = (*LIVE, "variant", "init", "targets", "seed")  # in the order in which they vary, last first
MOST = 1000  # runs of one grid
REMEMBERED = 1_000_000  # names of layers that are held for one grid
VALIDATIONS = 50  # of each run, where the base does not say when
WHOLE, NUMBERS = ("rank", "seed"), ("alpha", "learning_rate")
TIMES_RANK = re.compile(r"(\d*\.?\d*)\s*[*·×]?\s*r", re.IGNORECASE)


@dataclass(frozen=True)
class TimesRank:
    """An α that goes with the rank: `factor` · r."""

    factor: float


@dataclass(frozen=True)
class SkippedCombination:
    """A combination that is no run: which, and why."""

    words: str
    reason: str


@dataclass(frozen=True)
class Expansion:
    """The runs of a grid in order, and what was left out of it."""

    runs: tuple[RunConfig, ...]
    left_out: tuple[SkippedCombination, ...]

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why something was left out, a line per reason: "rank 64 and 3 more: rank 64 is …"."""
        by_reason: dict[str, list[str]] = {}
        for one in self.left_out:
            by_reason.setdefault(one.reason, []).append(one.words)
        return tuple(
            f"{words[0]}{f' and {len(words) - 1} more' if len(words) > 1 else ''}: {reason}"
            for reason, words in by_reason.items()
        )


def parse_axis(field: str, text: str) -> tuple[Any, ...]:
    """The values of one axis as a person writes them; () for nothing but blanks.

    Values stand apart by commas or blanks: "1, 2, 4"; 1,000 is one of them. An α may go with the
    rank: "16, r, 2r".
    Targets stand apart by semicolons, since each value is a list of layers: "all-linear; fc1, fc2".
    Raises ConfigError for what is no value of that field.
    """
    if field == "targets":
        sets = [part for part in text.split(";") if part.strip()]
        return _distinct(tuple(re.split(r"[,\s]+", part.strip())) for part in sets)
    whole = field in WHOLE
    return _distinct(_value(field, part) for part in parts(text, whole or field not in NUMBERS))


def _value(field: str, text: str) -> Any:
    try:
        if field in WHOLE:
            return read_whole(text)
        if field == "alpha" and (times := TIMES_RANK.fullmatch(text)):
            return TimesRank(float(times[1] or 1))
        if field in NUMBERS:
            return read_number(text)
    except ConfigError:
        kinds = {"rank": "a whole number", "seed": "a whole number"}
        wanted = kinds.get(field, "a number, or a multiple of the rank such as 2r"
                           if field == "alpha" else "a number")  # fmt: skip
        raise ConfigError(f"{field} {text!r} is not {wanted}.") from None
    known = {"variant": tuple(VARIANTS), "init": tuple(INITS)}[field]
    if text not in known:
        raise ConfigError(f"There is no {field} {text!r}. There are: {', '.join(known)}.")
    return text


def expand(
    base: RunConfig,
    axes: Mapping[str, Sequence[Any]],
    adaptable: Sequence[TargetInfo] = (),
) -> Expansion:
    """Every combination of the values in `axes` over `base`; an axis without values stays as it is.

    `adaptable` are the layers of the model, where it is known: then ranks that no layer can use
    and layers that are not there are left out as well. Full fine-tuning has neither rank, α nor
    init, so that of several combinations that differ in these one is kept. Where the base validates
    as often as time allows, the runs do so at the same steps: else a faster one had more chances of
    a low loss. Raises ConfigError for an unknown axis, and for more than a thousand runs.
    """
    if unknown := set(axes) - set(AXES):
        raise ConfigError(f"{sorted(unknown)[0]} cannot vary in a grid. These can: {_listed()}.")
    values = [tuple(axes.get(name) or (None,)) for name in AXES]
    count = 1
    for several in values:
        count *= len(several)
    if count > MOST:
        raise ConfigError(f"That would be {count:,} runs. A grid has {MOST:,} at most.")
    if not base.eval_steps and base.epochs is None:
        base = changed(base, eval_steps=max(1, base.max_steps // VALIDATIONS))
    varied = [name for name, several in zip(AXES, values, strict=True) if len(several) > 1]
    runs, left_out, seen = [], [], set()
    layers = Layers(adaptable, targets_of(base, axes))
    for combination in itertools.product(*values):
        chosen = {name: v for name, v in zip(AXES, combination, strict=True) if v is not None}
        try:
            config = laid_over(base, chosen)
            reason = hindrance(config, layers)
        except ConfigError as error:
            left_out.append(SkippedCombination(_words(chosen, varied), str(error)))
            continue
        kind = kind_of(config)
        if not reason and kind in seen:
            reason = "the same run as another"
            if not VARIANTS[config.variant].factored:
                name = str(VARIANTS[config.variant])
                reason = f"{name} has no rank, α or init: one run stands for all"
        if reason:
            left_out.append(SkippedCombination(_words(chosen, varied), reason))
            continue
        seen.add(kind)
        runs.append(config)
    return Expansion(tuple(runs), tuple(left_out))


def targets_of(base: RunConfig, axes: Mapping[str, Any]) -> set[str]:
    """All targets that runs of a grid may name."""
    return {target for targets in (base.targets, *axes.get("targets", ())) for target in targets}


@dataclass(frozen=True)
class Chosen:
    """What targets mean among the layers of a model; whole layers aside."""

    names: frozenset[str]
    most: int | None  # the highest rank that one of them can use
    embedding: str  # the first that is one, or ""
    unknown: str | None  # the first target that means no layer


class Layers:
    """The layers of a model, where they are known, about which all runs of a grid are asked."""

    def __init__(self, adaptable: Sequence[TargetInfo], targets: Iterable[str] = ()) -> None:
        """`targets` that will be asked about are found together, in one walk."""
        self._adaptable = adaptable
        self._meant = meant_by(adaptable, targets)
        self._chosen: dict[tuple[str, ...], Chosen] = {}
        self.whole = frozenset(layer.name for layer in adaptable if layer.always)

    def __bool__(self) -> bool:
        return bool(self._adaptable)

    def chosen(self, targets: tuple[str, ...]) -> Chosen:
        """What these targets mean; remembered, as far as there is room."""
        if targets not in self._chosen:
            if (len(self._chosen) + 1) * len(self._adaptable) > REMEMBERED:
                self._chosen.clear()
            self._chosen[targets] = self._found(targets or (ALL_LINEAR,))
        return self._chosen[targets]

    def _found(self, targets: tuple[str, ...]) -> Chosen:
        if new := [target for target in targets if target not in self._meant]:
            self._meant |= meant_by(self._adaptable, new)
        unknown = next((target for target in targets if not self._meant[target]), None)
        every = {layer.name: layer for target in targets for layer in self._meant[target]}
        layers = [layer for name, layer in every.items() if name not in self.whole]
        return Chosen(
            frozenset(layer.name for layer in layers),
            max((min(layer.shape) for layer in layers), default=None),
            next((layer.name for layer in layers if layer.kind == "embedding"), ""),
            unknown,
        )


def hindrance(config: RunConfig, layers: Layers) -> str:
    """Why `config` could not be opened on a model with these layers; "" where nothing is known."""
    hyper, init, variant = config.hyper, INITS[config.init], VARIANTS[config.variant]
    if hyper.layer_ranks and init.one_rank and variant.trains_factors:
        return f"{config.init} starts from a part of W that belongs to one rank for all layers"
    if not layers:
        return ""
    chosen = layers.chosen(config.targets)
    if chosen.unknown is not None:
        return f"no layer is called {chosen.unknown!r}"
    names, frozen = chosen.names, set(hyper.frozen_layers)
    lost = [n for n, _ in hyper.layer_ranks if n not in names]
    lost += [n for n in hyper.frozen_layers if n not in names and n not in layers.whole]
    if lost:
        return f"{lost[0]} has a per-layer setting and is not among the targets"
    if names <= frozen and layers.whole <= frozen:
        return "every layer would be frozen, and nothing would train"
    most = hyper.rank if chosen.most is None else chosen.most
    if variant.factored and variant.capped and hyper.rank > most:
        return f"rank {hyper.rank} is above what any of the layers can use, {most}"
    if init.needs_data and variant.trains_factors and chosen.embedding:
        return f"{config.init} needs continuous inputs, and {chosen.embedding} is an embedding"
    return ""


def describe(config: RunConfig) -> str:
    """What a run is among others of its kind, in a few words: r 4 · α 8 · lr 0.001 · DoRA."""
    hyper = config.hyper
    factored = VARIANTS[config.variant].factored
    parts = [f"r {hyper.rank}", f"α {hyper.alpha:g}"] if factored else []
    parts.append(f"lr {plain_number(hyper.learning_rate)}")
    return " · ".join([*parts, *kind_words(config)])


def kind_words(config: RunConfig) -> list[str]:
    """Variant, init, targets and seed, as far as they are not as with most."""
    words = [VARIANTS[config.variant].title] if config.variant != PLAIN else []
    if config.init != inits.PLAIN and VARIANTS[config.variant].trains_factors:
        words.append(config.init)
    if not is_all_linear(config.targets):
        words.append(", ".join(config.targets))
    if config.seed:
        words.append(f"seed {config.seed}")
    return words


def laid_over(base: RunConfig, chosen: Mapping[str, Any]) -> RunConfig:
    """`base` with these values of axes; runs of other seeds are measured on the same rows.

    Raises ConfigError for values that cannot be.
    """
    live = {name: chosen[name] for name in LIVE if name in chosen}
    if isinstance(alpha := live.get("alpha"), TimesRank):
        live["alpha"] = alpha.factor * live.get("rank", base.hyper.rank)
    fixed = {name: value for name, value in chosen.items() if name not in LIVE}
    if fixed.get("seed", base.seed) != base.seed:
        fixed["data_seed"] = base.split_seed
    return changed(base, **fixed, hyper=changed(base.hyper, **live).model_dump())


def kind_of(config: RunConfig) -> str:
    """Equal for two configs that would make the very same run."""
    if not VARIANTS[config.variant].factored:
        hyper = changed(config.hyper, rank=1, alpha=1.0)
        config = changed(config, hyper=hyper.model_dump())
    if not VARIANTS[config.variant].trains_factors:
        config = changed(config, init=inits.PLAIN)
    return config.model_dump_json()


def _words(chosen: Mapping[str, Any], varied: Sequence[str]) -> str:
    """A combination by what sets it apart from the others; all of it where it is the only one."""
    words = []
    for name in varied or chosen:
        value = chosen[name]
        shown = f"{value.factor:g}r" if isinstance(value, TimesRank) else value
        shown = plain_number(shown) if isinstance(shown, float) else shown
        shown = ", ".join(shown) if isinstance(shown, tuple) else str(shown)
        words.append(f"{_short(name)} {shown}".strip())
    return " · ".join(words)


def axis_title(axis: str) -> str:
    """The name of an axis, for people."""
    return setting_of(Hyperparameters if axis in LIVE else RunConfig, axis).name


def _short(axis: str) -> str:
    """What stands before the value of an axis; nothing where the value says what it is."""
    if axis in ("variant", "init", "targets"):
        return ""
    return setting_of(Hyperparameters if axis in LIVE else RunConfig, axis).short


def _distinct(values: Any) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(values))


def _listed() -> str:
    return ", ".join(AXES)
