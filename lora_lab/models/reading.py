"""A reading: what the tensors of a plain net do not tell, in one word that a person can write.

    relu                          linear layers with ReLU between each two of them
    gelu/add1/norm-late           x + norm(gelu(W x + b)) where a layer leaves the size as it is
    relu/p0,p0max2                two convolutions without padding, the second pooled by 2
    tanh/p2avg2,p0avg2/0to1       LeNet on values from 0 to 1
    relu/p1s2,p1s2/mean           strides of 2; the mean over the image in place of all its numbers

The parts stand in any order behind the activation, apart by slashes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F

from lora_lab.errors import ConfigError

ACTIVATIONS: dict[str, tuple[str, Callable[[torch.Tensor], torch.Tensor]]] = {
    "relu": ("ReLU", torch.relu),
    "tanh": ("tanh", torch.tanh),
    "sigmoid": ("sigmoid", torch.sigmoid),
    "gelu": ("GELU", F.gelu),
    "leaky_relu": ("leaky ReLU (0.01)", F.leaky_relu),
    "leaky_relu0.1": ("leaky ReLU (0.1)", partial(F.leaky_relu, negative_slope=0.1)),
    "leaky_relu0.2": ("leaky ReLU (0.2)", partial(F.leaky_relu, negative_slope=0.2)),
    "elu": ("ELU", F.elu),
    "selu": ("SELU", F.selu),
    "silu": ("SiLU", F.silu),
    "softplus": ("softplus", F.softplus),
    "gelu_tanh": ("GELU by tanh", partial(F.gelu, approximate="tanh")),
    "relu6": ("ReLU6", F.relu6),
    "mish": ("Mish", F.mish),
    "linear": ("no activation", lambda x: x),
}
SKIPS = {
    "": "",
    "add1": "x + act(layer(x)) where a layer leaves the size as it is",
    "act1": "act(x + layer(x)) where a layer leaves the size as it is",
    "act2": "act(x + second(act(first(x)))) in pairs of layers that leave the size as it is",
    "add2": "x + second(act(first(x))) in pairs of layers that leave the size as it is",
}
PIXELS = {
    "": "pixels less their mean, by their standard deviation",
    "0to1": "pixels from 0 to 1",
    "-1to1": "pixels from -1 to 1",
}
LATE = "norm-late"
FILE = "file-order"
STEP = re.compile(r"p(\d{1,2})(?:s(\d{1,2}))?(?:(max|avg)(\d{1,2})(?:s(\d{1,2}))?)?", re.ASCII)
END = re.compile(r"mean|max|avg(\d{1,2})", re.ASCII)


class Step(NamedTuple):
    """One convolution: how it moves, and how it is pooled behind its activation."""

    padding: int = 0
    stride: int = 1
    pool: str = ""  # "max" or "avg"
    size: int = 2
    pool_stride: int = 2

    def __str__(self) -> str:
        text = f"p{self.padding}" + (f"s{self.stride}" if self.stride != 1 else "")
        if self.pool:
            text += f"{self.pool}{self.size}"
            text += f"s{self.pool_stride}" if self.pool_stride != self.size else ""
        return text

    def paddings(self, kernel: Sequence[int]) -> tuple[int, ...]:
        """The padding of each edge; an oblong kernel is padded by half of each of its own."""
        if len(set(kernel)) == 1:
            return (self.padding,) * len(kernel)
        return tuple(size // 2 if self.padding else 0 for size in kernel)

    def edges(self, sizes: Sequence[int], kernel: Sequence[int]) -> tuple[int, ...]:
        """Pixels of each edge behind convolution and pooling; 0 or less: none is left."""
        moved = (
            (size + 2 * padding - k) // self.stride + 1
            for size, padding, k in zip(sizes, self.paddings(kernel), kernel, strict=True)
        )
        if not self.pool:
            return tuple(moved)
        return tuple((size - self.size) // self.pool_stride + 1 for size in moved)


class Reading(NamedTuple):
    """All that is not in the tensors; `str()` of it is what `parse` reads."""

    activation: str = "relu"
    steps: tuple[Step, ...] = ()  # one for each convolution
    end: str = ""  # "mean", "max" or "avgN" in place of flattening
    skip: str = ""  # a key of SKIPS
    late_norm: bool = False  # norms stand behind the activation
    pixels: str = ""  # a key of PIXELS
    file_order: bool = False  # layers follow each other as in the file, not as their names say

    def __str__(self) -> str:
        parts = (
            self.activation, ",".join(map(str, self.steps)), self.end, self.skip,
            LATE if self.late_norm else "", FILE if self.file_order else "", self.pixels,
        )  # fmt: skip
        return "/".join(part for part in parts if part)

    @property
    def words(self) -> str:
        """What it means, for people."""
        steps = [_step_words(step) for step in self.steps]
        alike = len(set(steps)) == 1
        each = f"each {steps[0]}" if alike and steps else "; ".join(steps)
        ends = {"": "flattened", "mean": "averaged", "max": "the largest of each channel"}
        rest = [
            f"convolutions, {each}; then {ends.get(self.end, 'pooled to ' + self.end[3:])}"
            if steps else "linear layers",
            ACTIVATIONS[self.activation][0], SKIPS[self.skip],
            "norms behind the activation" if self.late_norm else "",
            "in the order of the file" if self.file_order else "",
            PIXELS[self.pixels] if self.pixels else "",
        ]  # fmt: skip
        return ", ".join(part for part in rest if part)


def parse(text: str) -> Reading:
    """The reading that `text` writes; raises ConfigError that says which part is none."""
    activation, *parts = text.strip().split("/")
    if activation not in ACTIVATIONS:
        raise _unreadable(text, activation, f"begins with one of {', '.join(ACTIVATIONS)}")
    reading = Reading(activation)
    for part in parts:
        if part and part in SKIPS:
            reading = reading._replace(skip=part)
        elif part and part in PIXELS:
            reading = reading._replace(pixels=part)
        elif part == LATE:
            reading = reading._replace(late_norm=True)
        elif part == FILE:
            reading = reading._replace(file_order=True)
        elif END.fullmatch(part):
            reading = reading._replace(end=part)
        else:
            found = [STEP.fullmatch(step) for step in part.split(",")]
            steps = tuple(_step(match.groups()) for match in found if match)
            if len(steps) < len(found) or any(0 in s[1:2] + s[3:] for s in steps):
                raise _unreadable(
                    text, part,
                    "has parts such as p1,p0max2 (padding and pooling of each convolution), mean, "
                    f"{', '.join(filter(None, SKIPS))}, {LATE}, {FILE}, "
                    f"{', '.join(filter(None, PIXELS))}",
                )  # fmt: skip
            reading = reading._replace(steps=steps)
    return reading


def _step(groups: Sequence[str | None]) -> Step:
    padding, stride, pool, size, pool_stride = groups
    edge = int(size or 2)
    return Step(int(padding or 0), int(stride or 1), pool or "", edge, int(pool_stride or edge))


def _step_words(step: Step) -> str:
    text = f"padded by {step.padding}" if step.padding else "not padded"
    text += f", stride {step.stride}" if step.stride != 1 else ""
    if step.pool:
        text += f", {'max' if step.pool == 'max' else 'average'}-pooled by {step.size}"
        text += f" with stride {step.pool_stride}" if step.pool_stride != step.size else ""
    return text


def _unreadable(text: str, part: str, rule: str) -> ConfigError:
    return ConfigError(f"{part!r} in the reading {text!r} is not known. A reading {rule}.")
