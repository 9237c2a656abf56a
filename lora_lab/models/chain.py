"""Chain: convolutions and linear layers one behind the other, joined as a `Reading` says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from lora_lab.errors import CheckpointError
from lora_lab.models.reading import ACTIVATIONS, Reading, Step

Place = tuple[nn.Module, str]  # a container, and the name of a layer in it


class Unit(NamedTuple):
    """One layer with what belongs to it."""

    layer: Place
    norm: Place | None
    step: Step | None  # of a convolution
    inputs: int  # channels or numbers
    outputs: int

    @property
    def even(self) -> bool:
        """Whether what comes out may be added to what went in; a pool would come after it."""
        if self.inputs != self.outputs:
            return False
        if self.step is None:
            return True
        layer = self.layer[0]._modules[self.layer[1]]
        padded = all(2 * self.step.padding == k - 1 for k in layer.kernel_size)
        return padded and self.step.stride == 1


class Chain(nn.Module):
    """The layers of a file in order; the last has no activation, the first no skip around it."""

    def __init__(
        self,
        layers: Sequence[tuple[str, nn.Module]],
        norms: dict[str, tuple[str, nn.Module]],
        reading: Reading,
    ) -> None:
        """`layers` are (module path, layer), `norms` the norm's (path, module) by layer's path."""
        super().__init__()
        self.reading = reading
        steps = dict(zip((p for p, x in layers if isinstance(x, nn.Conv2d)), reading.steps))  # noqa: B905
        units = []
        for path, layer in layers:
            place, beside = add_layer(self, path, layer), norms.get(path)
            norm = add_layer(self, *beside) if beside else None
            outputs, inputs = layer.weight.shape[:2]
            units.append(Unit(place, norm, steps.get(path), inputs, outputs))
        # A tuple, so that torch sees no modules in it: each layer stands at its path alone, and is
        # looked up at each call, since an adapter may have taken the place.
        self._units = tuple(units)
        self._joins = _joins(self._units, reading.skip)
        self._act = ACTIVATIONS[reading.activation][1]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, channels, height, width), or (batch, inputs) without any → (batch, outputs)."""
        index, last = 0, len(self._units) - 1
        while index <= last:
            unit, joined = self._units[index], self._joins.get(index, 0)
            if unit.step is None and x.dim() == 4:
                x = _flattened(x, self.reading.end)
            if joined == 2:
                index += 1
                inner, unit = self._unit(unit, x), self._units[index]
                x = x + self._unit(unit, inner, active=False)
                x = x if self.reading.skip == "add2" else self._act(x)
            elif joined and self.reading.skip == "act1":
                x = self._act(x + self._unit(unit, x, active=False))
            elif joined:
                x = x + self._unit(unit, x)
            else:
                x = self._unit(unit, x, active=index < last)
            step = unit.step
            if step is not None and step.pool:
                pool = F.max_pool2d if step.pool == "max" else F.avg_pool2d
                x = pool(x, step.size, step.pool_stride)
            index += 1
        return x

    def _unit(self, unit: Unit, x: torch.Tensor, active: bool = True) -> torch.Tensor:
        """Layer, norm and activation."""
        x = _at(unit.layer)(x)
        if unit.norm is not None and not self.reading.late_norm:
            x = _at(unit.norm)(x)
        if active:
            x = self._act(x)
        if unit.norm is not None and self.reading.late_norm:
            x = _at(unit.norm)(x)
        return x


def _at(place: Place) -> nn.Module:
    parent, name = place
    layer: nn.Module = parent._modules[name]  # type: ignore[assignment]
    return layer


def _flattened(x: torch.Tensor, end: str) -> torch.Tensor:
    if end == "mean":
        return x.mean((2, 3))
    if end == "max":
        return x.amax((2, 3))
    return (F.adaptive_avg_pool2d(x, int(end[3:])) if end else x).flatten(1)


def _joins(units: Sequence[Unit], skip: str) -> dict[int, int]:
    """Where something is added: the number of the first layer → over how many layers."""
    joins: dict[int, int] = {}
    if not skip:
        return joins
    span, index, end = int(skip[-1]), 1, len(units) - 1
    while index + span <= end:
        some = units[index : index + span]
        alike = len({unit.step is None for unit in some}) == 1
        whole = all(u.even or (span == 2 and _half(u)) for u in some) and not any(
            u.step and u.step.pool for u in some[:-1]
        )
        if alike and whole and some[0].inputs == some[-1].outputs:
            joins[index] = span
            index += span
        else:
            index += 1
    return joins


def _half(unit: Unit) -> bool:
    """A layer of a pair may have another width inside, as long as the image keeps its size."""
    return unit._replace(outputs=unit.inputs).even


def add_layer(root: nn.Module, path: str, layer: nn.Module) -> Place:
    """Put `layer` at a dotted `path` under `root`; its container, and its name there."""
    *containers, name = path.split(".")
    parent = root
    for container in containers:
        if container not in parent._modules:
            _add(parent, container, nn.Module(), path)
        parent = parent._modules[container]  # type: ignore[assignment]
    _add(parent, name, layer, path)
    return parent, name


def _add(parent: nn.Module, name: str, child: nn.Module, path: str) -> None:
    """Put `child` into `parent`, which may be a layer itself or have that word for a method."""
    if isinstance(parent, nn.Linear | nn.Conv2d) or hasattr(parent, name):
        raise CheckpointError(
            f"layer {path} cannot be called that: the name is taken. Rename it in the checkpoint."
        )
    parent.add_module(name, child)
