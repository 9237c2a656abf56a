"""The names in a file and those of the modules, by transformers' own rule of loading, and back.

transformers 5 renames, splits and joins tensors while it loads (its conversion_mapping); here the
same rule is asked on names alone, and on the numbers of one group of tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch

from lora_lab.errors import CheckpointError
from lora_lab.models.architecture import first_line


@dataclass(frozen=True)
class Source:
    """Where a parameter comes from: one tensor as it is, or several through a converter."""

    keys: tuple[str, ...]
    converter: Any = None  # transformers' WeightConverter
    target: str = ""  # the parameter that loading calls the converter's result by


def sources_of(model: Any, keys: Iterable[str]) -> tuple[dict[str, Source], tuple[str, ...]]:
    """Parameter → the tensors of a file that go into it, and those that go nowhere.

    The loading rule of transformers.core_model_loading, on names alone.
    """
    from transformers.core_model_loading import dot_natural_key

    state = model.state_dict()
    sources: dict[str, Source] = {}
    renamings, converters = _transforms(model)
    found: dict[str, list[tuple[str, str | None]]] = {}
    unplaced = []
    for key in sorted(keys, key=dot_natural_key):
        new, pattern = _rename(model, key, renamings, converters, state)
        if new not in state and key in state:
            new, pattern = _rename(model, key, [], [], state)
        if new in state:
            found.setdefault(new, []).append((key, pattern))
        else:
            unplaced.append(key)
    by_pattern = {pattern: c for c in converters for pattern in c.source_patterns}
    for target, parts in found.items():
        names = tuple(key for key, _ in parts)
        pattern = parts[0][1]
        if pattern is None:
            sources[target] = Source(names[-1:])  # the last one stays
            continue
        converter = by_pattern[pattern]
        source = Source(names, converter, target)
        for other in converter.target_patterns:
            sources[target.replace(converter.target_patterns[0], other)] = source
    return sources, tuple(unplaced)


def renamer(model: Any) -> Callable[[str], str]:
    """What tells how a module path under the names of an earlier transformers is called now.

    All names share its rules, of which some remember what they saw.
    """
    rules, state = _transforms(model), model.state_dict()

    def renamed(name: str) -> str:
        new, _ = _rename(model, f"{name}.weight", *rules, state)
        return new.removesuffix(".weight")

    return renamed


def converted(
    model: Any, source: Source, tensors: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """The parameters that loading makes of the file's tensors `source.keys`."""
    renamings, converters = _transforms(model)
    work, state = deepcopy(source.converter), model.state_dict()
    for key in source.keys:
        _, pattern = _rename(model, key, renamings, converters, state)
        work.add_tensor(source.target, key, pattern, tensors[key])
    return _realized(work, source.target, model)


def restored(
    model: Any, source: Source, parameters: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """The file's tensors of parameters, the way back of `converted`, which is proved to lead back.

    Raises CheckpointError where transformers knows no way back.
    """
    from transformers.core_model_loading import apply_converters, apply_renamings

    renamings, _ = _transforms(model)
    try:
        work = source.converter.reverse_transform()
        first = ""
        for name, tensor in parameters.items():
            first, pattern = apply_converters(name, [work])
            work.add_tensor(first, name, pattern, tensor)
        found = _realized(work, first, model)
    except (NotImplementedError, ValueError, RuntimeError, KeyError) as error:
        raise CheckpointError(
            f"{source.keys[0]}: transformers joins or splits it on loading, and has no way back "
            f"({first_line(error)})"
        ) from None
    between = {apply_renamings(key, renamings): key for key in source.keys}
    prefix = f"{model.base_model_prefix}."
    named = {}
    for name, tensor in found.items():
        key = next(
            (between[n] for n in (name, name.removeprefix(prefix), prefix + name) if n in between),
            None,
        )
        if key is None or not name:
            raise CheckpointError(f"{source.keys[0]}: its way back to the file is not known")
        named[key] = tensor.contiguous()
    if set(named) != set(source.keys):
        raise CheckpointError(f"{source.keys[0]}: its way back to the file is not whole")
    return named


def _realized(work: Any, target: str, model: Any) -> dict[str, torch.Tensor]:
    found = work.convert(target, model=model, config=model.config)
    return {k: v[0] if isinstance(v, list) else v for k, v in found.items()}


def _transforms(model: Any) -> tuple[list[Any], list[Any]]:
    """transformers' renamings and converters of a model, fresh: some remember what they saw."""
    from transformers.conversion_mapping import get_model_conversion_mapping
    from transformers.core_model_loading import WeightConverter, WeightRenaming

    mapping = get_model_conversion_mapping(model)
    return (
        [entry for entry in mapping if isinstance(entry, WeightRenaming)],
        [entry for entry in mapping if isinstance(entry, WeightConverter)],
    )


def _rename(
    model: Any, key: str, renamings: list[Any], converters: list[Any], state: Any
) -> tuple[str, str | None]:
    from transformers.core_model_loading import rename_source_key

    return rename_source_key(key, renamings, converters, model.base_model_prefix, state)
