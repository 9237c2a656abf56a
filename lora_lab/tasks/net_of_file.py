"""The net of a file of weights, for images: by a factory, by its library, or as a plain net."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from lora_lab.config import RunConfig
from lora_lab.door import door
from lora_lab.errors import CheckpointError
from lora_lab.models.checkpoint import read_state
from lora_lab.models.factory import build
from lora_lab.models.fresh_head import drawn_anew
from lora_lab.models.image_rules import ImageRules, open_image_rules
from lora_lab.models.plain import mlp_layers
from lora_lab.models.reading import PIXELS
from lora_lab.models.readings import Labelled, net_as_before, net_from_state
from lora_lab.models.state_names import unwrapped
from lora_lab.models.vision_build import build as build_known
from lora_lab.models.vision_build import candidates, chosen, image_rules
from lora_lab.progress import Report

# How many → some images as bytes (n, height, width, channels), and their classes (n).
Bytes = Callable[[int], tuple[torch.Tensor, torch.Tensor]]


class FileNet(NamedTuple):
    """A net in float32, its layers that are drawn anew, and what the person should know of it."""

    net: nn.Module
    new_layers: tuple[str, ...]
    notes: tuple[str, ...]


def wanted_images(config: RunConfig, model: str) -> tuple[tuple[int, ...], ImageRules | None]:
    """(channels, height, width) that the model takes, () where it does not tell, and its rules.

    A plain net of linear layers alone takes as many numbers as a square image has.
    """
    path = Path(model)
    if not path.is_file():
        rules = open_image_rules(path)
        return (rules.channels, *rules.size), rules
    if config.factory:
        return (), None
    state, _ = unwrapped(read_state(path))
    if nets := candidates(state, path.name, config.reading):
        rules = image_rules(nets[0])
        return (rules.channels, *rules.size), rules
    if any(t.dim() == 4 for t in state.values()):
        channels = next(t.shape[1] for t in state.values() if t.dim() == 4)
        return (channels, 0, 0), None
    layers = mlp_layers(state, path.name)
    inputs = layers.shapes[layers.linears[0]][1]
    for channels in (1, 3):
        side = math.isqrt(inputs // channels)
        if side * side * channels == inputs:
            return (channels, side, side), None
    raise CheckpointError(f"{path.name}: {inputs} inputs are no square image of 1 or 3 channels.")


@door(CheckpointError)
def open_net(
    config: RunConfig,
    image: tuple[int, int, int],
    classes: int,
    labelled: Labelled,
    pictures: Bytes,
    report: Report,
) -> FileNet:
    """The net of `config.model` for images (channels, height, width); raises CheckpointError."""
    path = Path(str(config.model))
    state = read_state(path, report)
    if config.factory:
        net, new, note = build(config.factory, state, path.name, config.seed)
        for name in new:
            made = len(net.get_parameter(f"{name}.weight"))
            if made != classes:
                raise CheckpointError(
                    f"{path.name} has {name} in another size than {config.factory} builds, which "
                    f"is for {made:,} and not for the {classes} classes of these images."
                )
        return FileNet(net, new, (*((note,) if note else ()), *drawn_anew(new)))
    state, note = unwrapped(state)
    notes = (note,) if note else ()
    if nets := candidates(state, path.name, config.reading):
        known = nets[0] if config.reading else chosen(
            state, path.name, nets, classes, pictures, config.seed, report
        )  # fmt: skip
        made = build_known(state, path.name, known, classes, config.seed)
        return FileNet(made.module, made.new_layers, (*made.notes, *notes))
    if config.classes and not config.reading:  # resumed, from before readings were chosen
        plain = net_as_before(state, path.name, image)
    else:
        plain = net_from_state(
            state, path.name, image, config.reading, labelled, tuple(PIXELS), classes, report
        )
    read = f"{path.name} was read as {plain.reading}: {plain.reading.words}"
    return FileNet(plain, (), (read, *notes))
