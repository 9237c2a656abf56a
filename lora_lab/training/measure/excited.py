"""Which rows of the data a direction v answers to most, and v itself where a layer sees pixels."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from torch import nn

from lora_lab.adapters import AdapterLayer
from lora_lab.measured import Excited
from lora_lab.names import brief
from lora_lab.records import frozen_array
from lora_lab.tasks.base import LookedAt
from lora_lab.training.experiment import Experiment

ROWS = 200  # that are looked at, at most
SECONDS = 4.0  # for all of them
SHOWN = 4  # rows of each direction
AROUND = 6  # tokens before and after
WORD = 40  # letters that are shown of a token: a vocabulary may have tokens of thousands


class _Seen(Exception):
    """The layer has been reached; what comes after it need not be computed."""


@torch.no_grad()
def exciting(
    experiment: Experiment, layer: AdapterLayer, V: torch.Tensor
) -> tuple[list[tuple[Excited, ...]], int, str]:
    """For each v (k × in) the rows with the largest |v·x|, one place of each; rows that were seen.

    Of a convolution x is the patch under its kernel. With the reason where none can be shown.
    """
    if layer.kind.groups(layer.base_layer) > 1:
        return [()] * len(V), 0, "a convolution in groups reads each group for itself"
    best: list[list[tuple[float, int, int, LookedAt]]] = [[] for _ in V]
    end, seen = time.perf_counter() + SECONDS, 0
    for row in experiment.task.looked_at(ROWS):
        if experiment.should_stop() or (seen and time.perf_counter() > end):
            break
        given = _given(experiment.model, layer, row)
        if given is None:
            continue
        answers = answered(layer, given, V)  # (places, k)
        if row.words and len(answers) != len(row.words):
            continue
        seen += 1
        places = answers.abs().argmax(0)
        for kept, place, column in zip(best, places.tolist(), answers.mT, strict=True):
            kept.append((float(column[place]), place, seen, row))
            kept.sort(key=lambda x: (-abs(x[0]), x[2]))
            del kept[SHOWN:]
    if not seen:
        return [()] * len(V), 0, "no row of the data reaches this layer by itself"
    return [tuple(excited_row(*x) for x in kept) for kept in best], seen, ""


def answered(layer: AdapterLayer, x: torch.Tensor, V: torch.Tensor) -> torch.Tensor:
    """v·x at every place of one row's input x: (places, k) in float32, on the CPU."""
    A = V.to(x.device, layer.factor_dtype)
    z = x.to(A.dtype) if x.is_floating_point() else x
    y = layer.kind.low_rank(layer.base_layer, z, A, torch.eye(len(A), dtype=A.dtype).to(A.device))
    if len(layer.kind.weight_shape(layer.base_layer)) > 2:
        y = y.movedim(1, -1)  # (1, k, …) of a convolution
    return y.reshape(-1, len(A)).float().cpu()


def picture_of(
    experiment: Experiment, layer: AdapterLayer, V: torch.Tensor
) -> list[np.ndarray | None]:
    """Each v as a picture (height, width) of its weights, summed over channels; None elsewhere.

    Whether the layer sees pixels is asked of the model: its input is the very one of the model.
    """
    nothing: list[np.ndarray | None] = [None] * len(V)
    row = next(iter(experiment.task.looked_at(1)), None)
    if row is None or row.pixels is None or not len(V):
        return nothing
    given = _given(experiment.model, layer, row)
    same = given is not None and given.numel() == row.pixels.numel()
    if not same or not torch.equal(given.flatten(), row.pixels.flatten().to(given)):
        return nothing
    kernel = layer.kind.weight_shape(layer.base_layer)[1:]
    if len(kernel) == 3 and layer.kind.groups(layer.base_layer) == 1:
        shape = kernel
    elif len(kernel) == 1 and row.image is not None:
        height, width = row.image.shape[:2]
        shape = (V.shape[1] // (height * width), height, width)
        if shape[0] * height * width != V.shape[1]:
            return nothing
    else:
        return nothing
    return [frozen_array(v.reshape(shape).sum(0).numpy()) for v in V]


def _given(model: nn.Module, layer: AdapterLayer, row: LookedAt) -> torch.Tensor | None:
    """What the layer is given of this row; None where it is not called."""
    seen: list[torch.Tensor] = []

    def keep(_: nn.Module, given: Any) -> None:
        seen.append(given[0])
        raise _Seen

    hook = layer.register_forward_pre_hook(keep)
    try:
        row.show(model)
    except _Seen:
        pass
    finally:
        hook.remove()
    return seen[0] if seen else None


def excited_row(value: float, place: int, _: int, row: LookedAt) -> Excited:
    """What is shown of a row: the token at `place`, and some to its sides."""
    begin = max(0, place - AROUND)
    words = [brief(word, WORD) for word in row.words[begin : place + 1 + AROUND]]
    at = place - begin
    return Excited(
        row.number, value, "".join(words[:at]), words[at] if words else "",
        "".join(words[at + 1 :]), brief(row.label), row.image,
    )  # fmt: skip
