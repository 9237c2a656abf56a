"""Which layers are adapted: by exact path, by the end of a path, or all linear ones."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from torch import nn

from lora_lab.adapters.kinds import Linear, TransposedLinear, kind_of, kind_or_none
from lora_lab.errors import AdapterError

ALL_LINEAR = "all-linear"


def find_targets(model: nn.Module, targets: Iterable[str] = ()) -> dict[str, nn.Module]:
    """The layers that `targets` name, by module path, in the model's order.

    A target is a full path or its dotted end ("q_proj" matches "layers.0.q_proj"), never a
    pattern; "all-linear", and no target at all, mean every linear layer but a language model's
    output head, as in PEFT. Raises AdapterError for a target that matches nothing or cannot be
    adapted, naming it.
    """
    modules = dict(model.named_modules())
    adaptable = {name: m for name, m in modules.items() if kind_or_none(m) is not None}
    if "" in adaptable:
        raise AdapterError("The model is a single bare layer; put it inside a module to adapt it.")
    wanted = set()
    for target in tuple(targets) or (ALL_LINEAR,):
        if target == ALL_LINEAR:
            chosen = _all_linear(model, adaptable)
            if not chosen:
                raise AdapterError("The model has no linear layer to adapt.")
        else:
            chosen = [n for n in modules if n and (n == target or n.endswith("." + target))]
            if not chosen:
                near = _nearest(target, adaptable)
                hint = f" Near it: {', '.join(near)}." if near else ""
                raise AdapterError(f"No layer is called {target!r}.{hint}")
        wanted.update(chosen)
    for name in wanted:
        kind_of(modules[name], name)
    return {name: module for name, module in modules.items() if name in wanted}


def adaptable_layers(model: nn.Module) -> dict[str, tuple[str, tuple[int, int]]]:
    """Every layer that could be targeted: its kind's name and its shape (out, in), by path."""
    modules = {name: (m, kind_or_none(m)) for name, m in model.named_modules() if name}
    return {
        name: (kind.name, kind.shape(module))
        for name, (module, kind) in modules.items()
        if kind is not None
    }


def numbered_modules(model: nn.Module) -> dict[str, tuple[str, tuple[int, ...], int]]:
    """Every module with parameters of its own, by path: class, shape of its weight, and how many.

    The counts add up to the model's parameters: a shared one counts at its first place.
    """
    first = {name for name, _ in model.named_parameters()}
    numbered = {}
    for name, module in model.named_modules():
        own = dict(module.named_parameters(recurse=False))
        if name and own:
            weight = own.get("weight")
            count = sum(p.numel() for key, p in own.items() if f"{name}.{key}" in first)
            shape = () if weight is None else tuple(weight.shape)
            numbered[name] = (type(module).__name__, shape, count)
    return numbered


def all_linear(model: nn.Module) -> list[str]:
    """The layers that "all-linear" means, by path: a language model's output head is none."""
    adaptable = {name: m for name, m in model.named_modules() if kind_or_none(m) is not None}
    return _all_linear(model, adaptable)


def _all_linear(model: nn.Module, adaptable: dict[str, nn.Module]) -> list[str]:
    head = None
    if hasattr(model, "get_output_embeddings"):  # a transformers model
        head = model.get_output_embeddings()
    return [
        name
        for name, module in adaptable.items()
        if kind_or_none(module) in (Linear, TransposedLinear) and module is not head
    ]


def _nearest(target: str, names: Iterable[str]) -> list[str]:
    """Paths and last parts of paths that look like `target`."""
    names = list(names)
    ends = list(dict.fromkeys(name.rpartition(".")[2] for name in names))
    return difflib.get_close_matches(target, [*dict.fromkeys([*ends, *names])], n=3, cutoff=0.4)
