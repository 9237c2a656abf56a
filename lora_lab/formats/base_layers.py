"""The weights of a base by module path and shape, with the component of a pipeline they are of."""

from __future__ import annotations

from pathlib import Path

import torch

from lora_lab.door import door
from lora_lab.errors import CheckpointError
from lora_lab.formats.components import PIPELINE, named
from lora_lab.models.base import Base


@door(CheckpointError)
def base_layers(base: str | Path) -> dict[str, tuple[int, ...]]:
    """Module path → shape of its weight, as the base's model and its files call it.

    A model of diffusers says in its config.json which component it is. Raises CheckpointError.
    """
    found = Base(Path(base))
    part = _component(found)
    layers = {}
    for name in found.names():
        tensor = found.tensors.get(f"{found.aliases.get(name, name)}.weight")
        layers[f"{part}.{name}" if part else named(name)] = tensor.shape if tensor else ()
    return layers


@door(CheckpointError)
def weight_of(base: str | Path, name: str) -> torch.Tensor:
    """The weight of the layer that `base_layers` names so. Raises CheckpointError without one."""
    found = Base(Path(base))
    part = next((p for p in PIPELINE if name.startswith(f"{p}.")), "")
    for own in (name, name.removeprefix(f"{part}.")):
        key = f"{found.aliases.get(own, own)}.weight"
        if key in found.tensors:
            return found.read(key)
    raise CheckpointError(f"{base} has no weight of {name}.")


def _component(base: Base) -> str:
    """What a model of diffusers is, by the class that its config.json names; "" where unknown."""
    made = str(base.config.get("_class_name") or "")
    return "unet" if "UNet" in made else "transformer" if "Transformer" in made else ""
