"""kohya's one-file adapters (sd-scripts networks/lora.py), as ComfyUI and A1111 read them too.

Keys are `<prefix>_<path with _ for .>.lora_down.weight` (r, in[, *kernel]), `.lora_up.weight`
(out, r[, 1, …]) and `.alpha`, a number; s = α/r, and without an α it is 1. LyCORIS adds
`.dora_scale`. Paths cannot be recovered from their underscores: our files carry a table of them
in the metadata, and for others the base model's own names are used.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

import torch

import lora_lab
from lora_lab.adapters.weights import AdapterWeights, LayerWeights
from lora_lab.atomic import write_file
from lora_lab.errors import AdapterError
from lora_lab.figures import counted
from lora_lab.formats import lycoris
from lora_lab.formats.base_layers import weight_of
from lora_lab.formats.components import (
    ORIGINAL,
    PIPELINE,
    flattened,
    is_flat,
    named,
    split,
    unflattened,
)
from lora_lab.formats.factor_file import FactorFile, metadata_table, read_factor_file
from lora_lab.formats.factors import UNKNOWN, cannot_say, layer_of_factors, native_factors, scales
from lora_lab.formats.portable import fold
from lora_lab.formats.safetensors_out import packed
from lora_lab.names import shown
from lora_lab.variants import of_factors

FILE = "adapter.safetensors"
NAMES = "lora_lab_names"  # in the metadata: {module of the key: module path}
PARTS = ("lora_down.weight", "lora_up.weight", "alpha", "dora_scale", *lycoris.KNOWN)
COMMON = ("alpha", "diff", "diff_b", "w_norm", "b_norm")  # words that other files may use too


def save(weights: AdapterWeights, folder: Path) -> tuple[str, ...]:
    """Write `folder`/adapter.safetensors; α is s·r of each layer, as sd-scripts divides it.

    Raises AdapterError for a layer of no component that such files have a prefix for.
    """
    tensors, names = tensors_of(weights)
    ranks = sorted({layer.rank for layer in weights.layers})
    alphas = sorted({float(tensors[f"{module}.alpha"]) for module in names})
    metadata = {
        "format": "pt",
        "ss_network_module": "networks.lora",
        "ss_network_dim": str(ranks[0]) if len(ranks) == 1 else "Dynamic",
        "ss_network_alpha": f"{alphas[0]:g}" if len(alphas) == 1 else "Dynamic",
        "ss_training_comment": f"LoRA Lab {lora_lab.__version__}",
        "lora_lab_base": weights.base,
        "lora_lab_base_fingerprint": weights.base_fingerprint,
        "lora_lab_kinds": json.dumps({x.name: x.kind for x in weights.layers}),
        NAMES: json.dumps(names),
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_file(folder / FILE, *packed(tensors, metadata))
    notes = []
    if any(abs(x.alpha - x.scaling * x.rank) > 1e-9 * abs(x.alpha) for x in weights.layers):
        notes.append("α is written as s·r, since sd-scripts knows no other rule")
    if len({float(f"{x.scaling * x.rank:.6g}") for x in weights.layers}) > 1:
        notes.append(
            "layers have an α of their own, which diffusers 0.42 misses in a unet's attention; "
            "write diffusers for it"
        )
    if any(x.magnitude is not None for x in weights.layers):
        notes.append("dora_scale is read by ComfyUI and LyCORIS; sd-scripts itself leaves it out")
    if any(module.startswith("lora_transformer_") for module in names):
        notes.append(
            "lora_transformer_ is OneTrainer's, read by ComfyUI of FLUX and SD3, by diffusers of "
            "FLUX; for other transformers write diffusers"
        )
    return tuple(notes)


def tensors_of(weights: AdapterWeights) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """The tensors by key, and each key's module → the layer's name."""
    two = two_encoders(weights)
    tensors: dict[str, torch.Tensor] = {}
    names: dict[str, str] = {}
    for layer in weights.layers:
        module = key_of(layer.name, two)
        if layer.scaling <= 0:  # sd-scripts takes 0 for the rank; diffusers never ends below 0
            layer = fold(layer)
        if module in names:
            raise AdapterError(
                f"{layer.name} and {names[module]} have one and the same name in a kohya file"
            )
        names[module] = layer.name
        down, up = native_factors(layer)
        tensors[f"{module}.lora_down.weight"], tensors[f"{module}.lora_up.weight"] = down, up
        tensors[f"{module}.alpha"] = torch.tensor(layer.scaling * layer.rank, dtype=torch.float32)
        if layer.magnitude is not None:
            beside = (1,) * (down.dim() - 1)
            tensors[f"{module}.dora_scale"] = layer.magnitude.reshape(-1, *beside).clone()
    return tensors, names


def two_encoders(weights: AdapterWeights) -> bool:
    """Whether the first text encoder is lora_te1 there."""
    return any(split(layer.name)[0] == "text_encoder_2" for layer in weights.layers)


def key_of(name: str, two_encoders: bool = False) -> str:
    """The module of a key: its prefix by component, and the path with underscores."""
    if is_flat(name):
        return name
    component, path = split(name)
    prefix = {**ORIGINAL, **PIPELINE}.get(component, "")
    if not prefix:
        what = (
            f"the component {component} has no" if component else "a layer of no component has no"
        )
        raise AdapterError(f"{name}: {what} prefix in kohya files; write diffusers")
    if component == "text_encoder" and two_encoders:
        prefix = "lora_te1"
    return f"{prefix}_{flattened(component, path)}"


def limits(weights: AdapterWeights) -> tuple[str, ...]:
    """What such a file cannot hold."""
    return cannot_say(weights, "kohya")


def follows(keys: Iterable[str]) -> bool:
    """Whether any of these names of tensors is sd-scripts' or LyCORIS'."""
    ends = tuple(f".{part}" for part in PARTS if part not in COMMON)
    flat = tuple(f".{part}" for part in COMMON)
    return any(
        key.endswith(ends) or (key.endswith(flat) and is_flat(key.split(".")[0])) for key in keys
    )


def load(
    path: Path, names: Iterable[str] | Mapping[str, tuple[int, ...]] = (), base: str = ""
) -> AdapterWeights:
    """Read one file; `names` are module paths of the base, to put the points back into the keys.

    Where `names` has their shapes as well, they tell convolutions from linear layers; `base` is
    read where ΔW depends on W. Raises AdapterError naming the key that is not understood.
    """
    file = read_factor_file(path)
    groups: dict[str, dict[str, torch.Tensor]] = {}
    for key, tensor in file.tensors.items():
        module, part = _split(path, key)
        groups.setdefault(module, {})[part] = tensor
    notes = _without_biases(path, groups)
    table = _table(file, groups, names)
    kinds = metadata_table(file, "lora_lab_kinds")
    shapes = names if isinstance(names, Mapping) else {}
    layers, alphas = [], []
    try:
        lycoris.check_sizes(groups)
    except AdapterError as error:
        raise AdapterError(f"{path}: {error}") from None
    for module, parts in groups.items():
        name = table.get(module, named(module))
        alphas.append(_alpha(path, module, parts.get("alpha")))
        kind = str(kinds.get(name, "")) if isinstance(kinds, dict) else ""
        try:
            layers.append(_layer(name, parts, alphas[-1], (kind, shapes.get(name, ()), base)))
        except AdapterError as error:
            raise AdapterError(f"{path}: {error}") from None
    if not layers:
        raise AdapterError(f"{path}: the file has no tensors")
    notes += _rule_notes(alphas)
    notes += _kind_notes(groups, layers)
    if unknown := [module for module in groups if is_flat(module) and module not in table]:
        notes.append(
            f"the module paths of {counted(len(unknown), 'layer')} cannot be recovered from their "
            f"underscores ({unknown[0]}); the base model would tell them"
        )
    dora = [x.magnitude is not None for x in layers]
    if any(dora) and not all(dora):
        notes.append("only some layers have a dora_scale")
    metadata = file.metadata
    return AdapterWeights(
        of_factors(magnitude=any(dora)),
        tuple(layers),
        base=metadata.get("lora_lab_base", metadata.get("ss_sd_model_name", "")),
        base_fingerprint=metadata.get("lora_lab_base_fingerprint", ""),
        extra={
            "format": "kohya",
            "notes": tuple(notes),
            "product": next(filter(None, map(lycoris.kind_of, groups.values())), ""),
        },
    )


def _layer(
    name: str,
    parts: dict[str, torch.Tensor],
    alpha: float | None,
    known: tuple[str, tuple[int, ...], str],
) -> LayerWeights:
    """One layer; `known` is its kind by our own metadata, its shape in the base, and the base."""
    kind, shape, base = known
    down, up = (parts.get(part) for part in lycoris.PLAIN)
    magnitude = parts.get("dora_scale")
    by_inputs = up is not None and magnitude is not None and magnitude.shape[:1] != up.shape[:1]
    if not lycoris.kind_of(parts):
        for part in lycoris.PLAIN:
            if part not in parts:
                raise AdapterError(f"{shown(f'{name}.{part}')} is missing")
        assert down is not None
        assert up is not None
        layer = layer_of_factors(
            name, down, up, alpha or None, kind=kind,
            magnitude=None if by_inputs else magnitude,
        )  # fmt: skip
        if not by_inputs:
            return layer
    weight = None
    if base and shape:
        weight = partial(weight_of, base, name)
    return lycoris.layer(name, parts, alpha, shape, weight)


def _without_biases(path: Path, groups: dict[str, dict[str, torch.Tensor]]) -> list[str]:
    """Take out changes of biases and norms that are 0; raise AdapterError for one that is not."""
    count = 0
    for module, parts in list(groups.items()):
        vector = "diff" in parts and parts["diff"].dim() < 2  # of a norm: it has no matrix
        for part in (*lycoris.BIASES, *(("diff",) if vector else ())):
            tensor = parts.pop(part, None)
            if tensor is None:
                continue
            if tensor.double().count_nonzero():
                what = "a bias" if part == "diff_b" else "a norm"
                raise AdapterError(
                    f"{path}: {shown(f'{module}.{part}')} changes {what}, which no adapter of "
                    "factors holds. Merge the file with the program that made it, then extract"
                )
            count += 1
        if not set(parts) - {"alpha"}:
            del groups[module]
    return [f"{count} changes of biases and norms are 0 and were left out"] if count else []


def _kind_notes(
    groups: dict[str, dict[str, torch.Tensor]], layers: list[LayerWeights]
) -> list[str]:
    notes = []
    for kind in dict.fromkeys(
        what for parts in groups.values() if (what := lycoris.kind_of(parts))
    ):
        of = [
            layer for layer, parts in zip(layers, groups.values(), strict=True)
            if lycoris.kind_of(parts) == kind
        ]  # fmt: skip
        ranks = sorted({layer.rank for layer in of})
        span = f"{ranks[0]}" if len(ranks) == 1 else f"{ranks[0]} to {ranks[-1]}"
        notes.append(
            f"{kind} in {counted(len(of), 'layer')}: its ΔW is read exactly, as two factors of "
            f"rank {span}; resize makes a LoRA of a smaller rank of it, and says its error"
        )
    if any(layer.kind == UNKNOWN for layer in layers):
        notes.append(
            "whether a layer is linear or a convolution is not in the file; the base model would "
            "tell it (--base), and without it only what needs no layout can be done"
        )
    return notes


def _rule_notes(alphas: list[float | None]) -> list[str]:
    """How s was found; no α and an α of 0 are two things, though sd-scripts treats them alike."""
    of = counted(len(alphas), "layer")
    notes = []
    if missing := sum(alpha is None for alpha in alphas):
        notes.append(f"{missing} of {of} without α, which means α = r and so s = 1")
    if zero := sum(alpha == 0 for alpha in alphas):
        notes.append(
            f"{zero} of {of} with α = 0: sd-scripts takes that for α = r, so s = 1, which is taken "
            "here; ComfyUI and PEFT take it for s = 0, which would be no change at all"
        )
    notes = notes or ["s = α/r, with the α of each layer"]
    if any(alpha is not None and alpha < 0 for alpha in alphas):
        notes.append(
            "an α is below 0: diffusers 0.42 does not end when its loaders of FLUX, Wan and others "
            "read such a file; what is written here has the sign in lora_up"
        )
    return notes


def _split(path: Path, key: str) -> tuple[str, str]:
    part = next((part for part in PARTS if key.endswith(f".{part}")), "")
    if part and len(key) > len(part) + 1:
        return key[: -len(part) - 1], part
    if what := lycoris.other(key):
        raise AdapterError(
            f"{path}: {shown(key)} belongs to {what}, so that its ΔW is not in the file. Merge it "
            "with the program that made it, then extract an adapter from the two models"
        )
    raise AdapterError(f"{path}: {shown(key)} has no place in a kohya file")


def _table(file: FactorFile, modules: Iterable[str], names: Iterable[str]) -> dict[str, str]:
    """Module of a key → module path, as far as it is known."""
    stored = metadata_table(file, NAMES)
    sound = isinstance(stored, dict) and all(isinstance(v, str) and v for v in stored.values())
    if sound and stored and len(set(stored.values())) == len(stored):
        own = {module: stored[module] for module in modules if module in stored}
        if all(key.endswith(split(name)[1].replace(".", "_")) for key, name in own.items()):
            return own
    return unflattened([module for module in modules if is_flat(module)], names)


def _alpha(path: Path, module: str, tensor: torch.Tensor | None) -> float | None:
    """α, of either sign; None where there is none, which means α = r."""
    if tensor is None:
        return None
    if tensor.numel() != 1:
        raise AdapterError(f"{path}: {shown(module + '.alpha')} is not one number")
    value = float(tensor)
    if not scales(value):
        raise AdapterError(f"{path}: {shown(module + '.alpha')} is {value}")
    return value
