"""Adapters of several programs under one set of names, those of the base that they are for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from lora_lab.adapters.weights import AdapterWeights
from lora_lab.errors import AdapterError
from lora_lab.models.base import Base
from lora_lab.workshop.places import Place, Placed


def settled(weights: AdapterWeights, base: Path | str | None) -> AdapterWeights:
    """The adapter with each layer as the base's module holds it, under its own names.

    Layers that the base does not have are left as they are. Raises LabError for a base that cannot
    be read, or one in which a layer has another shape.
    """
    if not base:
        return weights
    placed = Placed(weights, Base(Path(base)), strict=False)
    layers = {place.layer.name: place.layer for place in placed.places}
    return replace(weights, layers=tuple(layers.get(x.name, x) for x in weights.layers))


def aligned(
    adapters: Sequence[AdapterWeights], base: Path | str | None
) -> tuple[AdapterWeights, ...]:
    """The adapters with one name for one weight of the base: that of the first that has it.

    Raises AdapterError where one of them is not for this base, and where without a base two names
    seem to mean one layer.
    """
    if not base:
        _check_worlds(adapters)
        return tuple(adapters)
    opened = Base(Path(base))
    names: dict[object, str] = {}
    found = []
    for weights in adapters:
        placed = Placed(weights, opened)
        if placed.missing:
            raise AdapterError(f"{opened.path.name} has no weight for {placed.missing[0]}")
        layers = tuple(
            replace(place.layer, name=names.setdefault(_weight(place), place.layer.name))
            for place in placed.places
        )
        found.append(replace(weights, layers=layers))
    return tuple(found)


def _weight(place: Place) -> object:
    """What a layer changes, whatever it is called: a tensor, or its part of one."""
    if place.part is not None:
        return place.source.keys, place.parameter, place.part
    if place.source.converter is None:
        return place.source.keys
    return place.source.keys, place.parameter.rsplit(".", 2)[-2]


def _check_worlds(adapters: Sequence[AdapterWeights]) -> None:
    """Raise AdapterError where layers of two adapters differ in name alone, as far as it seems."""
    names = [{layer.name for layer in weights.layers} for weights in adapters]
    for number, ours in enumerate(names):
        for theirs in names[number + 1 :]:
            mine, other = ours - theirs, theirs - ours
            pair = _one_ends_as_other(mine, other) or _one_ends_as_other(other, mine)
            if pair is None and not ours & theirs:
                pair = _alike_from_the_first_number(mine, other)
            if pair is not None:
                raise AdapterError(
                    f"{pair[0]} and {pair[1]} seem to be one layer under two names: the adapters "
                    "were written for different programs. Name the base (--base), whose names "
                    "tell."
                )


def _one_ends_as_other(names: Iterable[str], others: Iterable[str]) -> tuple[str, str] | None:
    """A name whose last words are the whole of another one."""
    whole = {name.replace(".", "_"): name for name in others}
    for name in names:
        words = name.replace(".", "_").split("_")
        for start in range(1, len(words) - 1):
            if (ending := "_".join(words[start:])) in whole:
                return name, whole[ending]
    return None


def _alike_from_the_first_number(
    names: Iterable[str], others: Iterable[str]
) -> tuple[str, str] | None:
    """Two names that are the same from the number of the first block on."""

    def tail(name: str) -> str:
        words = name.replace(".", "_").split("_")
        at = next((i for i, word in enumerate(words) if word.isdigit()), len(words))
        return "_".join(words[at:])

    tails = {tail(name): name for name in others if tail(name)}
    return next(((n, tails[tail(n)]) for n in names if tail(n) in tails), None)
