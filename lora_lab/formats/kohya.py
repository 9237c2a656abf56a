"""kohya's one-file adapters (sd-scripts networks/lora.py), as ComfyUI and A1111 read them too.

Keys are `<prefix>_<path with _ for .>.lora_down.weight` (r, in[, *kernel]), `.lora_up.weight`
(out, r[, 1, …]) and `.alpha`, a number; s = α/r, and without an α it is 1. LyCORIS adds
`.dora_scale`. Paths cannot be recovered from their underscores: our files carry a table of them
in the metadata, and for others the base model's own names are used.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

import safetensors.torch
import torch

import lora_lab
from lora_lab.adapters.weights import AdapterWeights
from lora_lab.atomic import write_file
from lora_lab.errors import AdapterError
from lora_lab.figures import counted
from lora_lab.formats.factor_file import FactorFile, metadata_table, read_factor_file
from lora_lab.formats.factors import cannot_say, layer_of_factors, native_factors
from lora_lab.formats.portable import fold
from lora_lab.names import shown
from lora_lab.variants import of_factors

FILE = "adapter.safetensors"
NAMES = "lora_lab_names"  # in the metadata: {module of the key: module path}
COMPONENTS = {
    "unet": "lora_unet", "transformer": "lora_transformer", "text_encoder": "lora_te",
    "text_encoder_2": "lora_te2",
}  # fmt: skip
PREFIXES = ("lora_unet_", "lora_transformer_", "lora_te1_", "lora_te2_", "lora_te3_", "lora_te_",
            "lycoris_")  # fmt: skip
OTHERS = {
    "hada_w1": "LoHa", "lokr_w": "LoKr", "oft_": "OFT", "lora_mid": "a Tucker core",
    "ia3": "IA3", "diff": "whole differences",
}  # fmt: skip


def save(weights: AdapterWeights, folder: Path) -> tuple[str, ...]:
    """Write `folder`/adapter.safetensors; α is s·r of each layer, as sd-scripts divides it."""
    two = any(x.name.startswith("text_encoder_2.") for x in weights.layers)
    tensors: dict[str, torch.Tensor] = {}
    names: dict[str, str] = {}
    for layer in weights.layers:
        module = key_of(layer.name, two)
        if layer.scaling == 0:  # sd-scripts takes an alpha of 0 for the rank
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
    ranks = sorted({layer.rank for layer in weights.layers})
    alphas = sorted({layer.scaling * layer.rank for layer in weights.layers})
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
    write_file(folder / FILE, safetensors.torch.save(tensors, metadata))
    notes = []
    if any(abs(x.alpha - x.scaling * x.rank) > 1e-9 * abs(x.alpha) for x in weights.layers):
        notes.append("α is written as s·r, since sd-scripts knows no other rule")
    if any(x.magnitude is not None for x in weights.layers):
        notes.append("dora_scale is read by ComfyUI and LyCORIS; sd-scripts itself leaves it out")
    if not any(x.name.split(".")[0] in COMPONENTS for x in weights.layers):
        notes.append("no layer is of a unet, transformer or text encoder: all are named lora_unet_")
    return tuple(notes)


def key_of(name: str, two_encoders: bool = False) -> str:
    """The module of a key: its prefix by component, and the path with underscores."""
    if name.startswith(PREFIXES):
        return name.replace(".", "_")
    component, _, path = name.partition(".")
    prefix = COMPONENTS.get(component)
    if prefix is None or not path:
        return "lora_unet_" + name.replace(".", "_")
    if component == "text_encoder" and two_encoders:
        prefix = "lora_te1"
    return f"{prefix}_{path.replace('.', '_')}"


def limits(weights: AdapterWeights) -> tuple[str, ...]:
    """What such a file cannot hold."""
    return cannot_say(weights, "kohya")


def load(path: Path, names: Iterable[str] = ()) -> AdapterWeights:
    """Read one file; `names` are module paths of the base, to put the points back into the keys.

    Raises AdapterError naming the key that is not understood.
    """
    file = read_factor_file(path)
    metadata = file.metadata
    groups: dict[str, dict[str, torch.Tensor]] = {}
    for key, tensor in file.tensors.items():
        module, part = _split(path, key)
        groups.setdefault(module, {})[part] = tensor
    table = _table(file, groups, names)
    kinds = metadata_table(file, "lora_lab_kinds")
    notes, layers, alphas = [], [], []
    for module, parts in groups.items():
        for part in ("lora_down.weight", "lora_up.weight"):
            if part not in parts:
                raise AdapterError(f"{path}: {shown(f'{module}.{part}')} is missing")
        alpha = _alpha(path, module, parts.get("alpha"))
        alphas.append(alpha)
        name = table.get(module, module)
        try:
            layer = layer_of_factors(
                name, parts["lora_down.weight"], parts["lora_up.weight"], alpha or None,
                kind=str(kinds.get(name, "")) if isinstance(kinds, dict) else "",
                magnitude=_magnitude(parts),
            )  # fmt: skip
        except AdapterError as error:
            raise AdapterError(f"{path}: {error}") from None
        layers.append(layer)
    if not layers:
        raise AdapterError(f"{path}: the file has no tensors")
    notes += _rule_notes(alphas)
    if unknown := [module for module in groups if module not in table]:
        notes.append(
            f"the module paths of {counted(len(unknown), 'layer')} cannot be recovered from their "
            f"underscores ({unknown[0]}); the base model would tell them"
        )
    dora = [x.magnitude is not None for x in layers]
    if any(dora) and not all(dora):
        notes.append("only some layers have a dora_scale")
    return AdapterWeights(
        of_factors(magnitude=any(dora)),
        tuple(layers),
        base=metadata.get("lora_lab_base", metadata.get("ss_sd_model_name", "")),
        base_fingerprint=metadata.get("lora_lab_base_fingerprint", ""),
        extra={"format": "kohya", "notes": tuple(notes)},
    )


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
    return notes or ["s = α/r, with the α of each layer"]


def _split(path: Path, key: str) -> tuple[str, str]:
    module, _, part = key.partition(".")
    if part in ("lora_down.weight", "lora_up.weight", "alpha", "dora_scale"):
        return module, part
    for word, what in OTHERS.items():
        if word in part:
            raise AdapterError(
                f"{path}: {shown(key)} belongs to {what}, which is no product of two factors; only "
                "LoRA layers are read"
            )
    raise AdapterError(f"{path}: {shown(key)} has no place in a kohya file")


def _table(file: FactorFile, modules: Iterable[str], names: Iterable[str]) -> dict[str, str]:
    """Module of a key → module path, as far as it is known."""
    stored = metadata_table(file, NAMES)
    sound = isinstance(stored, dict) and all(isinstance(v, str) and v for v in stored.values())
    if sound and stored and len(set(stored.values())) == len(stored):
        return {module: stored[module] for module in modules if module in stored}
    flat: dict[str, list[str]] = {}
    for name in names:
        flat.setdefault(name.replace(".", "_"), []).append(name)
    known = {}
    for module in modules:
        bare = re.sub("^(" + "|".join(PREFIXES) + ")", "", module)
        # GPT-2's paths begin with "transformer", which is a component's name as well.
        those = flat.get(bare) or flat.get(module.removeprefix("lora_"), [])
        if len(those) == 1:
            known[module] = those[0]
    return known


def _alpha(path: Path, module: str, tensor: torch.Tensor | None) -> float | None:
    """α, of either sign; None where there is none, which means α = r."""
    if tensor is None:
        return None
    if tensor.numel() != 1:
        raise AdapterError(f"{path}: {shown(module + '.alpha')} is not one number")
    value = float(tensor)
    if not abs(value) < 1e30:
        raise AdapterError(f"{path}: {shown(module + '.alpha')} is {value}")
    return value


def _magnitude(parts: dict[str, torch.Tensor]) -> torch.Tensor | None:
    scale = parts.get("dora_scale")
    out = parts["lora_up.weight"].shape[0]
    if scale is not None and scale.shape[0] != out:
        raise AdapterError("its dora_scale is of the inputs (an old LyCORIS), not of the outputs")
    return scale
