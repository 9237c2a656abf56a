"""Convolutional nets in a chain, and how one is recognised from tensor names and shapes.

A state dict does not tell padding, strides, pooling and what is between the layers: a `Reading`
does. Which readings fit is found by counting: the convolutions' output must have just as many
numbers as the first linear layer takes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import torch

from lora_lab.errors import CheckpointError
from lora_lab.models.chain import Chain
from lora_lab.models.layers import Layers, layers_of, listed
from lora_lab.models.reading import Reading, Step

MOST = 3  # convolutions up to which each may be padded, moved and pooled in its own way
LONGEST = 14  # convolutions up to which any of them may be pooled

Image = tuple[int, int, int]  # channels, height, width


class CNN(Chain):
    """Convolutions with norms, activations, pooling and skips; then linear layers."""

    flat = False


def cnn_from_state(
    state: dict[str, torch.Tensor], where: str, image: Image, reading: Reading
) -> CNN:
    """The net that the tensors make by this reading, in float32; raises CheckpointError."""
    layers = cnn_layers(state, where, image)
    count = len(layers.convolutions)
    if len(reading.steps) != count:
        raise CheckpointError(
            f"{where}: the reading {reading} has {len(reading.steps)} convolutions, and there are "
            f"{count}."
        )
    found = ending(layers, reading.steps, image)
    if reading.end not in found:
        raise CheckpointError(
            f"{where}: by the reading {reading} the convolutions do not end in the "
            f"{layers.shapes[layers.linears[0]][1]:,} inputs of {layers.linears[0]} for images of "
            f"{image[2]} × {image[1]} pixels."
        )
    order = layers.orders[-1 if reading.file_order else 0]
    made, norms = layers.built(order, reading.steps)
    try:
        net = CNN(made, norms, reading)
    except CheckpointError as error:
        raise CheckpointError(f"{where}: {error}") from None
    net.load_state_dict(state)
    return net.eval()


def cnn_layers(state: dict[str, torch.Tensor], where: str, image: Image) -> Layers:
    """The layers of a net of convolutions; raises CheckpointError that lists what was found."""
    try:
        layers = layers_of(state)
        first = layers.shapes[layers.convolutions[0]][1]
        if first != image[0]:
            raise CheckpointError(
                f"{layers.convolutions[0]} takes {first} channels, not {image[0]}"
            )
        if not layers.linears:
            raise CheckpointError("there is no linear layer at its end")
    except CheckpointError as error:
        raise CheckpointError(
            f"{where}: this is not a plain net of convolutions: {error}. Found {listed(state)}. "
            "Name a factory of your own, module:function, that builds it."
        ) from None
    return layers


def geometries(layers: Layers, image: Image) -> list[tuple[tuple[Step, ...], str]]:
    """Steps of the convolutions and the end that fit, the commonest first; max pools alone."""
    kernels = [layers.shapes[path][2:] for path in layers.convolutions]
    found: dict[tuple[tuple[Step, ...], str], None] = {}
    for steps in _candidates(kernels):
        for end in ending(layers, steps, image):
            found[steps, end] = None
    return list(found)


def _candidates(kernels: Sequence[Sequence[int]]) -> Iterator[tuple[Step, ...]]:
    """Padding by half the kernel or none; a pool of 2 or a stride of 2, or neither."""
    count = len(kernels)
    halves = [max(kernel) // 2 for kernel in kernels]
    for padded in (True, False):  # all alike first
        paddings = halves if padded else [0] * count
        for pools in itertools.product((True, False), repeat=count if count <= LONGEST else 0):
            yield tuple(
                Step(p, 1, "max" if pooled else "")
                for p, pooled in zip(paddings, pools, strict=False)
            )
        if count <= 2 * MOST:
            for strides in itertools.product((2, 1), repeat=count):
                yield tuple(Step(p, s) for p, s in zip(paddings, strides, strict=True))
    if count <= MOST:
        choices = [
            [
                Step(p, *move)
                for p in sorted({half, (max(kernel) - 1) // 2, 0}, reverse=True)
                for move in ((1, "max"), (1, ""), (2, ""))
            ]
            for half, kernel in zip(halves, kernels, strict=True)
        ]
        yield from itertools.product(*choices)


def ending(layers: Layers, steps: Sequence[Step], image: Image) -> tuple[str, ...]:
    """The ends of these steps that give just as many numbers as the first linear layer takes."""
    height, width = image[1:]
    for path, step in zip(layers.convolutions, steps, strict=True):
        height, width = step.edges((height, width), layers.shapes[path][2:])
        if min(height, width) < 1:
            return ()
    channels = layers.shapes[layers.convolutions[-1]][0]
    inputs = layers.shapes[layers.linears[0]][1]
    flat = (channels * height * width == inputs,)
    cells, odd = divmod(inputs, channels)
    edge = round(cells**0.5)
    if cells == 1 and height * width > 1:
        return ("mean", "max", *(("",) if flat[0] else ()))
    if flat[0]:
        return ("",)
    adaptive = not odd and edge * edge == cells and 1 < edge < min(height, width)
    return (f"avg{edge}",) if adaptive else ()


def first_fit(layers: Layers, image: Image) -> Reading:
    """How a net was read before readings were asked for; runs of that time continue with it."""
    kernels = [layers.shapes[path][2:] for path in layers.convolutions]
    ways = ((True, True), (False, True), (True, False), (False, False))  # padded, pooled
    alike = [(way,) * len(kernels) for way in ways]
    each = itertools.product(ways, repeat=len(kernels)) if len(kernels) <= 6 else ()
    for chosen in itertools.chain(alike, each):
        steps = tuple(
            Step(max(kernel) // 2 if padded else 0, 1, "max" if pooled else "")
            for kernel, (padded, pooled) in zip(kernels, chosen, strict=True)
        )
        if "" in ending(layers, steps, image):
            return Reading("relu", steps)
    steps = tuple(Step(max(kernel) // 2, 1, "max") for kernel in kernels)
    return Reading("relu", steps, "mean")
