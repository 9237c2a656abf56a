"""Which layers the tensors of a plain net are, and in which order: all that a file does tell."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import nn

from lora_lab.errors import CheckpointError
from lora_lab.models.reading import Step
from lora_lab.names import natural, shown

LISTED = 6  # tensors that a message shows
SEARCHED = 8  # layers up to which every order is tried
PATH = re.compile(r"\w+(\.\w+)*", re.ASCII)
OF_NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")

Shape = tuple[int, ...]


class Layers(NamedTuple):
    """Convolutions and linear layers by module path, and the norms between them."""

    shapes: dict[str, Shape]  # of the weight: 4 numbers of a convolution, 2 of a linear layer
    orders: tuple[tuple[str, ...], ...]  # as names say; then as the file does, where that differs
    norms: dict[str, str]  # module path of the norm behind a layer
    running: frozenset[str]  # norms with statistics of a batch; others normalise each row
    biased: frozenset[str]  # layers and norms with a bias
    weighted: frozenset[str]  # norms with a weight

    @property
    def convolutions(self) -> tuple[str, ...]:
        return tuple(path for path in self.orders[0] if len(self.shapes[path]) == 4)

    @property
    def linears(self) -> tuple[str, ...]:
        return tuple(path for path in self.orders[0] if len(self.shapes[path]) == 2)

    def built(
        self, order: Sequence[str], steps: Sequence[Step]
    ) -> tuple[list[tuple[str, nn.Module]], dict[str, tuple[str, nn.Module]]]:
        """The layers in that order, without numbers in them yet, and the norms by layer's path.

        There is one of `steps` for each convolution.
        """
        made: list[tuple[str, nn.Module]] = []
        norms: dict[str, tuple[str, nn.Module]] = {}
        moves = iter(steps)
        for path in order:
            outputs, inputs, *kernel = self.shapes[path]
            how = {"bias": path in self.biased}
            if kernel:
                step = next(moves)
                layer = nn.utils.skip_init(
                    nn.Conv2d, inputs, outputs, tuple(kernel), step.stride, step.paddings(kernel),
                    **how,
                )  # fmt: skip
            else:
                layer = nn.utils.skip_init(nn.Linear, inputs, outputs, **how)
            made.append((path, layer))
            if beside := self.norms.get(path):
                affine = beside in self.weighted
                kind: nn.Module
                if beside not in self.running:
                    kind = nn.LayerNorm(outputs, bias=beside in self.biased)
                elif kernel:
                    kind = nn.BatchNorm2d(outputs, affine=affine)
                else:
                    kind = nn.BatchNorm1d(outputs, affine=affine)
                norms[path] = (beside, kind)
        return made, norms


def layers_of(state: dict[str, torch.Tensor]) -> Layers:
    """What the tensors are; raises CheckpointError, in half a sentence, where they are no chain."""
    shapes: dict[str, Shape] = {}
    flat, running = set(), set()  # paths with a 1-D weight; with statistics
    for key, tensor in state.items():
        path, _, kind = key.rpartition(".")
        if not path and kind in ("weight", "bias"):
            raise CheckpointError("it is one bare layer; save nn.Sequential(layer).state_dict()")
        if not (PATH.fullmatch(path) and (tensor.numel() or kind == "num_batches_tracked")):
            raise CheckpointError(f"{described(key, tensor)} has no place in one")
        if kind == "weight" and tensor.dim() in (2, 4) and tensor.is_floating_point():
            shapes[path] = tuple(tensor.shape)
        elif kind == "weight" and tensor.dim() == 1:
            flat.add(path)
        elif kind == "running_mean" and tensor.dim() == 1:
            running.add(path)
    norms = flat | running
    for key, tensor in state.items():
        path, _, kind = key.rpartition(".")
        fits = (
            path in shapes
            and kind in ("weight", "bias")
            and (kind == "weight" or tuple(tensor.shape) == shapes[path][:1])
        ) or (path in norms and kind in OF_NORM)
        if not (fits and (tensor.is_floating_point() or kind == "num_batches_tracked")):
            raise CheckpointError(f"{described(key, tensor)} has no place in one")
    kernels = {path: shape for path, shape in shapes.items() if len(shape) == 4}
    matrices = {path: shape for path, shape in shapes.items() if len(shape) == 2}
    first, second = _orders(kernels), _orders(matrices)
    orders = tuple(
        dict.fromkeys(a + b for a, b in ((first[0], second[0]), (first[-1], second[-1])))
    )
    widths = {
        path: len(state[f"{path}.{'running_mean' if path in running else 'weight'}"])
        for path in norms
    }
    return Layers(
        shapes, orders, _beside(orders[0], shapes, widths, running), frozenset(running),
        frozenset(key.removesuffix(".bias") for key in state if key.endswith(".bias")),
        frozenset(path for path in norms if f"{path}.weight" in state),
    )  # fmt: skip


def _orders(shapes: dict[str, Shape]) -> tuple[tuple[str, ...], ...]:
    """The orders in which the outputs of every layer are the inputs of the next.

    Names decide where they can (fc2 before fc10), then the order of the file; where shapes alone
    can, layers of one shape follow each other as their names do. A file in the order of the
    alphabet was sorted when it was written, and tells nothing.
    """

    def fits(order: Iterable[str]) -> bool:
        steps = itertools.pairwise(order)
        return all(shapes[before][0] == shapes[after][1] for before, after in steps)

    names, file = tuple(sorted(shapes, key=natural)), tuple(shapes)
    found = [order for order in (names, file) if fits(order)]
    if found and found[0] == names and list(file) == sorted(file):
        return (names,)
    if found:
        return tuple(dict.fromkeys(found))
    if len(shapes) <= SEARCHED:
        for given in (names, file):
            alike = [
                order
                for order in itertools.permutations(given)
                if fits(order) and _steady(order, given, shapes)
            ]
            if len(alike) == 1:
                found.append(alike[0])
    if not found:
        raise CheckpointError("the outputs of one layer are not the inputs of the next")
    return (found[0],) if list(file) == sorted(file) else tuple(dict.fromkeys(found))


def _steady(order: Sequence[str], given: Sequence[str], shapes: dict[str, Shape]) -> bool:
    """Whether layers of one shape stand in `order` as they do in `given`."""
    place = {path: i for i, path in enumerate(given)}
    last: dict[Shape, int] = {}
    for path in order:
        if last.get(shapes[path], -1) > place[path]:
            return False
        last[shapes[path]] = place[path]
    return True


def _beside(
    order: Sequence[str], shapes: dict[str, Shape], widths: dict[str, int], running: set[str]
) -> dict[str, str]:
    """The norm behind each layer that has one; raises CheckpointError where that is not certain."""
    if not widths:
        return {}
    norms = sorted(widths, key=natural)
    convolutions = [path for path in order if len(shapes[path]) == 4]
    hidden = list(order[:-1]) if not convolutions or len(order) > len(convolutions) else list(order)
    for places in (hidden, convolutions, hidden[len(convolutions) :]):
        pairs = list(zip(places, norms, strict=False))
        if (
            len(places) == len(norms)
            and all(widths[norm] == shapes[path][0] for path, norm in pairs)
            and all(norm in running or len(shapes[path]) == 2 for path, norm in pairs)
        ):
            return dict(pairs)
    raise CheckpointError("it is not certain which layer each norm stands behind")


def described(key: str, tensor: torch.Tensor) -> str:
    """A tensor for people: its name, escaped and cut, with shape and unusual type."""
    name = shown(key)[1:-1]
    kind = "" if tensor.is_floating_point() else f" {str(tensor.dtype).removeprefix('torch.')}"
    return f"{name} ({' × '.join(map(str, tensor.shape)) or 'one number'}{kind})"


def listed(state: dict[str, torch.Tensor]) -> str:
    """The first tensors of a file, for a message on what was found."""
    some = ", ".join(described(k, t) for k, t in itertools.islice(state.items(), LISTED))
    return some + (f" and {len(state) - LISTED} more" if len(state) > LISTED else "")
