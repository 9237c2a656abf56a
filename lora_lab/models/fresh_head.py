"""The last layer of a net for images, where it is for another number of classes than the data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import nn

OTHER = "in the checkpoint for another number of classes"

State = Mapping[str, torch.Tensor]


def other_head(mine: State, wanted: State) -> str:
    """The one layer whose tensors have another number of outputs than is wanted; "" for others."""
    apart = [(n, mine[n].shape, t.shape) for n, t in wanted.items() if mine[n].shape != t.shape]
    layers = {name.rpartition(".")[0] for name, _, _ in apart}
    alike = all(len(a) == len(b) and a[1:] == b[1:] for _, a, b in apart)
    return layers.pop() if len(layers) == 1 and alike else ""


def drawn_anew(layers: Iterable[str]) -> tuple[str, ...]:
    """The note on new heads; () where there is none."""
    names = ", ".join(layers)
    return (f"{names}: {OTHER}, so newly initialised and fully trained",) if names else ()


@torch.no_grad()
def with_classes(net: nn.Module, classes: int, image: torch.Tensor, seed: int) -> str:
    """Put a new linear layer for `classes` where the net's answer to `image` comes from.

    The layer's path; "" where no linear layer gives just the answer, and nothing is changed.
    """
    given: dict[str, list[torch.Tensor]] = {}
    hooks = [
        layer.register_forward_hook(
            lambda _, __, output, path=path: given.setdefault(path, []).append(output)
        )
        for path, layer in net.named_modules()
        if type(layer) is nn.Linear and path
    ]
    try:
        answer = net(image)
    finally:
        for hook in hooks:
            hook.remove()
    heads = [path for path, outputs in given.items() if outputs[-1] is answer and len(outputs) == 1]
    if len(heads) != 1:
        return ""
    (path,) = heads
    old = net.get_submodule(path)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        new = nn.Linear(old.in_features, classes, bias=old.bias is not None, dtype=old.weight.dtype)
    parent, _, name = path.rpartition(".")
    setattr(net.get_submodule(parent), name, new)
    return path
