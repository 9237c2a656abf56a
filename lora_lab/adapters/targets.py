"""Which layers are adapted: by exact path, by the end of a path, or all of a kind."""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection, Iterable

from torch import nn
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear as ReadInAttention

from lora_lab.adapters.experts import expert_matrices, stacks
from lora_lab.adapters.kinds import (
    Convolution,
    Linear,
    LinearInBlocks,
    TransposedLinear,
    kind_of,
    kind_or_none,
)
from lora_lab.adapters.weights import ExpertName
from lora_lab.beyond_peft import beyond_peft, renamed
from lora_lab.blocks.frozen import FrozenBlocks, numbers_of
from lora_lab.errors import AdapterError
from lora_lab.names import suffixes

OF_ATTENTION = "torch's attention reads its weight without calling it"

ALL_LINEAR = "all-linear"
ALL_LINEAR_CONV = "all-linear+conv"
ALL_LINEAR_EXPERTS = "all-linear+experts"


def find_targets(model: nn.Module, targets: Iterable[str] = ()) -> dict[str, nn.Module]:
    """The layers that `targets` name, by module path, in the model's order.

    A target is a full path or its dotted end ("q_proj" matches "layers.0.q_proj"), never a
    pattern; "all-linear", and no target at all, mean every linear layer but a language model's
    output head, as in PEFT, and those that LoRA in PEFT cannot hold (`left_out`);
    "all-linear+conv" the convolutions besides, except those in groups or with an unusual window,
    and "all-linear+experts" the matrices of a mixture's experts besides, which a path of their
    module or parameter means as well. Raises AdapterError for a target that matches nothing or
    cannot be adapted, naming it.
    """
    experts = expert_matrices(model)
    modules = {**dict(model.named_modules()), **experts}
    adaptable = {name: m for name, m in modules.items() if kind_or_none(m) is not None}
    if "" in adaptable:
        raise AdapterError("The model is a single bare layer; put it inside a module to adapt it.")
    words = dict.fromkeys(targets) or {ALL_LINEAR: None}
    named, wanted = _named(words, modules, experts), set[str]()
    for target in words:
        if target == ALL_LINEAR:
            chosen = _all_linear(model, adaptable)
            if not chosen:
                plain = _plain(model, adaptable)
                more = " It has convolutions: all-linear+conv targets them." if plain else ""
                out = {n: w for n, w in left_out(model).items() if _is_linear(modules[n])}
                for name, why in list(out.items())[:1]:
                    more += (
                        f" {name} and {len(out) - 1} more are no part of {ALL_LINEAR}, since "
                        f"{why}. Named, they are trained for a merged checkpoint."
                    )
                raise AdapterError(f"The model has no linear layer to adapt.{more}")
        elif target == ALL_LINEAR_CONV:
            chosen = [*_all_linear(model, adaptable), *_plain(model, adaptable)]
            if not chosen:
                raise AdapterError("The model has neither linear layers nor plain convolutions.")
        elif target == ALL_LINEAR_EXPERTS:
            if not experts:
                raise AdapterError(
                    "The model has no experts whose matrices are one parameter. all-linear targets "
                    "its linear layers."
                )
            chosen = [*_all_linear(model, adaptable), *experts]
        else:
            chosen = named[target]
            if not chosen:
                near = _nearest(target, adaptable)
                hint = f" Near it: {', '.join(near)}." if near else ""
                raise AdapterError(f"No layer is called {target!r}.{hint}")
        wanted.update(chosen)
    for name in wanted:
        kind_of(modules[name], name)
    return {name: module for name, module in modules.items() if name in wanted}


def default_targets(model: nn.Module) -> tuple[str, ...]:
    """What is targeted where nobody says: (), which is "all-linear", or the convolutions as well.

    They are, where most numbers of the layers that could be adapted are in convolutions.
    """
    adaptable = {name: m for name, m in model.named_modules() if kind_or_none(m) is not None}
    linear, conv = _all_linear(model, adaptable), _plain(model, adaptable)
    sizes = {name: math.prod(kind_of(m, name).weight_shape(m)) for name, m in adaptable.items()}
    numbers = [sum(sizes[name] for name in names) for names in (linear, conv)]
    return (ALL_LINEAR_CONV,) if numbers[1] > numbers[0] else ()


def all_conv(model: nn.Module) -> list[str]:
    """The convolutions that "all-linear+conv" means, by path."""
    return _plain(model, {n: m for n, m in model.named_modules() if kind_or_none(m) is not None})


def _plain(model: nn.Module, adaptable: dict[str, nn.Module]) -> list[str]:
    """Convolutions in one group, whose windows every format can write.

    Factors of a grouped one need a rank that is a multiple of its groups, often its channels.
    """
    usual = {"dilation": (), "padding_mode": "zeros"}
    without = {*of_other_senses(model), *left_out(model)}
    return [
        name
        for name, module in adaptable.items()
        if kind_or_none(module) is Convolution
        and module.groups == 1
        and Convolution.window(module) == usual
        and name not in without
    ]


def unreached(model: nn.Module) -> dict[str, tuple[int, int, float]]:
    """Matrices that no adapter can be put on, by class: modules, numbers, share of the model.

    torch's attention holds q, k and v packed in one, BiT's convolutions compute with another weight
    than the one they hold, and I-BERT's linear layers round; experts of a mixture, which are one
    parameter as well, have adapters of their own (`held_by_experts`).
    """
    total = numbers_of(model) or 1
    found: dict[str, tuple[int, int]] = {}
    for module in model.modules():
        if kind_or_none(module) is not None or isinstance(module, nn.Embedding | nn.Linear):
            continue
        if stacks(module):
            continue
        own = [
            p
            for name, p in module.named_parameters(recurse=False)
            if (p.dim() > 2 and len(p) > 1)
            or (name in ("in_proj_weight", "weight") and p.dim() == 2)
        ]
        if own:
            kind = type(module).__name__
            modules, numbers = found.get(kind, (0, 0))
            found[kind] = (modules + 1, numbers + sum(p.numel() for p in own))
    return {kind: (modules, n, n / total) for kind, (modules, n) in found.items()}


def held_by_experts(model: nn.Module) -> tuple[int, int, float]:
    """Experts' matrices, the numbers in them, and their share of the model."""
    total = numbers_of(model) or 1
    own = [p for module in model.modules() for p in stacks(module).values()]
    numbers = sum(p.numel() for p in own)
    return sum(map(len, own)), numbers, numbers / total


def adaptable_layers(model: nn.Module) -> dict[str, tuple[str, tuple[int, int]]]:
    """Every layer that could be targeted: its kind's name and its shape (out, in), by path."""
    modules = {name: (m, kind_or_none(m)) for name, m in layers_by_name(model).items()}
    return {
        name: (kind.name, kind.shape(module))
        for name, (module, kind) in modules.items()
        if kind is not None
    }


def layers_by_name(model: nn.Module) -> dict[str, nn.Module]:
    """Every module by its path, and the matrices of experts by theirs, in the model's order."""
    experts = expert_matrices(model)
    owners: dict[nn.Module, dict[str, nn.Module]] = {}
    for name, matrix in experts.items():
        owners.setdefault(matrix.owner, {})[name] = matrix
    found: dict[str, nn.Module] = {}
    for name, module in model.named_modules():
        found |= {name: module} if name else {}
        found |= owners.get(module, {})
    return found


def numbered_modules(model: nn.Module) -> dict[str, tuple[str, tuple[int, ...], int]]:
    """Every module with parameters of its own, by path: class, shape of its weight, and how many.

    The counts add up to the model's parameters: a shared one counts at its first place.
    """
    first = {name for name, _ in model.named_parameters()}
    packed: set[int] = set()  # blocks that were counted: a tied table is one
    numbered = {}
    for name, module in model.named_modules():
        own = dict(module.named_parameters(recurse=False))
        in_blocks = isinstance(module, FrozenBlocks)
        if name and (own or in_blocks):
            weight = module if in_blocks else own.get("weight")
            count = sum(p.numel() for key, p in own.items() if f"{name}.{key}" in first)
            if in_blocks and id(module.blocks) not in packed:
                count += math.prod(module.shape)
                packed.add(id(module.blocks))
            shape = () if weight is None else tuple(weight.shape)
            numbered[name] = (type(module).__name__, shape, count)
    return numbered


def all_linear(model: nn.Module) -> list[str]:
    """The layers that "all-linear" means, by path: a language model's output head is none."""
    adaptable = {name: m for name, m in model.named_modules() if kind_or_none(m) is not None}
    return _all_linear(model, adaptable)


def left_out(model: nn.Module) -> dict[str, str]:
    """The layers that could be adapted and that LoRA in PEFT cannot hold, by path, and why.

    No target of all of a kind means them; by their names they are adapted, and
    experts by all-linear+experts.
    """
    kind = str(getattr(getattr(model, "config", None), "model_type", ""))
    layers = {name: m for name, m in model.named_modules() if kind_or_none(m) is not None}
    reasons = {
        name: beyond_peft(kind, name) or OF_ATTENTION * isinstance(module, ReadInAttention)
        for name, module in layers.items()
    }
    if hasattr(model, "base_model_prefix"):  # one of transformers
        owners = {name for name, module in model.named_modules() if name and stacks(module)}
        lost = renamed({*layers, *owners}, kind, model)
        places = [(name, name) for name in layers]
        if not owners.isdisjoint(lost):
            places += [(name, ExpertName.of(name).owner) for name in expert_matrices(model)]
        reasons |= {name: lost[place] for name, place in places if place in lost}
    return {name: reason for name, reason in reasons.items() if reason}


def meant_then(targets: tuple[str, ...], names: Iterable[str]) -> tuple[str, ...]:
    """`targets`, and the layers `names` that these words meant as well when a run began."""
    more = tuple(names)
    return (*(targets or (ALL_LINEAR,)), *more) if more and of_a_kind(targets) else targets


def as_then(
    model: nn.Module, targets: tuple[str, ...], names: tuple[str, ...], whole: Collection[str]
) -> tuple[str, ...]:
    """`targets`, or by their names the layers of a run that began where these words meant others.

    `names`: all layers of the run, of which those of `whole` are in it in any case. What a kind
    leaves out goes by the renamings of the transformers that is installed.
    """
    then = tuple(name for name in names if name not in whole)
    if not then or not of_a_kind(targets):
        return targets
    try:
        if set(find_targets(model, targets)) - {*whole} == set(then):
            return targets
    except AdapterError:  # nothing is meant any more
        pass
    modules = {**dict(model.named_modules()), **expert_matrices(model)}
    return then if modules.keys() >= set(then) else targets  # of another base, which is said later


def of_a_kind(targets: Iterable[str]) -> bool:
    """Whether all layers of a kind are meant, in place of or beside named ones."""
    words = set(targets)
    return not words or not words.isdisjoint((ALL_LINEAR, ALL_LINEAR_CONV, ALL_LINEAR_EXPERTS))


def of_other_senses(model: nn.Module) -> list[str]:
    """The layers that could be adapted and that text alone does not pass, by path: those of images
    and sounds, in a language model that reads them besides."""
    part = language_part(model)
    head = model.get_output_embeddings() if part else None
    return [
        name
        for name, module in model.named_modules()
        if part and kind_or_none(module) is not None and module is not head
        if not name.startswith(f"{part}.")
    ]


def language_part(model: nn.Module) -> str:
    """The path of the part of a model that reads text, where others read images or sounds."""
    config = getattr(model, "config", None)
    other = any(hasattr(config, f"{sense}_config") for sense in ("vision", "audio"))
    if not other or model.get_output_embeddings() is None:
        return ""
    decoder = model.get_decoder()
    return next((name for name, module in model.named_modules() if module is decoder), "")


def _all_linear(model: nn.Module, adaptable: dict[str, nn.Module]) -> list[str]:
    head = None
    if hasattr(model, "get_output_embeddings"):  # a transformers model
        head = model.get_output_embeddings()
    without = {*of_other_senses(model), *left_out(model)}
    return [
        name
        for name, module in adaptable.items()
        if _is_linear(module) and module is not head
        if name not in without
    ]


def _is_linear(module: nn.Module) -> bool:
    return kind_or_none(module) in (Linear, LinearInBlocks, TransposedLinear)


def _named(
    targets: Iterable[str], modules: Iterable[str], experts: Iterable[str]
) -> dict[str, list[str]]:
    """Of each target the modules that it names, in one walk: experts, where it names some."""
    of_experts: dict[str, list[str]] = {target: [] for target in targets}
    others: dict[str, list[str]] = {target: [] for target in of_experts}
    for name in experts:
        for end in of_experts.keys() & {end for path in _paths(name) for end in suffixes(path)}:
            of_experts[end].append(name)
    for name in filter(None, modules):
        for end in others.keys() & suffixes(name):
            others[end].append(name)
    return {target: found or others[target] for target, found in of_experts.items()}


def _paths(name: str) -> tuple[str, ...]:
    """What an expert's matrix is called by: itself, its parameter, its expert, or all experts.

    `….experts.3.down_proj` is meant by its ends, and by those of `….experts.down_proj` and of
    `….experts.3` and `….experts`.
    """
    place = ExpertName.of(name)
    if place is None:
        return ()
    owner, parameter, number = place
    return name, f"{owner}.{parameter}", f"{owner}.{number}", owner


def _nearest(target: str, names: Iterable[str]) -> list[str]:
    """Paths and last parts of paths that look like `target`."""
    names = list(names)
    ends = list(dict.fromkeys(name.rpartition(".")[2] for name in names))
    return difflib.get_close_matches(target, [*dict.fromkeys([*ends, *names])], n=3, cutoff=0.4)
