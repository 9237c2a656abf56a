"""Convolutional nets in a chain, and how one is recognised from tensor names and shapes.

A state dict does not tell padding and pooling. They are tried in the order of their commonness, and
taken where the convolutions' output has just as many numbers as the first linear layer takes. What
was taken is noted in `reading`, so that a person can object.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from lora_lab.errors import CheckpointError
from lora_lab.models.plain import MLP, PATH, add_layer, described, mlp_from_state
from lora_lab.names import natural

MOST = 6  # convolutions up to which each may be padded and pooled in its own way


class Way(NamedTuple):
    """What a state dict does not tell of one convolution."""

    padded: bool  # by half the kernel, so that the size stays
    pooled: bool  # by 2, the largest value


WAYS = (Way(True, True), Way(False, True), Way(True, False), Way(False, False))


class CNN(nn.Module):
    """Convolutions, each with an optional batch norm, ReLU and pooling; then linear layers.

    `convolutions` are (path, layer, norm's path, norm, pooled); `linears` are (path, layer).
    """

    flat = False

    def __init__(
        self,
        convolutions: Sequence[tuple[str, nn.Conv2d, str, nn.BatchNorm2d | None, bool]],
        linears: Sequence[tuple[str, nn.Linear]],
        averaged: bool,
        reading: str,
    ) -> None:
        super().__init__()
        self._convolutions = [
            (add_layer(self, path, layer), add_layer(self, beside, norm) if norm else None, pooled)
            for path, layer, beside, norm, pooled in convolutions
        ]
        self._linears = [add_layer(self, path, layer) for path, layer in linears]
        self.averaged, self.reading = averaged, reading

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, channels, height, width) → (batch, outputs)."""
        for (parent, name), norm, pooled in self._convolutions:
            x = parent._modules[name](x)  # looked up: an adapter may have taken the place
            if norm is not None:
                x = norm[0]._modules[norm[1]](x)
            x = torch.relu(x)
            if pooled:
                x = F.max_pool2d(x, 2)
        x = x.mean((2, 3)) if self.averaged else x.flatten(1)
        for index, (parent, name) in enumerate(self._linears):
            x = parent._modules[name](torch.relu(x) if index else x)
        return x


def net_from_state(
    state: dict[str, torch.Tensor], where: str, image: tuple[int, int, int]
) -> MLP | CNN:
    """The plain net that the tensors of a checkpoint make, in float32; its keys are theirs.

    `image` is (channels, height, width) of what it will see. Raises CheckpointError that lists what
    was found where it is no chain of linear layers or convolutions.
    """
    if not any(tensor.dim() == 4 for tensor in state.values()):
        return mlp_from_state(state, where)
    try:
        net = _cnn(state, image)
    except CheckpointError as error:
        listed = ", ".join(described(k, t) for k, t in itertools.islice(state.items(), 6))
        more = f" and {len(state) - 6} more" if len(state) > 6 else ""
        raise CheckpointError(
            f"{where}: this is not a plain net of convolutions: {error}. Found {listed}{more}. "
            "Name a factory of your own, module:function, that builds it."
        ) from None
    net.load_state_dict(state)
    return net.eval()


def _cnn(state: dict[str, torch.Tensor], image: tuple[int, int, int]) -> CNN:
    kernels, matrices, norms = {}, {}, {}
    for key, tensor in state.items():
        path, _, kind = key.rpartition(".")
        if not (PATH.fullmatch(path) and tensor.numel()):
            raise CheckpointError(f"{described(key, tensor)} has no place in one")
        if kind == "weight" and tensor.dim() == 4:
            kernels[path] = tensor
        elif kind == "weight" and tensor.dim() == 2:
            matrices[path] = tensor
        elif kind == "running_mean" and tensor.dim() == 1:
            norms[path] = tensor
    layers = (*kernels, *matrices)
    for key, tensor in state.items():
        path, _, kind = key.rpartition(".")
        of_norm = kind in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
        if not ((path in layers and kind in ("weight", "bias")) or (path in norms and of_norm)):
            raise CheckpointError(f"{described(key, tensor)} has no place in one")
    order = sorted(kernels, key=natural)
    channels = image[0]
    for path in order:
        if kernels[path].shape[1] != channels:
            raise CheckpointError(f"{path} takes {kernels[path].shape[1]} channels, not {channels}")
        channels = kernels[path].shape[0]
    beside = dict(zip(order, sorted(norms, key=natural), strict=False))
    if norms and (
        len(norms) != len(order) or any(len(norms[n]) != len(kernels[p]) for p, n in beside.items())
    ):
        raise CheckpointError("not every convolution has a batch norm of its own")
    linears = sorted(matrices, key=natural)
    if not linears:
        raise CheckpointError("there is no linear layer at its end")
    for before, after in itertools.pairwise(linears):
        if matrices[before].shape[0] != matrices[after].shape[1]:
            raise CheckpointError(f"{after} does not take what {before} gives")
    ways, averaged = _way([kernels[p] for p in order], matrices[linears[0]].shape[1], image)
    convolutions = []
    for path, way in zip(order, ways, strict=True):
        outputs, inputs, *kernel = kernels[path].shape
        padding = [size // 2 for size in kernel] if way.padded else 0
        layer = nn.utils.skip_init(
            nn.Conv2d, inputs, outputs, tuple(kernel), padding=padding, bias=f"{path}.bias" in state
        )
        norm = nn.BatchNorm2d(outputs) if norms else None
        convolutions.append((path, layer, beside.get(path, ""), norm, way.pooled))
    named = []
    for path in linears:
        outputs, inputs = matrices[path].shape
        bias = f"{path}.bias" in state
        named.append((path, nn.utils.skip_init(nn.Linear, inputs, outputs, bias=bias)))
    return CNN(convolutions, named, averaged, _reading(ways, averaged))


def _way(
    kernels: list[torch.Tensor], inputs: int, image: tuple[int, int, int]
) -> tuple[tuple[Way, ...], bool]:
    """Padding and pooling of each convolution, and whether the end is averaged."""
    alike = [(way,) * len(kernels) for way in WAYS]
    each = itertools.product(WAYS, repeat=len(kernels)) if len(kernels) <= MOST else ()
    for ways in itertools.chain(alike, each):
        height, width = image[1:]
        for kernel, way in zip(kernels, ways, strict=True):
            if not way.padded:
                height, width = height - kernel.shape[2] + 1, width - kernel.shape[3] + 1
            if way.pooled:
                height, width = height // 2, width // 2
        if min(height, width) >= 1 and kernels[-1].shape[0] * height * width == inputs:
            return tuple(ways), False
    if kernels[-1].shape[0] == inputs:
        return (WAYS[0],) * len(kernels), True
    raise CheckpointError(
        f"no padding or pooling leads from {image[2]} × {image[1]} pixels to {inputs} inputs"
    )


def _reading(ways: Sequence[Way], averaged: bool) -> str:
    if len(set(ways)) == 1:
        padded = "padded" if ways[0].padded else "not padded"
        pooled = "pooled by 2" if ways[0].pooled else "not pooled"
        text = f"convolutions, each {padded}, with ReLU, {pooled}"
    else:
        kinds = (
            ("padded " if w.padded else "") + ("pooled" if w.pooled else "plain") for w in ways
        )
        text = f"convolutions with ReLU ({', '.join(kinds)})"
    return text + (", averaged" if averaged else "") + ", then linear layers"
