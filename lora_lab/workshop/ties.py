"""Weights that a base uses in two places: what a merge changes besides, and how they part.

PEFT's adapter acts on one module. Where that module's W is another's as well (an embedding that is
the head, an encoder's that is the decoder's), W + ΔW in the file would change both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lora_lab.errors import ExportError
from lora_lab.models.base import Base
from lora_lab.models.inspect import TensorInfo
from lora_lab.models.key_map import Source
from lora_lab.models.skeleton import TIE, Skeleton, config_of, skeletons


def also_changed(skeleton: Skeleton, changed: Iterable[str]) -> tuple[str, str] | None:
    """A parameter that is changed, and one that would change with it: not at all, or otherwise.

    Where the file has a tensor for each of them and they differ after the merge, transformers does
    not tie them (modeling_utils.tie_weights).
    """
    changed = set(changed)
    for group in skeleton.ties():
        touched = group & changed
        if touched and not _apart(skeleton, group):
            mine = min(touched)
            return mine, min(group - changed or group - {mine})
    return None


def ties_loosened(skeleton: Skeleton, changed: Iterable[str]) -> bool:
    """Whether weights that the config ties have tensors of their own, and now differ."""
    changed = set(changed)
    return any(group & changed and _apart(skeleton, group) for group in skeleton.ties())


def untied(
    config: dict[str, Any],
    tensors: Mapping[str, TensorInfo],
    skeleton: Skeleton,
    changed: Iterable[str],
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """A config without ties, and the parameters that then need a tensor of their own.

    Raises ExportError where the family keeps them tied, or computes otherwise without.
    """
    changed = set(changed)
    groups = [group for group in skeleton.ties() if group & changed]
    added = sorted(n for group in skeleton.ties() for n in group if n not in skeleton.sources)
    for values in (_without_ties(config, False), _without_ties(config, True)):
        if skeleton.reads_tie_flag() or not _otherwise_alike(config, values):
            break
        again = opened_as(skeleton.name, values, (*tensors, *added))
        if again is None or not _fit(again, skeleton, tensors, added):
            continue
        tied = any(group & other for group in groups for other in again.ties())
        if not tied and all(again.sources.get(name) == Source((name,)) for name in added):
            return values, tuple(added)
    raise ExportError(
        f"{skeleton.name} cannot be untied: transformers keeps {_listed(groups)} one weight, or "
        "computes otherwise without. Deliver the adapter as a PEFT folder."
    )


def opened_as(name: str, values: dict[str, Any], keys: Iterable[str]) -> Skeleton | None:
    """The model class `name` of a config, filled with the tensors `keys`."""
    return next((s for s in skeletons(values, keys) if s.name == name), None)


def seen_by_others(base: Base, otherwise: Skeleton) -> Skeleton:
    """The class that a folder says it is of, which is what others open it as."""
    named = base.config.get("architectures") or ()
    if not named or otherwise.name in named:
        return otherwise
    return opened_as(str(named[0]), base.config, base.tensors) or otherwise


def _fit(
    again: Skeleton, skeleton: Skeleton, tensors: Mapping[str, TensorInfo], added: Iterable[str]
) -> bool:
    """Whether untied parameters have the shape of what they were tied to."""
    for group in skeleton.ties():
        own = [skeleton.sources[name].keys[0] for name in group if name in skeleton.sources]
        shapes = {tensors[key].shape for key in own}
        shapes |= {tuple(again.parameters[name].shape) for name in group if name in added}
        if len(shapes) > 1:
            return False
    return True


def _apart(skeleton: Skeleton, group: set[str]) -> bool:
    """Whether each has a tensor of its own in the file, and no two are one object."""
    keys = [skeleton.sources[name].keys for name in group if name in skeleton.sources]
    objects = {id(skeleton.parameters.get(name)) for name in group}
    return len(group) == len(set(keys)) == len(objects)


def _without_ties(values: dict[str, Any], deep: bool) -> dict[str, Any]:
    """The config with its tie flags off: where they stand, and with `deep` in every part of it."""
    found = {
        key: _without_ties(value, deep)
        if isinstance(value, dict) and ((deep and "model_type" in value) or _has_flag(value))
        else value
        for key, value in values.items()
    }
    return {**found, TIE: False}


def _has_flag(values: dict[str, Any]) -> bool:
    return TIE in values or any(_has_flag(v) for v in values.values() if isinstance(v, dict))


def _otherwise_alike(before: dict[str, Any], after: dict[str, Any]) -> bool:
    return _flagless(config_of(before).to_dict()) == _flagless(config_of(after).to_dict())


def _flagless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _flagless(inner) for key, inner in value.items() if key != TIE}
    return value


def _listed(groups: list[set[str]]) -> str:
    return " and ".join(sorted(name.removesuffix(".weight") for group in groups for name in group))
