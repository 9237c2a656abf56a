"""A run that continues from an adapter file: what the file settles, and its numbers in the model.

Factors, ranks, α of each layer, targets, variant and layers that are fully trained are taken as
they are in the file. What is requested otherwise (rank, α, rank of a layer) is applied before the
first step like any edit; another variant, or other targets, are refused.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lora_lab import inits
from lora_lab.adapters import AdapterLayer, FullLayer, LoRALayer
from lora_lab.adapters.kinds import kind_or_none
from lora_lab.adapters.row_major import row_major
from lora_lab.adapters.targets import (
    ALL_LINEAR_EXPERTS,
    find_targets,
    layers_by_name,
    left_out,
    meant_then,
)
from lora_lab.adapters.weights import AdapterWeights, LayerWeights, WholeLayer
from lora_lab.config import RunConfig, changed
from lora_lab.errors import AdapterError, ConfigError
from lora_lab.formats.elsewhere import elsewhere
from lora_lab.formats.peft_beside import without_copies
from lora_lab.formats.recognise import RUN_ADAPTER, open_adapter
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.inits import INITS
from lora_lab.names import shown
from lora_lab.runs.folder import BEST
from lora_lab.runs.inputs import recorded_classes
from lora_lab.runs.listing import METRICS
from lora_lab.training import theta_file
from lora_lab.training.per_layer import listed
from lora_lab.training.theta_file import FromTheta, read, theta_of
from lora_lab.variants import VARIANTS, of_flags


@dataclass(frozen=True)
class Continued:
    """An adapter that fits a model: by that model's names, with what it settles of a run."""

    weights: AdapterWeights
    hyper: Hyperparameters  # the run's, with the ranks and the α of the file
    ratios: Mapping[str, float]  # layer → its s over the common one
    notes: tuple[str, ...]

    @torch.no_grad()
    def fill(self, layers: Mapping[str, AdapterLayer]) -> None:
        """Put the numbers of the file into adapters that were just made by its settings."""
        for row in self.weights.layers:
            layer = layers[row.name]
            assert isinstance(layer, LoRALayer)
            place = {"device": layer.device, "dtype": layer.factor_dtype}
            B = row.lora_B
            if row.groups > 1:  # block-diagonal (out, r) → (out, r/groups)
                columns = row.rank // row.groups
                stripes = enumerate(B.chunk(row.groups))
                B = torch.cat([s[:, i * columns : (i + 1) * columns] for i, s in stripes])
            A, B = (row_major(p.to(**place, copy=True)) for p in (row.lora_A, B))
            layer.hold(A, B)
            layer.ratio = self.ratios[row.name]
            layer.scaling = layer.ratio * layer.scaling_for(self.hyper.alpha, self.hyper.rank)
            if row.magnitude is not None:
                layer.magnitude = nn.Parameter(row.magnitude.to(**place, copy=True))
        for row in self.weights.whole:
            layer = layers[row.name]
            assert isinstance(layer, FullLayer)
            layer.tuned_weight.copy_(row.weight)
            if layer.tuned_bias is not None:
                layer.tuned_bias.copy_(row.bias)


def with_adapter(
    path: str, fixed: Mapping[str, Any], hyper: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings as they were given, `fixed` and live ones, over those of the adapter at `path`.

    Raises ConfigError for a variant that is not the file's, AdapterError for a file that cannot be
    read or continued.
    """
    if (theta := theta_of(path)) is not None:
        base, live = read(theta).settings()
        return {**base, **fixed, "adapter": str(theta)}, {**live, **hyper}
    weights = _read(path, hyper.get("alpha"))
    weights = _as_variant(path, weights, fixed.get("variant") or _trainable(weights.variant))
    rank, alpha, _ = _common(path, weights)
    base = {"variant": weights.variant, "init": inits.PLAIN, "targets": ()}
    live = {"rank": rank, "alpha": alpha, "dropout": weights.dropout, "layer_ranks": ()}
    live |= {"frozen_layers": ()}
    return {**base, **fixed, "adapter": path}, {**live, **hyper}


def with_its_classes(config: RunConfig) -> RunConfig:
    """`config` with the classes in the order of the head that the adapter brings, where known."""
    path = Path(str(config.adapter))
    run = path if (path / RUN_ADAPTER).is_dir() else path.parent
    if run != path and path.name not in (RUN_ADAPTER, BEST, theta_file.NAME):
        return config
    return config.model_copy(update={"classes": recorded_classes(run / METRICS)})


def fitted(config: RunConfig, model: nn.Module, new_layers: Iterable[str]) -> Continued | FromTheta:
    """The adapter of `config`, as it goes into `model`, whose head may have `new_layers`.

    Raises AdapterError, with the reason, for a file that is for another model or that cannot be
    trained, and ConfigError where a setting contradicts it.
    """
    path = str(config.adapter)
    if (theta := theta_of(path)) is not None:
        return theta_file.fitted(theta, config, model, new_layers)
    live = {n: m for n, m in layers_by_name(model).items() if kind_or_none(m) is not None}
    folder = str(config.model) if Path(path).suffix == ".gguf" and config.model else ""
    base = folder if Path(folder, "config.json").is_file() else ""
    told = {"names": {n: kind_or_none(m).weight_shape(m) for n, m in live.items()}, "base": base}
    weights = _read(path, config.hyper.alpha, **told)
    weights = _as_variant(path, weights, config.variant)
    row = INITS[config.init]
    if row.principal or row.of_rounding or row.needs_data:
        raise ConfigError(
            f"Init {config.init} makes factors of its own, and here they come from {path}. Choose "
            f"{inits.PLAIN}."
        )
    weights, copies = without_copies(weights, lambda name: _weight(live, name))
    weights, notes = by_names_of(path, weights, model, live)
    notes += copies
    for layer in weights.layers:
        _check_layer(path, layer, live[layer.name])
    for whole in weights.whole:
        _check_whole(path, whole, dict(model.named_modules())[whole.name])
    rank, alpha, ratios = _common(path, weights)
    own = {x.name: x.rank for x in weights.layers if x.rank != min(rank, _useful(x))}
    names = {layer.name for layer in weights.layers}
    if config.targets and (asked := set(find_targets(model, config.targets))) != names:
        other = min(asked ^ names)
        has = "lacks" if other in asked else "has"
        raise ConfigError(
            f"The targets are not those of {path}, which {has} {other}. Leave them out: those of "
            "the file are taken."
        )
    missing = sorted(set(new_layers) - {whole.name for whole in weights.whole})
    if missing:
        notes += (f"{', '.join(missing)}: not in {Path(path).name} either, so it starts untrained",)
    hyper = changed(config.hyper, rank=rank, alpha=alpha, layer_ranks=tuple(own.items()))
    return Continued(weights, hyper, ratios, (*_said(path, weights, rank, alpha), *notes))


def _weight(live: Mapping[str, nn.Module], name: str) -> torch.Tensor | None:
    """The weight of the model's layer `name`, which may lack the first word of the file's."""
    found = live.get(name) or live.get(name.partition(".")[2])
    return None if found is None else found.weight


def settled(config: RunConfig, adapter: Continued | FromTheta, model: nn.Module) -> RunConfig:
    """`config` with what the file settles of it, so that the run can be opened without the file."""
    weights = adapter.weights
    if isinstance(adapter, FromTheta):
        then = [name for name in adapter.names if name in left_out(model)]
        return config.model_copy(update={"targets": meant_then(config.targets, then)})
    return config.model_copy(
        update={
            "targets": _targets(model, [layer.name for layer in weights.layers]),
            "whole": tuple(layer.name for layer in weights.whole),
        }
    )


def requested(asked: Hyperparameters, file: Hyperparameters) -> Hyperparameters:
    """What is to be trained with: `asked`, and ranks of single layers as the `file` has them.

    The very object `file` where nothing else is asked for.
    """
    own = {**dict(file.layer_ranks), **dict(asked.layer_ranks)}
    wanted = asked.model_copy(update={"layer_ranks": tuple(sorted(own.items()))})
    return file if wanted == file else wanted


def origin_notes(
    adapter: Continued | FromTheta, model: str | None, fingerprint: str
) -> tuple[str, ...]:
    """That the adapter was trained on other weights than these, as far as its file says so."""
    weights = adapter.weights
    if isinstance(adapter, FromTheta):
        adapter.check_base(fingerprint)
    if weights.base_fingerprint:
        if weights.base_fingerprint == fingerprint:
            return ()
        of = f" ({weights.base})" if weights.base else ""
        return (f"the adapter was trained on other weights of its base{of} than these",)
    if not weights.base or Path(weights.base).name == Path(model or "").name:
        return ()
    return (f"by its file the adapter was trained on {weights.base}",)


def _read(path: str, alpha: float | None, **told: Any) -> AdapterWeights:
    """The adapter; `alpha` is that of a file which keeps none."""
    try:
        weights = open_adapter(path, **told)
    except AdapterError:
        if alpha is None:
            raise
        weights = open_adapter(path, alpha=alpha, **told)
    if product := weights.extra.get("product"):
        raise AdapterError(
            f"{path} is {product}, which is trained by other numbers than the A and B of its ΔW. "
            "Make a LoRA of it first: lora-lab resize."
        )
    return weights


def _trainable(variant: str) -> str:
    """What the factors that `variant` has made are continued as: itself, where it trains them."""
    row = VARIANTS[variant]
    return variant if row.trains_factors or row.peft is None else of_flags(set(row.peft))


def _as_variant(path: str, weights: AdapterWeights, wanted: str) -> AdapterWeights:
    """The factors as those of `wanted`, which may be another that makes the same of them."""
    of, to = VARIANTS[weights.variant], VARIANTS[wanted]
    if wanted == weights.variant and to.own_start:
        raise ConfigError(
            f"{path} has the factors that {to} has made, and not the numbers that it trains. Leave "
            f"the variant out, or choose {_trainable(wanted)}, to train the factors on."
        )
    if wanted != weights.variant and (to.peft is None or to.peft != of.peft or to.own_start):
        raise ConfigError(
            f"{path} is {VARIANTS[weights.variant]} and cannot be continued as "
            f"{VARIANTS[wanted]}. Leave the variant out, or choose {weights.variant}."
        )
    if len({layer.magnitude is None for layer in weights.layers}) > 1:
        raise AdapterError(
            f"{path}: only some layers have DoRA's magnitudes, and a run has one variant for all."
        )
    return replace(weights, variant=wanted)


def _common(path: str, weights: AdapterWeights) -> tuple[int, float, dict[str, float]]:
    """The rank and α that most layers have, and what each one's s is of the s that these make."""
    row = VARIANTS[weights.variant]
    for layer in weights.layers:
        if not layer.scaling or not math.isfinite(layer.scaling):
            raise AdapterError(
                f"{path}: {layer.name} is scaled by {layer.scaling:g}, so it would neither act nor "
                "learn."
            )
    pairs = Counter((x.rank, row.alpha(abs(x.scaling), x.rank)) for x in weights.layers)
    (rank, alpha), _ = pairs.most_common(1)[0]
    alpha = float(f"{alpha:.12g}")  # 16, where s was rounded
    scaling = row.scaling(alpha, rank)
    ratios = {x.name: x.scaling / scaling for x in weights.layers}
    near = {name: 1.0 if math.isclose(r, 1, rel_tol=1e-9) else r for name, r in ratios.items()}
    return rank, alpha, near


def by_names_of(
    path: str, weights: AdapterWeights, model: nn.Module, live: Mapping[str, nn.Module]
) -> tuple[AdapterWeights, tuple[str, ...]]:
    """`weights` by the model's own names, and a note where those of the file are others.

    A model that was adapted without its head, or with one more around it, differs in the first
    words of all names alike.
    """
    names = [x.name for x in (*weights.layers, *weights.whole)]
    known = {*live, *(x for x, _ in model.named_modules())}
    if all(name in known for name in names):
        return weights, ()
    first = weights.layers[0].name
    steps = first.split(".")
    heads = set()
    for cut in range(len(steps)):
        end = ".".join(steps[cut:])
        given = first.removesuffix(end)
        heads |= {(given, x.removesuffix(end)) for x in live if x == end or x.endswith("." + end)}
        if heads:
            break
    fitting = [
        (old, new)
        for old, new in sorted(heads)
        if all(n.startswith(old) and new + n.removeprefix(old) in known for n in names)
    ]
    if len(fitting) != 1:
        unknown = [name for name in names if name not in known]
        why = "may be one of several" if fitting else "is not there"
        raise AdapterError(
            f"{path} is for another model: {shown(unknown[0])} {why} in this one, which has "
            f"{listed(live)}. Open the base that it was trained on."
        )
    ((old, new),) = fitting

    def renamed(row: Any) -> Any:
        return replace(row, name=new + row.name.removeprefix(old))

    note = f"names {old or ''}… of the file are {new or ''}… in this model"
    layers = tuple(map(renamed, weights.layers))
    whole = tuple(map(renamed, weights.whole))
    return replace(weights, layers=layers, whole=whole), (note,)


def _check_layer(path: str, layer: LayerWeights, module: nn.Module) -> None:
    """Raise AdapterError where a layer of the file does not fit that of the model."""
    kind = kind_or_none(module)
    here, there = (kind.shape(module), kind.groups(module)), (layer.shape, layer.groups)
    if here != there:
        (shape, groups), (own, parts) = here, there
        raise AdapterError(
            f"{path} is for another base: {layer.name} is {_by(own)}{_in(parts)} there, and "
            f"{_by(shape)}{_in(groups)} in this model."
        )
    if layer.rank > (most := _useful(layer)):
        raise AdapterError(
            f"{path}: {layer.name} has rank {layer.rank}, and {most} is all that its "
            f"{_by(layer.shape)} can use. Reduce it first, without loss: lora-lab resize."
        )


def _check_whole(path: str, whole: WholeLayer, module: nn.Module) -> None:
    """Raise AdapterError where a layer that is fully trained does not fit that of the model."""
    if kind_or_none(module) is None:
        raise AdapterError(
            f"{path} has {whole.name} fully trained, a {type(module).__name__}; only linear, "
            "convolution and embedding layers can be trained so here. Merge it in PEFT and use "
            "the merged model as the base."
        )
    bias = getattr(module, "bias", None)
    there = [whole.weight.shape, None if whole.bias is None else whole.bias.shape]
    here = [kind_or_none(module).weight_shape(module), None if bias is None else bias.shape]
    if there != here:
        raise AdapterError(
            f"{path}: the fully trained {whole.name} is {_by(there[0])}"
            f"{'' if whole.bias is None else ' with a bias'}, and {_by(here[0])}"
            f"{'' if bias is None else ' with a bias'} in this model. A head has a row for each "
            "class: it needs data of as many classes, or another base."
        )


def _useful(layer: LayerWeights) -> int:
    out_features, in_features = layer.shape
    return layer.groups * min(out_features // layer.groups, in_features)


def _targets(model: nn.Module, names: list[str]) -> tuple[str, ...]:
    wanted = set(names)
    ends = {name: name.rpartition(".")[2] for name in names}
    paths = [n for n, m in layers_by_name(model).items() if kind_or_none(m) is not None]
    there = Counter(path.rpartition(".")[2] for path in paths)
    own = Counter(ends.values())
    words = {end if own[end] == there[end] else name for name, end in ends.items()}
    for targets in ((), (ALL_LINEAR_EXPERTS,), tuple(sorted(words)), tuple(sorted(wanted))):
        try:
            if set(find_targets(model, targets)) == wanted:
                return targets
        except AdapterError:
            continue
    raise AdapterError(
        f"{min(wanted)} is the end of another layer's name as well, which the file leaves alone; "
        "a run cannot name the one without the other."
    )


def _said(path: str, weights: AdapterWeights, rank: int, alpha: float) -> tuple[str, ...]:
    layers = len(weights.layers)
    words = f"continues {Path(path).name}: {layers} layer{'s' * (layers != 1)}, rank {rank}, α "
    words += f"{alpha:g}; the optimizer starts afresh"
    if weights.whole:
        names = listed([layer.name for layer in weights.whole])
        words += f". {names} {'is' if len(weights.whole) == 1 else 'are'} fully trained, as there"
    others = elsewhere(weights)  # which does not concern a run
    return (words, *(note for note in weights.extra["notes"] if note not in others))


def _in(groups: int) -> str:
    return f" in {groups} groups" if groups > 1 else ""


def _by(shape: Iterable[int]) -> str:
    return " × ".join(map(str, shape))
