"""mlx-lm's adapter folder: adapters.safetensors and adapter_config.json.

`X.lora_a` (in, r) and `X.lora_b` (r, out), and with DoRA `X.m` (out); ΔW = scale·(lora_a·lora_b)ᵀ,
where the scale is a number of its own and no α/r (mlx_lm/tuner/{lora,dora,utils}.py, 0.32). One
rank and one scale hold for the whole folder, and mlx-lm refuses tensors of another shape.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from lora_lab.adapters.weights import AdapterWeights, LayerWeights
from lora_lab.atomic import write_file
from lora_lab.errors import AdapterError
from lora_lab.formats.factor_file import read_factor_file, read_settings
from lora_lab.formats.factors import MATRICES, layer_of_factors, scales
from lora_lab.formats.portable import fold, padded
from lora_lab.names import shown
from lora_lab.variants import of_factors

FILE = "adapters.safetensors"
SETTINGS = "adapter_config.json"
ENDS = (".lora_a", ".lora_b", ".m")
EMBEDDINGS = ("embed_tokens", "wte", "tok_embeddings", "word_embeddings", "embedding")
# Where mlx-lm's models hold what transformers' hold under the same name; GPT-2 is not among them.
NAMES = re.compile(r"(model|backbone|language_model\.model)\.layers\.\d+\..+|(.*\.)?lm_head")


def save(weights: AdapterWeights, folder: Path) -> tuple[str, ...]:
    """Write the folder for mlx-lm: s as the scale where all layers share it, else in lora_b."""
    same = len({layer.scaling for layer in weights.layers}) == 1
    layers = weights.layers if same else tuple(fold(layer) for layer in weights.layers)
    rank = max(layer.rank for layer in layers)
    tensors: dict[str, torch.Tensor] = {}
    for layer in (padded(layer, rank) for layer in layers):
        tensors[f"{layer.name}.lora_a"] = _native(layer.lora_A.t())
        tensors[f"{layer.name}.lora_b"] = _native(layer.lora_B.t())
        if layer.magnitude is not None:
            tensors[f"{layer.name}.m"] = _native(layer.magnitude)
    dora = any(layer.magnitude is not None for layer in layers)
    settings = {
        "fine_tune_type": "dora" if dora else "lora",
        "num_layers": -1,  # the keys are whole names, which hold in every block
        "lora_parameters": {
            "rank": rank,
            "scale": layers[0].scaling,
            "dropout": 0.0,
            "keys": [layer.name for layer in layers],
        },
        "lora_lab_base": weights.base,
        "lora_lab_base_fingerprint": weights.base_fingerprint,
        "lora_lab_kinds": {layer.name: layer.kind for layer in layers},
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_file(folder / FILE, safetensors.torch.save(tensors, {"format": "mlx"}))
    write_file(folder / SETTINGS, json.dumps(settings, indent=2).encode())
    notes = [] if same else ["the scaling differs by layer, so it is folded into lora_b"]
    if short := sum(layer.rank < rank for layer in layers):
        notes.append(f"mlx-lm knows one rank: {short} of {len(layers)} layers padded to {rank}")
    return tuple(notes)


def limits(weights: AdapterWeights) -> tuple[str, ...]:
    """What mlx-lm would not load, or compute otherwise."""
    reasons = []
    for layer in weights.layers:
        if layer.kind == "embedding":
            reasons.append(
                f"{layer.name}: mlx-lm adds the ΔW of an embedding to a head that is tied to it "
                "as well, which PEFT does not; write a merged checkpoint"
            )
        elif layer.kind not in MATRICES:
            reasons.append(f"{layer.name}: mlx-lm adapts no layers of type {layer.kind}")
        elif not NAMES.fullmatch(layer.name):
            reasons.append(
                f"{layer.name}: mlx-lm has no module of that name (its language models hold "
                "model.layers.…), and would refuse the file"
            )
    dora = [layer.magnitude is not None for layer in weights.layers]
    if any(dora) and not all(dora):
        reasons.append("mlx-lm has DoRA in every layer or in none, and here only some have it")
    if weights.whole:
        reasons.append(
            f"{weights.whole[0].name}: it is fully trained (modules_to_save), which mlx-lm's "
            "adapters cannot hold"
        )
    return tuple(reasons)


def follows(keys: list[str]) -> bool:
    """Whether these names of tensors are mlx-lm's."""
    return any(key.endswith(ENDS[:2]) for key in keys)


def load(path: Path, scale: float | None = None, alpha: float | None = None) -> AdapterWeights:
    """Read the folder or its file; `scale`, or `alpha` as α/r, says what the settings do not.

    Raises AdapterError where the scale is not known, a factor has no partner, or a tensor is none.
    """
    path = path / FILE if path.is_dir() else path
    parts: dict[str, dict[str, torch.Tensor]] = {}
    tensors = read_factor_file(path).tensors
    if not follows(list(tensors)):
        raise AdapterError(
            f"{path}: there are no factors (lora_a, lora_b) in it; where mlx-lm trained all "
            "weights (fine_tune_type full), merge them with mlx_lm.fuse and extract an adapter "
            "from the two models"
        )
    for key, tensor in tensors.items():
        end = next((end for end in ENDS if key.endswith(end) and len(key) > len(end)), "")
        if not end:
            raise AdapterError(
                f"{path}: {shown(key)} has no place in an MLX adapter: mlx-lm trains lora_a, "
                "lora_b and m alone"
            )
        parts.setdefault(key.removesuffix(end), {})[end] = tensor
    file = path.parent / SETTINGS
    settings = read_settings(file) if file.is_file() else {}
    kinds = settings.get("lora_lab_kinds")
    given, layers = {"scale": scale, "alpha": alpha}, []
    stated, notes = _scale(path, settings, given)
    for module, own in parts.items():
        for end in ENDS[:2]:
            if end not in own:
                raise AdapterError(f"{path}: {end[1:]} of {shown(module)} is missing")
        try:
            kind = kinds.get(module) if isinstance(kinds, dict) else None
            layers.append(_layer(module, own, stated, alpha, kind))
        except AdapterError as error:
            raise AdapterError(f"{path}: {error}") from None
    notes += _read_notes(path, settings, layers)
    return AdapterWeights(
        of_factors(magnitude=any(layer.magnitude is not None for layer in layers)),
        tuple(layers),
        base=str(settings.get("lora_lab_base") or settings.get("model") or ""),
        base_fingerprint=str(settings.get("lora_lab_base_fingerprint") or ""),
        extra={"format": "mlx", "notes": tuple(notes)},
    )


def _scale(
    path: Path, settings: dict[str, Any], given: dict[str, float | None]
) -> tuple[float | None, list[str]]:
    """The scale, None where it is the given α/r, and where it comes from."""
    own = settings.get("lora_parameters")
    own = own if isinstance(own, dict) else {}
    scale, alpha = given["scale"], given["alpha"]
    for name, value in given.items():
        if value is not None and not scales(value):
            raise AdapterError(f"{path}: {name} is {value:g}, no number that scales anything")
    if scale is not None and alpha is not None:
        raise AdapterError(f"{path}: give either the scale or the α (scale = α/r), not both")
    if scale is not None:
        return scale, [f"the scale {scale:g} that was given multiplies B·A"]
    if alpha is not None:
        return None, [f"scale = α/r with the α = {alpha:g} that was given"]
    stated = own.get("scale")
    if not scales(stated):
        what = f"is {shown(stated)}, no number" if "scale" in own else "is said nowhere"
        where = f"in {SETTINGS}" if settings else f"there is no {SETTINGS} beside it"
        raise AdapterError(
            f"{path}: the scale {what} ({where}), and mlx-lm itself refuses that. Give the scale "
            "it was trained with (--scale; mlx-lm's default was 20, in 2024 10), or its α (--alpha)"
        )
    notes = [f"its scale {stated:g} multiplies B·A as it is (from {SETTINGS})"]
    other, rank = own.get("alpha"), own.get("rank")
    if type(other) in (int, float) and type(rank) is int and rank > 0:
        product = stated * other / rank
        notes.append(
            f"α = {other:g} stands beside the scale, and the file cannot say which counts: "
            f"mlx-lm of early 2024 trained with scale·α/r = {product:g}, later versions with "
            f"{stated:g}, which is taken here. Choose the other with --scale {product:g}"
        )
    return float(stated), notes


def _layer(
    module: str,
    own: dict[str, torch.Tensor],
    scale: float | None,
    alpha: float | None,
    kind: str | None,
) -> LayerWeights:
    a, b, m = (own.get(end) for end in ENDS)
    assert a is not None
    assert b is not None
    if a.dim() == 3 or b.dim() == 3:
        raise AdapterError(
            f"{shown(module)}: one tensor has the factors of {a.shape[0]} experts (a switch layer "
            "of mlx-lm), which is not read; fuse it with mlx_lm.fuse, then extract"
        )
    if a.dim() != 2 or b.dim() != 2:
        raise AdapterError(
            f"{shown(module)}: factors of the shapes {list(a.shape)} and {list(b.shape)} are no "
            "matrices"
        )
    rank = a.shape[1]
    s = alpha / rank if scale is None and alpha is not None else float(scale or 0.0)
    named = "embedding" if module.rpartition(".")[2] in EMBEDDINGS else "linear"
    if m is not None and named == "embedding" and kind is None:
        raise AdapterError(
            f"{shown(module)}: mlx-lm's DoRA of an embedding has a magnitude for each token, "
            "where others have one for each column; fuse it with mlx_lm.fuse, then extract"
        )
    A, B = a.t().contiguous(), b.t().contiguous()  # (r, in), (out, r)
    return layer_of_factors(module, A, B, s * rank, s, kind=str(kind or named), magnitude=m)


def _read_notes(path: Path, settings: dict[str, Any], layers: list[LayerWeights]) -> list[str]:
    """What the settings promise beside the tensors; raises AdapterError where they differ."""
    dora = any(layer.magnitude is not None for layer in layers)
    kind = settings.get("fine_tune_type", "dora" if settings.get("use_dora") else None)
    if kind == "dora" and not dora:
        raise AdapterError(
            f"{path}: {SETTINGS} says DoRA, but there are no magnitudes (m) in the file; without "
            "them ΔW is not known"
        )
    if kind == "lora" and dora:
        raise AdapterError(
            f"{path}: there are magnitudes (m) in the file, but {SETTINGS} says fine_tune_type "
            "lora, and mlx-lm would refuse it; correct it to dora"
        )
    if dora and not all(layer.magnitude is not None for layer in layers):
        raise AdapterError(f"{path}: only some layers have a magnitude (m)")
    notes = ["DoRA: m is the magnitude of each output"] if dora else []
    if tables := [layer.name for layer in layers if layer.kind == "embedding"]:
        notes.append(f"{tables[0]}: mlx-lm adds its ΔW to a head that is tied to it as well")
    return notes


def _native(tensor: torch.Tensor) -> torch.Tensor:
    """A copy in the order of the file; MLX computes in no wider type than float32."""
    narrow = tensor.float() if tensor.dtype == torch.float64 else tensor
    return narrow.detach().contiguous().clone()
