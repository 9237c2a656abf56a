"""A grid over settings: every combination of a few values, laid over the settings of one run.

What cannot be is left out and named with the reason, as far as that is known without the model.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lora_lab import inits
from lora_lab.config import RunConfig, changed, plain_number
from lora_lab.errors import ConfigError
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.inits import INITS
from lora_lab.number_text import parts, read_number, read_whole
from lora_lab.opening_records import TargetInfo
from lora_lab.rules import ALL_LINEAR, is_all_linear, is_named
from lora_lab.setting import setting_of
from lora_lab.variants import PLAIN, VARIANTS

LIVE = ("rank", "alpha", "learning_rate")
AXES = (*LIVE, "variant", "init", "targets", "seed")  # in the order in which they vary, last first
MOST = 1000  # runs of one grid
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
    for combination in itertools.product(*values):
        chosen = {name: v for name, v in zip(AXES, combination, strict=True) if v is not None}
        try:
            config = laid_over(base, chosen)
            reason = hindrance(config, adaptable)
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


def hindrance(config: RunConfig, adaptable: Sequence[TargetInfo]) -> str:
    """Why `config` could not be opened on a model with these layers; "" where nothing is known."""
    hyper, init, factored = config.hyper, INITS[config.init], VARIANTS[config.variant].factored
    if hyper.layer_ranks and init.one_rank and VARIANTS[config.variant].trains_factors:
        return f"{config.init} starts from a part of W that belongs to one rank for all layers"
    if not adaptable:
        return ""
    chosen = {}
    for target in config.targets or (ALL_LINEAR,):
        matching = {layer.name: layer for layer in adaptable if is_named(layer, target)}
        if not matching:
            return f"no layer is called {target!r}"
        chosen |= matching
    whole = {layer.name for layer in adaptable if layer.always}  # they have no rank
    chosen = {name: layer for name, layer in chosen.items() if name not in whole}
    lost = [n for n in dict(hyper.layer_ranks) if n not in chosen]
    lost += [n for n in hyper.frozen_layers if n not in chosen.keys() | whole]
    if lost:
        return f"{lost[0]} has a per-layer setting and is not among the targets"
    if chosen.keys() | whole <= set(hyper.frozen_layers):
        return "every layer would be frozen, and nothing would train"
    most = max((min(layer.shape) for layer in chosen.values()), default=hyper.rank)
    if factored and VARIANTS[config.variant].capped and hyper.rank > most:
        return f"rank {hyper.rank} is above what any of the layers can use, {most}"
    embedded = [layer.name for layer in chosen.values() if layer.kind == "embedding"]
    if init.needs_data and VARIANTS[config.variant].trains_factors and embedded:
        return f"{config.init} needs continuous inputs, and {embedded[0]} is an embedding"
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
