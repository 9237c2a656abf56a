"""PEFT's LoRA folder: adapter_config.json and adapter_model.safetensors, as peft 0.21 writes them.

PEFT's own loader is lenient: a wrong prefix or half of the tensors leaves layers silently without
their adapter, and a wrong scale is not noticed at all. `load` therefore is strict: what it cannot
account for to the last key, it refuses.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError

import lora_lab
from lora_lab.adapters.weights import AdapterWeights, LayerWeights
from lora_lab.atomic import write_file
from lora_lab.errors import AdapterError
from lora_lab.formats.container import READABLE, read_container, show
from lora_lab.formats.peft_config import PeftConfig, ends_in, read_config

CONFIG = "adapter_config.json"
TENSORS = "adapter_model.safetensors"
PICKLE = "adapter_model.bin"
PEFT_VERSION = "0.21.2"  # the version whose files these are
PREFIX = "base_model.model."
A_KEY = ".lora_A.weight"
B_KEY = ".lora_B.weight"


def save(weights: AdapterWeights, folder: Path) -> tuple[str, ...]:
    """Write both files into `folder` and return notes on what was not obvious.

    lora_A (r × in) and lora_B (out × r) keep their type. Raises `AdapterError` for what the format
    cannot say, and `OSError` where the folder cannot be written.
    """
    _check_writable(weights)
    config, notes = _config(weights)
    tensors = {}
    for layer in weights.layers:
        # Copies, since the library refuses shared storage and views.
        tensors[PREFIX + layer.name + A_KEY] = layer.lora_A.detach().contiguous().clone()
        tensors[PREFIX + layer.name + B_KEY] = layer.lora_B.detach().contiguous().clone()
    metadata = {
        "format": "pt",
        "lora_lab_version": lora_lab.__version__,
        "variant": weights.variant,
        "base": weights.base,
        "base_fingerprint": weights.base_fingerprint,
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_file(folder / TENSORS, safetensors.torch.save(tensors, metadata))
    text = json.dumps(config, indent=2, sort_keys=True, allow_nan=False)
    write_file(folder / CONFIG, text.encode())
    return notes


def load(path: Path) -> AdapterWeights:
    """Read an adapter folder (or one of its two files), refusing what is not wholly understood.

    float64, float32, float16 and bfloat16 tensors keep their type. Raises `AdapterError` naming
    the file and the key.
    """
    folder = _folder(path)
    config = read_config(folder / CONFIG)
    container = read_container(folder / TENSORS)
    names = _layer_names(config, container.path, list(container.entries))
    for key, entry in container.entries.items():
        if entry.dtype not in (*READABLE, "BF16"):
            raise AdapterError(
                f"{container.path}: {show(key)} has type {entry.dtype}; only float64, float32, "
                "float16 and bfloat16 factors can be read"
            )
        if len(entry.shape) != 2 or 0 in entry.shape:
            raise AdapterError(
                f"{container.path}: {show(key)} has shape {list(entry.shape)}; only the two "
                "matrices of linear layers are supported yet"
            )
    try:
        tensors = safetensors.torch.load(container.data)
    except (SafetensorError, RuntimeError, ValueError, KeyError) as error:
        raise AdapterError(f"{container.path}: cannot be read: {error}") from error
    notes = list(config.notes)
    layers = []
    for name in names:
        layer = _layer(config, container.path, name, tensors)
        if layer.rank > min(layer.shape):
            notes.append(f"{name}: rank {layer.rank} is more than {min(layer.shape)} can use")
        layers.append(layer)
    return AdapterWeights(
        variant=container.metadata.get("variant") or "lora",
        layers=tuple(layers),
        base=container.metadata.get("base") or config.base_model_name_or_path,
        base_fingerprint=container.metadata.get("base_fingerprint", ""),
        dropout=config.lora_dropout,
        extra={
            "use_rslora": config.use_rslora,
            "base_model_name_or_path": config.base_model_name_or_path,
            "notes": tuple(notes),
        },
    )


def reread(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """(layer, ΔW in float64) as PEFT would compute it from a folder that `save` has written.

    Shares nothing with `save` and `load`: its own reader of the container, numpy, and PEFT's rules
    for targets, patterns and scaling. One layer at a time, since a large model's ΔW do not fit
    into memory together; `dict(reread(path))` collects them. Raises `AdapterError`.
    """
    config = json.loads((path / CONFIG).read_text("utf-8"))
    container = read_container(path / TENSORS)

    def lookup(patterns: dict[str, Any], name: str, default: Any) -> Any:
        for key, value in patterns.items():
            if not re.fullmatch(r"\^?([\w-]|\\.)*", key):  # only what `save` writes is run as it is
                raise AdapterError(f"{path / CONFIG}: unexpected pattern {show(key)}")
            if re.match(rf"(.*\.)?({key})$", name):
                return value
        return default

    for key in container.entries:
        name = key.removeprefix("base_model.model.").removesuffix(".lora_A.weight")
        if not key.endswith(".lora_A.weight"):
            continue
        if not any(name == t or name.endswith("." + t) for t in config["target_modules"]):
            raise AdapterError(f"{path / CONFIG}: target_modules lacks {show(name)}")
        a = container.array(key)  # (r, in)
        b = container.array(f"base_model.model.{name}.lora_B.weight")  # (out, r)
        rank = lookup(config["rank_pattern"], name, config["r"])
        alpha = lookup(config["alpha_pattern"], name, config["lora_alpha"])
        if a.shape[0] != rank or b.shape[1] != rank:
            raise AdapterError(f"{path / TENSORS}: {show(name)} does not have rank {rank}")
        delta = b @ a  # (out, in)
        delta *= alpha / rank**0.5 if config["use_rslora"] else alpha / rank
        yield name, delta


def _check_writable(weights: AdapterWeights) -> None:
    if not weights.layers:
        raise AdapterError("the adapter has no layers, so there is nothing to write")
    for name, count in Counter(layer.name for layer in weights.layers).items():
        if count > 1:
            raise AdapterError(f"the layer name {show(name)} is used {count} times")
    for layer in weights.layers:
        if not layer.name:
            raise AdapterError("the whole model is one layer without a name; PEFT cannot target it")
        if layer.kind != "linear":
            raise AdapterError(f"{layer.name}: only linear layers can be written, not {layer.kind}")
        if layer.lora_B.shape[1] != layer.rank or layer.rank < 1:
            raise AdapterError(f"{layer.name}: lora_A and lora_B differ in rank")


def _config(weights: AdapterWeights) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The settings in PEFT's words, and notes."""
    layers, notes = weights.layers, []
    plain = all(_same(x.scaling, x.alpha / x.rank) for x in layers)
    rslora = not plain and all(_same(x.scaling, x.alpha / math.sqrt(x.rank)) for x in layers)
    if plain or rslora:
        alphas = [x.alpha for x in layers]
    else:
        # α and scaling were moved apart; only their product with the factors means anything.
        alphas = [x.scaling * x.rank for x in layers]
        notes.append("lora_alpha is written as scaling · rank, so that the file computes the same")
    pairs = [(x.rank, _number(alpha)) for x, alpha in zip(layers, alphas, strict=True)]
    (rank, alpha), _ = Counter(pairs).most_common(1)[0]
    # Both patterns together, since PEFT divides the pattern's alpha by the pattern's rank; and
    # anchored and escaped, since PEFT takes a key for a regular expression on any suffix.
    own = {
        "^" + re.escape(x.name): pair
        for x, pair in zip(layers, pairs, strict=True)
        if pair != (rank, alpha)
    }
    if bare := sorted(x.name for x in layers if "." not in x.name):
        notes.append(
            f"PEFT also takes {', '.join(bare)} as the last part of longer module names; "
            "a base that has such modules would get untrained adapters there, with a warning"
        )
    config = {
        "peft_type": "LORA",
        "peft_version": PEFT_VERSION,
        "task_type": None,
        "auto_mapping": None,
        "base_model_name_or_path": _hub_name(weights),
        "revision": None,
        "inference_mode": True,
        "r": rank,
        "lora_alpha": alpha,
        "lora_dropout": weights.dropout,
        "target_modules": sorted(x.name for x in layers),
        "exclude_modules": None,
        "bias": "none",
        "fan_in_fan_out": False,
        "use_rslora": rslora,
        "use_dora": False,
        "init_lora_weights": True,
        "modules_to_save": None,
        "layers_to_transform": None,
        "layers_pattern": None,
        "rank_pattern": {key: pair[0] for key, pair in own.items()},
        "alpha_pattern": {key: pair[1] for key, pair in own.items()},
    }
    return config, tuple(notes)


def _hub_name(weights: AdapterWeights) -> str | None:
    """The base as PEFT means it: a model of the Hub or a folder of one, never a file of ours.

    PEFT looks the name up in the network whenever the adapter is saved again, so that a name which
    is not there costs its user a warning. `extra["base_model_name_or_path"]` may give a Hub name.
    """
    if known := weights.extra.get("base_model_name_or_path"):
        return str(known)
    return weights.base if weights.base and (Path(weights.base) / "config.json").is_file() else None


def _folder(path: Path) -> Path:
    """The adapter folder that `path` means; refuses pickles by name."""
    if path.suffix in (".bin", ".pt", ".pth", ".ckpt"):
        raise AdapterError(
            f"{path}: a pickle can run code when it is opened, so it is not read; save the adapter "
            "as safetensors"
        )
    folder = path.parent if path.name in (CONFIG, TENSORS) else path
    if not folder.is_dir():
        raise AdapterError(f"{path}: there is no such adapter folder")
    if not (folder / TENSORS).exists() and (folder / PICKLE).exists():
        raise AdapterError(
            f"{folder / PICKLE}: a pickle can run code when it is opened, so it is not read; save "
            "the adapter again with PEFT's save_pretrained(..., safe_serialization=True)"
        )
    return folder


def _layer_names(config: PeftConfig, path: Path, keys: list[str]) -> list[str]:
    """Names of the layers, each with both factors, exactly those that the config targets."""
    halves: dict[str, set[str]] = {}
    for key in keys:
        half = next((end for end in (A_KEY, B_KEY) if key.endswith(end)), None)
        if half is None or not key.startswith(PREFIX) or key == PREFIX[:-1] + half:
            raise AdapterError(f"{path}: unexpected key {show(key)}: {_guess(key)}")
        halves.setdefault(key[len(PREFIX) : -len(half)], set()).add(half)
    if not halves:
        raise AdapterError(f"{path}: the file has no tensors")
    for name, found in halves.items():
        if missing := {A_KEY, B_KEY} - found:
            raise AdapterError(f"{path}: {show(PREFIX + name + missing.pop())} is missing")
        if not config.targets(name):
            raise AdapterError(
                f"{config.path}: target_modules lacks {show(name)}, whose factors are in the file; "
                "PEFT would leave them out without a word"
            )
    for target in config.target_modules or ():
        if not any(ends_in(name, target) for name in halves):
            raise AdapterError(
                f"{path}: no factors for {show(target)}, which target_modules names; "
                "the file seems to be only a part of the adapter"
            )
    return sorted(halves, key=_natural)


def _layer(
    config: PeftConfig, path: Path, name: str, tensors: dict[str, torch.Tensor]
) -> LayerWeights:
    a, b = tensors[PREFIX + name + A_KEY], tensors[PREFIX + name + B_KEY]  # (r, in), (out, r)
    rank = config.rank(name)
    for key, factor, found in ((A_KEY, a, a.shape[0]), (B_KEY, b, b.shape[1])):
        if found != rank:
            raise AdapterError(
                f"{path}: {show(PREFIX + name + key)} has rank {found}, but {config.path.name} "
                f"says {rank}"
            )
        if bad := int((~torch.isfinite(factor)).sum()):
            raise AdapterError(
                f"{path}: {show(PREFIX + name + key)} has {bad} values that are NaN or infinite"
            )
    return LayerWeights(name, a, b, alpha=config.alpha(name), scaling=config.scaling(name))


def _guess(key: str) -> str:
    """What a key that does not belong may mean, for the person who has the file."""
    if re.search(r"\.lora_[AB]\.[^.]+\.weight$", key):
        return "an adapter's name was left in it; save with PEFT's save_pretrained"
    if "lora_down" in key or "lora_up" in key or key.endswith(".alpha"):
        return "this is a kohya file, not a PEFT folder"
    if "lora_magnitude_vector" in key:
        return "DoRA adapters are not supported yet"
    if "lora_embedding_" in key:
        return "adapters of embeddings are not supported yet"
    if not key.startswith(PREFIX) and "lora_" in key:
        return f"PEFT's keys begin with {PREFIX!r}"
    return "it is not a LoRA factor of a linear layer"


def _natural(name: str) -> list[tuple[int, int | str]]:
    """Sorts layers.2 before layers.10."""
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in name.split(".")]


def _same(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=1e-12, abs_tol=0.0)


def _number(value: float) -> int | float:
    """An integer where there is one, as PEFT writes it."""
    return int(value) if float(value).is_integer() else float(value)
