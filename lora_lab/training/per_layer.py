"""A rank or a freeze of one layer alone: what is possible, and what it means for each layer.

A layer with a rank of its own does not follow the default rank. Neither does a frozen one, since a
cut would take ΔW away: it has its rank until it is given one of its own or trained again. Both keep
the common scaling s, and a moved α moves them as all others.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from lora_lab.adapters import AdapterLayer, LoRALayer
from lora_lab.adapters.space import space_of
from lora_lab.errors import ConfigError
from lora_lab.hyperparameters import Hyperparameters

Layers = dict[str, AdapterLayer]
SHOWN = 3  # names that are listed before they are counted


def check(layers: Layers, hyper: Hyperparameters) -> None:
    """Raises ConfigError, before anything is changed, for what these layers cannot follow."""
    for name in (*dict(hyper.layer_ranks), *hyper.frozen_layers):
        if name not in layers:
            near = difflib.get_close_matches(name, layers, n=SHOWN, cutoff=0.4)
            there = f"Near it: {', '.join(near)}." if near else f"There are: {listed(layers)}."
            raise ConfigError(f"No adapted layer is called {name!r}. {there}")
    for name, rank in hyper.layer_ranks:
        layer = layers[name]
        if reason := dict(layer.locked).get("rank"):
            raise ConfigError(f"Layer {name} cannot have a per-layer rank: {reason}.")
        if rank > layer.max_rank:
            raise ConfigError(
                f"Layer {name} can use a rank of {layer.max_rank} at most, not {rank}."
            )
    for name in hyper.frozen_layers:
        if reason := dict(layers[name].locked).get("frozen_layers"):
            raise ConfigError(f"Layer {name} cannot be frozen: {reason}.")
    space = space_of(layers.values())
    if space is not None and hyper.dimension > space.total:
        raise ConfigError(
            f"A subspace of {hyper.dimension:,} numbers has more of them than the layers have "
            f"weights, {space.total:,}."
        )
    if layers.keys() <= set(hyper.frozen_layers):
        raise ConfigError("Every layer would be frozen and nothing would train. Leave one of them.")
    useful = [layer.max_rank for layer in layers.values() if isinstance(layer, LoRALayer)]
    if useful and hyper.rank > max(useful):
        raise ConfigError(f"Rank {hyper.rank} is more than any layer can use, {max(useful)}.")


def wanted_ranks(layers: Layers, hyper: Hyperparameters) -> dict[LoRALayer, int]:
    """The rank that each layer should have: its own, its present one, or the common one, capped.

    A layer whose rank is locked cannot follow it.
    """
    own, frozen = dict(hyper.layer_ranks), set(hyper.frozen_layers)
    wanted = {}
    for name, layer in layers.items():
        if isinstance(layer, LoRALayer):
            rank = own.get(name, layer.rank if name in frozen else hyper.rank)
            wanted[layer] = min(rank, layer.max_rank)
    return wanted


def freeze(layers: Layers, hyper: Hyperparameters) -> None:
    """Freeze the layers that `hyper` names, and train the others."""
    frozen = set(hyper.frozen_layers)
    for name, layer in layers.items():
        if layer.frozen != (name in frozen):
            layer.frozen = name in frozen


def rank_notes(layers: Layers, hyper: Hyperparameters) -> list[str]:
    """Which layers do not have the default rank, and why."""
    own = dict(hyper.layer_ranks)
    apart: dict[str, list[str]] = {}
    for name, layer in layers.items():
        if not isinstance(layer, LoRALayer) or layer.rank == hyper.rank:
            continue
        if name in own:
            why = "per-layer ranks"
        elif layer.rank == layer.max_rank < hyper.rank:
            why = "rank limited by the layer's size"
        elif locked := dict(layer.locked).get("rank"):
            why = f"rank stays, {locked}"
        else:
            why = "rank stays while frozen"
        apart.setdefault(why, []).append(f"{name} at {layer.rank}")
    return [f"{why}: {listed(names)}" for why, names in apart.items()]


def differing(old: Iterable, new: Iterable) -> tuple[str, str]:
    """What one of two settings of layers has and the other lacks, in a few words."""
    old, new = list(old), list(new)
    return _words(x for x in old if x not in new), _words(x for x in new if x not in old)


def _words(items: Iterable) -> str:
    words = [item if isinstance(item, str) else "{}={}".format(*item) for item in items]
    return f"{len(words)} layers" if len(words) > SHOWN else ", ".join(words) or "–"


def listed(names: Iterable[str]) -> str:
    """The first few names, and how many more there are."""
    names = list(names)
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
