"""Adapters from files that are held beside the open model: read once, by the model's own names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from torch import nn

from lora_lab.adapters.kinds import kind_or_none
from lora_lab.adapters.weights import AdapterWeights
from lora_lab.errors import AdapterError
from lora_lab.training.from_adapter import by_names_of
from lora_lab.workshop.files import opened
from lora_lab.workshop.requests import Source

HELD = 8  # adapters; of more, those that were not asked for longest are read anew


class Shelf:
    """What was read from each source, until its file is another one."""

    def __init__(self) -> None:
        self._held: dict[tuple[Source, int], AdapterWeights] = {}

    def read(self, source: Source, model: nn.Module, base: str = "") -> AdapterWeights:
        """The adapter at `source` as it goes over `model`, whose folder is `base` if it has one.

        Raises AdapterError for a file that cannot be read, is for another model, or brings layers
        that are fully trained: those stand in place of the base's and have no strength.
        """
        key = (source, _changed(source.path))
        if key not in self._held:
            self._held[key] = _placed(source, model, base)
            while len(self._held) > HELD:
                del self._held[next(iter(self._held))]
        self._held[key] = self._held.pop(key)  # asked for last
        return self._held[key]


def _placed(source: Source, model: nn.Module, base: str) -> AdapterWeights:
    live = {n: m for n, m in _plain_modules(model).items() if n and kind_or_none(m) is not None}
    weights = opened(source)
    if base and not all(layer.name in live for layer in weights.layers):
        weights = opened(replace(source, base=base))
    if weights.whole:
        raise AdapterError(
            f"{source.path} has {weights.whole[0].name} fully trained: it takes the place of the "
            "base's and has no strength. Continue training from it, or merge it into the base."
        )
    weights, _ = by_names_of(source.path, weights, model, live)
    for layer in weights.layers:
        module = live[layer.name]
        shape = kind_or_none(module).shape(module)
        if layer.shape != shape:
            raise AdapterError(
                f"{source.path} is for another base: {layer.name} is {layer.shape[0]} × "
                f"{layer.shape[1]} there, and {shape[0]} × {shape[1]} in this model."
            )
    return weights


def _plain_modules(model: nn.Module) -> dict[str, nn.Module]:
    """The layers by the names that they have without adapters."""
    return {
        name: getattr(module, "base_layer", module)
        for name, module in model.named_modules()
        if not name.endswith(".base_layer")
    }


def _changed(path: str) -> int:
    """When what lies at the path was written last, in nanoseconds; of a folder its newest file."""
    place = Path(path)
    try:
        files = [place, *place.glob("*")] if place.is_dir() else [place]
        return max(file.stat().st_mtime_ns for file in files)
    except OSError:
        return 0  # opening it says what is wrong
