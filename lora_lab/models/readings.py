"""The readings that a plain net's tensors allow, tried on labelled images, for a person to choose.

A file of weights does not say what is computed between its layers. Nothing is assumed: where more
than one reading fits, each is measured on the data at hand, and the person names theirs.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F

from lora_lab.errors import CheckpointError
from lora_lab.models.cnn import CNN, Image, cnn_from_state, cnn_layers, first_fit, geometries
from lora_lab.models.layers import Layers, listed
from lora_lab.models.plain import MLP, mlp_from_state, mlp_layers
from lora_lab.models.reading import Reading, parse
from lora_lab.progress import Report, silent

# In the order of their commonness; others can be named and are not tried.
TRIED = (
    "relu", "tanh", "gelu", "sigmoid", "leaky_relu", "leaky_relu0.1", "leaky_relu0.2", "elu",
    "silu", "selu", "linear",
)  # fmt: skip
FEW, MANY = 32, 500  # images that all readings are tried on, and the best of them
SHAPES, FINAL = 5, 8  # ways of the convolutions, and readings, that are tried further
SHOWN = 8  # readings in a message
EXAMPLE = "relu/p2s4max3s2,p2max3s2"

# What the pixels are → some images (n, …) as the net takes them, and their classes (n).
Labelled = Callable[[str, int], tuple[torch.Tensor, torch.Tensor]]


class Tried(NamedTuple):
    """One reading on labelled images."""

    reading: Reading
    loss: float
    accuracy: float


def net_from_state(
    state: dict[str, torch.Tensor],
    where: str,
    image: Image,
    reading: str = "",
    labelled: Labelled | None = None,
    pixels: Sequence[str] = ("",),
    classes: int = 0,
    report: Report = silent,
) -> MLP | CNN:
    """The plain net that the tensors of a checkpoint make, in float32; its keys are theirs.

    `image` is (channels, height, width) of what it will see; `pixels` are the ways, keys of PIXELS,
    in which images can be given to it. Raises CheckpointError where it is no chain of linear layers
    or convolutions, or none for that many `classes`, and, with the accuracy of each on `labelled`
    images, where several readings fit and none is named; ConfigError for a reading that is none.
    """
    if reading:
        return _read(state, where, image, parse(reading))
    layers, found = fitting(state, where, image, pixels)
    outputs = layers.shapes[layers.orders[0][-1]][0]
    if classes and outputs != classes:
        raise CheckpointError(
            f"{where}: the net answers with {outputs:,} numbers for {classes:,} classes of images. "
            "Choose a net for these classes."
        )
    if len(found) == 1:
        return _read(state, where, image, found[0])
    tried: list[Tried] = []
    if labelled is not None:
        tried = _tried(state, where, image, found, labelled, report)
    raise CheckpointError(_question(where, layers, found, tried, labelled))


def net_as_before(state: dict[str, torch.Tensor], where: str, image: Image) -> MLP | CNN:
    """The net of a run from before readings were recorded: ReLU, and the first way that fits."""
    if not _has_kernels(state):
        return mlp_from_state(state, where)
    reading = first_fit(cnn_layers(state, where, image), image)
    return cnn_from_state(state, where, image, reading)


def fitting(
    state: dict[str, torch.Tensor], where: str, image: Image, pixels: Sequence[str] = ("",)
) -> tuple[Layers, list[Reading]]:
    """The layers of a plain net and all readings that fit them, the commonest first."""
    if _has_kernels(state):
        layers = cnn_layers(state, where, image)
        ways = geometries(layers, image)
        if not ways:
            raise CheckpointError(
                f"{where}: this is not a plain net of convolutions as they are commonly made: no "
                f"padding, stride or pooling by 2 leads from {image[2]} × {image[1]} pixels to the "
                f"{layers.shapes[layers.linears[0]][1]:,} inputs of {layers.linears[0]}. Found "
                f"{listed(state)}. Name a reading with others (--reading {EXAMPLE}), or a factory "
                "of your own, module:function, that builds it."
            )
    else:
        layers, ways = mlp_layers(state, where), [((), "")]
    order = layers.orders[0]
    even = [path for path in order[1:-1] if layers.shapes[path][0] == layers.shapes[path][1]]
    pairs = any(
        layers.shapes[a][1] == layers.shapes[b][0]
        and len(layers.shapes[a]) == len(layers.shapes[b])
        for a, b in itertools.pairwise(order[1:-1])
    )
    skips = ["", *(("add1", "act1") if even else ()), *(("act2", "add2") if pairs else ())]
    hidden = len(order) > 1
    found: dict[Reading, None] = {}
    for (steps, end), late, file, skip, pixel, act in itertools.product(
        ways,
        (False, True) if layers.norms else (False,),
        (False, True) if len(layers.orders) > 1 else (False,),
        skips,
        pixels,
        TRIED if hidden else TRIED[:1],
    ):
        found[Reading(act, steps, end, skip, late, pixel, file)] = None
        if any(step.pool for step in steps) and len(order) > len(steps):
            mean = tuple(s._replace(pool="avg") if s.pool else s for s in steps)
            found[Reading(act, mean, end, skip, late, pixel, file)] = None
    return layers, list(found)


def _has_kernels(state: dict[str, torch.Tensor]) -> bool:
    return any(tensor.dim() == 4 for tensor in state.values())


def _read(state: dict[str, torch.Tensor], where: str, image: Image, reading: Reading) -> MLP | CNN:
    if _has_kernels(state):
        return cnn_from_state(state, where, image, reading)
    if reading.steps or reading.end:
        raise CheckpointError(
            f"{where}: the reading {reading} has convolutions, and the file has none."
        )
    return mlp_from_state(state, where, reading)


def _tried(
    state: dict[str, torch.Tensor],
    where: str,
    image: Image,
    found: list[Reading],
    labelled: Labelled,
    report: Report,
) -> list[Tried]:
    """The likeliest readings, the best first; of many, shapes are narrowed down beforehand."""

    def measured(readings: Sequence[Reading], images: int, what: str) -> list[Tried]:
        rows = []
        for number, reading in enumerate(readings):
            report(what, number / len(readings))
            net = _read(state, where, image, reading)
            inputs, labels = labelled(reading.pixels, images)
            rows.append(_measured(net, reading, inputs, labels))
        return sorted(rows, key=lambda row: (-row.accuracy, row.loss, found.index(row.reading)))

    what = f"Trying {len(found):,} readings"
    ways = {(r.steps, r.end, r.skip, r.late_norm, r.file_order): None for r in found}
    if len(ways) > SHAPES:
        first = TRIED[:1] if len(ways) > 10 * SHAPES else TRIED[:2]
        simple = [r for r in found if r.activation in first and not r.pixels]
        best = dict.fromkeys(
            (r.steps, r.end, r.skip, r.late_norm, r.file_order)
            for r, _, _ in measured(simple, FEW, what)
        )
        kept = set(list(best)[:SHAPES])
        found = [r for r in found if (r.steps, r.end, r.skip, r.late_norm, r.file_order) in kept]
    if len(found) > FINAL:
        found_few = [row.reading for row in measured(found, FEW, what)[:FINAL]]
        found = [r for r in found if r in found_few]
    return measured(found, MANY, what)


@torch.no_grad()
def _measured(
    net: MLP | CNN, reading: Reading, inputs: torch.Tensor, labels: torch.Tensor
) -> Tried:
    logits = torch.cat([net(part.flatten(1) if net.flat else part) for part in inputs.split(256)])
    loss = F.cross_entropy(logits, labels).item()
    accuracy = (logits.argmax(1) == labels).float().mean().item()
    return Tried(reading, loss if loss == loss else float("inf"), accuracy)


def _question(
    where: str,
    layers: Layers,
    found: list[Reading],
    tried: list[Tried],
    labelled: Labelled | None,
) -> str:
    """What a person is asked, with the readings that they may name."""
    if labelled is not None and tried:
        images = len(labelled("", MANY)[1])
        rows = [f"{row.reading} ({100 * row.accuracy:.1f} %)" for row in tried[:SHOWN]]
        how = f"Correct of {images:,} of these images, the likeliest first: {', '.join(rows)}"
        first = tried[0].reading
    else:
        how = f"For example {', '.join(map(str, found[:SHOWN]))}"
        first = found[0]
    more = f", and {len(found) - SHOWN:,} more" if len(found) > SHOWN else ""
    return (
        f"{where} does not tell what is computed between its {len(layers.shapes)} layers: "
        f"{len(found):,} readings fit. {how}{more}. Name the one that your net computes "
        f"(--reading {first}: {first.words}), or a factory of your own, module:function."
    )
