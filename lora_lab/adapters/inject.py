"""Put adapters into a model and take them out: inject, iterate, switch, remove."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from lora_lab import inits
from lora_lab.adapters import INITS, VARIANTS, AdapterLayer
from lora_lab.adapters.base import Sharing
from lora_lab.adapters.experts import ExpertMatrix, Experts
from lora_lab.adapters.targets import find_targets
from lora_lab.blocks.forms import FORMS
from lora_lab.blocks.frozen import FrozenBlocks
from lora_lab.errors import AdapterError
from lora_lab.projections import FLAT, HASH
from lora_lab.variants import FULL, PLAIN
from lora_lab.variants import VARIANTS as ROWS


def inject(
    model: nn.Module,
    *,
    variant: str = PLAIN,
    rank: int = 8,
    alpha: float = 16.0,
    init: str = inits.PLAIN,
    targets: Iterable[str] = (),
    whole: Iterable[str] = (),
    seed: int = 0,
    dimension: int = 1,
    projection: str = HASH,
    structure: str = FLAT,
) -> dict[str, AdapterLayer]:
    """Freeze `model`, wrap its target layers, and return the adapters by module path.

    A layer that is used at several places gets one adapter for all of them. The layers `whole`,
    by module path, are fully trained, whatever the variant; they need be no targets. `dimension`
    is how many numbers the layers of a random subspace share, and `projection` and `structure`
    how they move the weights. Raises AdapterError, and leaves the
    model as it was, for unknown names, an adapted model, a rank below 1 or above what every target
    can use, a dimension that the layers have no room for, an α that is not a positive number, or a
    weight that is not a floating-point tensor with data.
    """
    if variant not in VARIANTS:
        raise AdapterError(f"No variant {variant!r}; there are: {', '.join(VARIANTS)}.")
    if init not in INITS:
        raise AdapterError(f"No init {init!r}; there are: {', '.join(INITS)}.")
    if rank < 1:
        raise AdapterError(f"Rank must be at least 1, not {rank}.")
    if not 0 < alpha < float("inf"):
        raise AdapterError(f"Alpha must be a positive number, not {alpha}.")
    if any(isinstance(module, AdapterLayer) for module in model.modules()):
        raise AdapterError("The model carries adapters already. Remove or merge them first.")
    generator = torch.Generator().manual_seed(seed)
    asked = Sharing(seed, dimension, projection, structure)
    needed = [p.requires_grad for p in model.parameters()]
    try:
        wholes, modules = set(whole), dict(model.named_modules())
        wanted = find_targets(model, targets) | {n: modules[n] for n in modules if n in wholes}
        _check_experts(wanted, variant)
        _check_blocks(wanted, variant, wholes)
        _check_init(wanted, init, variant)
        layers = {
            name: VARIANTS[FULL if name in wholes else variant](
                layer, name, rank, alpha, init, generator
            )
            for name, layer in _in_order(model, wanted).items()
        }
        _check_rank(layers, rank)
        for kind in dict.fromkeys(map(type, layers.values())):
            kind.share([x for x in layers.values() if type(x) is kind], asked)
    except Exception:
        for p, need in zip(model.parameters(), needed, strict=True):
            p.requires_grad_(need)
        raise
    model.requires_grad_(False)
    paths: dict[nn.Module, list[str]] = {}
    for name, module in model.named_modules(remove_duplicate=False):
        paths.setdefault(module, []).append(name)
    for name, layer in layers.items():
        layer.also = tuple(p for p in paths.get(layer.base_layer, ()) if p != name)
    replace_layers(model, _in_place(layers))
    return layers


def adapter_layers(model: nn.Module) -> dict[str, AdapterLayer]:
    """The adapters of a model by module path, in the model's order."""
    return {m.name: m for m in model.modules() if isinstance(m, AdapterLayer)}


@contextmanager
def switched(layers: dict[str, AdapterLayer], enabled: bool) -> Iterator[None]:
    """Answer with (W + ΔW) x or with W x alone for a while; nothing is computed or copied."""
    before = {name: layer.enabled for name, layer in layers.items()}
    for layer in layers.values():
        layer.enabled = enabled
    try:
        yield
    finally:
        for name, layer in layers.items():
            layer.enabled = before[name]


def remove(model: nn.Module) -> None:
    """Take the adapters out; the layers that were wrapped are back in place, bit for bit."""
    stand_ins = (m for m in model.modules() if isinstance(m, AdapterLayer | Experts))
    replace_layers(model, {module: module.base_layer for module in stand_ins})


def replace_layers(model: nn.Module, new: dict[nn.Module, nn.Module]) -> None:
    """Put the new layer at every place of the old one, for each pair old → new."""
    places = [
        (parent, child, new[module])
        for parent in model.modules()
        for child, module in parent._modules.items()
        if module in new and parent is not new[module]
    ]
    count = Counter(module for _, _, module in places)
    for module in count:
        if isinstance(module, AdapterLayer):
            module.shared = count[module] > 1
    for parent, child, module in places:
        setattr(parent, child, module)


def _in_order(model: nn.Module, wanted: dict[str, nn.Module]) -> dict[str, nn.Module]:
    """`wanted` as the model has its layers; the experts of a module where that module is."""
    by_owner: dict[nn.Module, dict[str, nn.Module]] = {}
    for name, layer in wanted.items():
        if isinstance(layer, ExpertMatrix):
            by_owner.setdefault(layer.owner, {})[name] = layer
    ordered: dict[str, nn.Module] = {}
    for name, module in model.named_modules():
        ordered |= by_owner.get(module, {})
        if name in wanted:
            ordered[name] = module
    return ordered


def _in_place(layers: dict[str, AdapterLayer]) -> dict[nn.Module, nn.Module]:
    """Layer → its adapter, and module of experts → what stands in its place."""
    new: dict[nn.Module, nn.Module] = {}
    owned: dict[nn.Module, list[AdapterLayer]] = {}
    for layer in layers.values():
        if isinstance(layer.base_layer, ExpertMatrix):
            owned.setdefault(layer.base_layer.owner, []).append(layer)
        else:
            new[layer.base_layer] = layer
    return new | {owner: Experts(owner, own) for owner, own in owned.items()}


def _check_experts(wanted: dict[str, nn.Module], variant: str) -> None:
    """Raise AdapterError for a variant that PEFT has not of a matrix among others."""
    row = ROWS[variant]
    experts = [name for name, layer in wanted.items() if isinstance(layer, ExpertMatrix)]
    if experts and not row.of_experts:
        able = " or ".join(name for name, x in ROWS.items() if x.of_experts)
        raise AdapterError(
            f"{experts[0]} is a matrix of an expert, and there is no {row} of experts: choose "
            f"{able}, or leave the experts out of the targets."
        )


def _check_blocks(wanted: dict[str, nn.Module], variant: str, whole: set[str]) -> None:
    """Raise AdapterError for a variant that moves W itself, where W stays in blocks."""
    for name, layer in wanted.items():
        row = ROWS[FULL if name in whole else variant]
        if isinstance(layer, FrozenBlocks) and not row.factored:
            able = " or ".join(name for name, x in ROWS.items() if x.factored)
            raise AdapterError(
                f"{name} stays in blocks of {FORMS[layer.form].title}, and {row} moves each of its "
                f"numbers. Choose {able}, or open the base in floats."
            )


def _check_init(wanted: dict[str, nn.Module], init: str, variant: str) -> None:
    """Raise AdapterError for a start from what packing lost, where that is not known of any W."""
    row = ROWS[variant]
    if INITS[init].of_rounding is None or not row.factored or row.own_start:
        return
    packed = [layer for layer in wanted.values() if isinstance(layer, FrozenBlocks)]
    if not any(layer.original for layer in packed):
        why = "its file has the blocks alone" if packed else "this base is not packed"
        raise AdapterError(
            f"Init {init} starts from what packing the base took from W, and {why}. Open a folder "
            f"in 4 or 8 bits (--base-bits 4), or choose {inits.PLAIN}."
        )


def _check_rank(layers: dict[str, AdapterLayer], rank: int) -> None:
    """A rank that no layer can use is a mistake; one that some cannot use is capped there."""
    useful = {name: layer.max_rank for name, layer in layers.items() if hasattr(layer, "rank")}
    if useful and rank > max(useful.values()):
        name = max(useful, key=lambda name: useful[name])
        out_features, in_features = layers[name].shape
        raise AdapterError(
            f"Rank {rank} is above what any layer can use: the largest, {name}, is {out_features} "
            f"× {in_features}. Choose a rank of {useful[name]} or less."
        )
