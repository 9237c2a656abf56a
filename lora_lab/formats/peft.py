"""PEFT's LoRA folder: adapter_config.json and adapter_model.safetensors, as peft 0.21 writes them.

PEFT's own loader is lenient: a wrong prefix or half of the tensors leaves layers silently without
their adapter, and a wrong scale is not noticed at all. `load` therefore is strict: what it cannot
account for to the last key, it refuses.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import safetensors.torch

import lora_lab
from lora_lab.adapters.weights import AdapterWeights, LayerWeights, WholeLayer
from lora_lab.atomic import write_file
from lora_lab.errors import AdapterError
from lora_lab.formats.factor_file import FactorFile, metadata_table, read_factor_file
from lora_lab.formats.factors import FLOATS
from lora_lab.formats.peft_config import PeftConfig, config_of, read_config
from lora_lab.formats.peft_limits import model_type, unusual
from lora_lab.formats.peft_patterns import ends_in
from lora_lab.formats.peft_tensors import (
    A_KEY,
    B_KEY,
    CONVOLUTION,
    EMBEDDING,
    EMBEDDING_A,
    EMBEDDING_B,
    LINEAR,
    MAGNITUDE,
    PREFIX,
    TRANSPOSED,
    Tensors,
    layer_of,
    split_key,
    tensors_of,
)
from lora_lab.names import natural, shown
from lora_lab.variants import VARIANTS, of_flags, peft_flags

CONFIG = "adapter_config.json"
TENSORS = "adapter_model.safetensors"
PICKLE = "adapter_model.bin"


def save(weights: AdapterWeights, folder: Path) -> tuple[str, ...]:
    """Write both files into `folder` and return notes on what was not obvious.

    The factors keep their type. The metadata has the types of the layers, which PEFT knows from the
    base model. Raises `AdapterError` for what the format cannot say, and `OSError` where the folder
    cannot be written.
    """
    _check_writable(weights)
    config, notes = config_of(weights)
    tensors: Tensors = {}
    for layer in weights.layers:
        tensors.update(tensors_of(layer))
    for layer in weights.whole:
        tensors.update({PREFIX + k: t.contiguous() for k, t in layer.tensors().items()})
    metadata = {
        "format": "pt",
        "lora_lab_version": lora_lab.__version__,
        "variant": weights.variant,
        "base": weights.base,
        "base_fingerprint": weights.base_fingerprint,
        "kinds": json.dumps({layer.name: layer.kind for layer in weights.layers}),
        "windows": json.dumps(
            {x.name: [x.dilation, x.padding_mode] for x in weights.layers if unusual(x)}
        ),
        "not_called": json.dumps([x.name for x in weights.layers if not x.called]),
        "model_type": model_type(weights),
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_file(folder / TENSORS, safetensors.torch.save(tensors, metadata))
    text = json.dumps(config, indent=2, sort_keys=True, allow_nan=False)
    write_file(folder / CONFIG, text.encode())
    return notes


def load(path: Path) -> AdapterWeights:
    """Read an adapter folder (or one of its two files), refusing what is not wholly understood.

    float64, float32, float16 and bfloat16 tensors keep their type. A file of PEFT's own does not
    tell nn.Linear from transformers' Conv1D but by fan_in_fan_out, one for all. Raises
    `AdapterError` naming the file and the key.
    """
    folder = _folder(path)
    config = read_config(folder / CONFIG)
    has_pickle = not (folder / TENSORS).exists() and (folder / PICKLE).exists()
    file = read_factor_file(folder / (PICKLE if has_pickle else TENSORS))
    whole = _whole(config, file)
    parts = _parts(config, file, {f"{PREFIX}{key}" for keys in whole.values() for key in keys})
    _check_targets(config, file, list(parts))
    kinds = _kinds(config, file, parts)
    windows = _windows(file, kinds)
    idle = metadata_table(file, "not_called")
    notes = list(config.notes)
    layers = []
    for name in sorted(parts, key=natural):
        own = {part: file.tensors[PREFIX + name + part] for part in parts[name]}
        rule = (config.rank(name), config.alpha(name), config.scaling(name))
        try:
            layer = layer_of(name, own, kinds[name], *rule)
        except AdapterError as error:
            raise AdapterError(f"{file.path}: {error}") from None
        if layer.rank > (useful := _useful_rank(layer)):
            notes.append(f"{name}: rank {layer.rank} is more than {useful} can use")
        dilation, padding_mode = windows.get(name, ((), "zeros"))
        if len(dilation) not in (0, len(layer.weight_shape) - 2):
            raise AdapterError(f"{file.path}: the dilation of {shown(name)} does not fit")
        layers.append(
            replace(layer, dilation=dilation, padding_mode=padding_mode, called=name not in idle)
        )
    return AdapterWeights(
        variant=_variant(config, file),
        layers=tuple(layers),
        whole=tuple(
            WholeLayer(name, *(file.tensors[PREFIX + key] for key in keys))
            for name, keys in whole.items()
        ),
        base=file.metadata.get("base") or config.base_model_name_or_path,
        base_fingerprint=file.metadata.get("base_fingerprint", ""),
        dropout=config.lora_dropout,
        extra={
            "use_rslora": config.use_rslora,
            "base_model_name_or_path": config.base_model_name_or_path,
            "task_type": config.task_type,
            "model_type": file.metadata.get("model_type", ""),
            "notes": tuple(notes),
        },
    )


def _check_writable(weights: AdapterWeights) -> None:
    if not weights.layers:
        raise AdapterError("the adapter has no layers, so there is nothing to write")
    for name, count in Counter(layer.name for layer in weights.layers).items():
        if count > 1:
            raise AdapterError(f"the layer name {shown(name)} is used {count} times")
    for layer in weights.layers:
        if not layer.name:
            raise AdapterError("the whole model is one layer without a name; PEFT cannot target it")
        if (layer.magnitude is None) != (weights.layers[0].magnitude is None):
            raise AdapterError(
                f"{layer.name}: only some layers have a magnitude; PEFT has one use_dora for all"
            )


def _folder(path: Path) -> Path:
    """The adapter folder that `path` means."""
    folder = path.parent if path.name in (CONFIG, TENSORS, PICKLE) else path
    if not folder.is_dir():
        raise AdapterError(f"{path}: there is no such adapter folder")
    return folder


def _whole(config: PeftConfig, file: FactorFile) -> dict[str, list[str]]:
    """Layer of `modules_to_save` → its weight and, if it has one, its bias, without the prefix.

    A module that is named may hold layers: `classifier` of RoBERTa has a `classifier.dense`.
    """
    saved_keys: dict[str, list[str]] = {}
    for key in sorted(file.tensors, reverse=True):  # weight before bias
        name, _, label = key.removeprefix(PREFIX).rpartition(".")
        steps = name.split(".")
        inside = (".".join(steps[:end]) for end in range(1, len(steps) + 1))
        if split_key(key) is not None or label not in ("weight", "bias"):
            continue
        is_saved = any(ends_in(part, saved) for part in inside for saved in config.modules_to_save)
        if is_saved and key.startswith(PREFIX):
            saved_keys.setdefault(name, []).append(f"{name}.{label}")
    for name, keys in saved_keys.items():
        if not keys[0].endswith(".weight"):
            raise AdapterError(f"{file.path}: {shown(PREFIX + name + '.weight')} is missing")
    for saved in config.modules_to_save:
        if not any(f".{saved}." in f".{name}." for name in saved_keys):
            raise AdapterError(
                f"{file.path}: no tensors of {shown(saved)}, which modules_to_save names"
            )
    return dict(sorted(saved_keys.items()))


def _parts(config: PeftConfig, file: FactorFile, whole: set[str]) -> dict[str, set[str]]:
    """Layer → parts of it that the file has: both factors of one sort, and DoRA's magnitude."""
    parts_of: dict[str, set[str]] = {}
    for key, tensor in file.tensors.items():
        if key in whole:
            continue
        if (split := split_key(key)) is None or ".base_layer" in key:
            raise AdapterError(f"{file.path}: unexpected key {shown(key)}: {_guess(key)}")
        if tensor.dtype not in FLOATS:
            dtype = str(tensor.dtype).removeprefix("torch.")
            raise AdapterError(
                f"{file.path}: {shown(key)} has type {dtype}; only float64, float32, "
                "float16 and bfloat16 factors can be read"
            )
        parts_of.setdefault(split[0], set()).add(split[1])
    if not parts_of:
        raise AdapterError(f"{file.path}: the file has no tensors")
    for name, parts in parts_of.items():
        wanted = {A_KEY, B_KEY} if parts & {A_KEY, B_KEY} else {EMBEDDING_A, EMBEDDING_B}
        if config.use_dora:
            wanted.add(MAGNITUDE)
        for part in sorted(wanted - parts):
            raise AdapterError(f"{file.path}: {shown(PREFIX + name + part)} is missing")
        for part in sorted(parts - wanted):
            reason = "use_dora is false" if part == MAGNITUDE else "the layer has two sorts of them"
            raise AdapterError(
                f"{file.path}: unexpected key {shown(PREFIX + name + part)}: {reason}"
            )
    return parts_of


def _check_targets(config: PeftConfig, file: FactorFile, names: list[str]) -> None:
    """The layers have to be exactly those that the config targets."""
    for name in names:
        if not config.targets(name):
            raise AdapterError(
                f"{config.path}: target_modules lacks {shown(name)}, whose factors are in the "
                "file; PEFT would leave them out without a word"
            )
    for target in config.target_modules or ():
        if not any(ends_in(name, target) for name in names):
            raise AdapterError(
                f"{file.path}: no factors for {shown(target)}, which target_modules names; "
                "the file seems to be only a part of the adapter"
            )


def _kinds(config: PeftConfig, file: FactorFile, parts: dict[str, set[str]]) -> dict[str, str]:
    """The type of each layer: what its tensors tell, and of linear ones the file's own metadata."""
    kinds = {}
    for name, own in parts.items():
        if EMBEDDING_A in own:
            kinds[name] = EMBEDDING
        elif len(file.tensors[PREFIX + name + A_KEY].shape) > 2:
            kinds[name] = CONVOLUTION
        else:
            kinds[name] = TRANSPOSED if config.fan_in_fan_out else "linear"
    if "kinds" not in file.metadata:
        return kinds
    table = metadata_table(file, "kinds")
    if not isinstance(table, dict) or set(table) != set(kinds):
        raise AdapterError(f"{file.path}: the metadata kinds does not name just the layers")
    for name, kind in kinds.items():
        if table[name] != kind and not (kind in LINEAR and table[name] in LINEAR):
            raise AdapterError(
                f"{file.path}: the metadata says that {shown(name)} is of type "
                f"{shown(table[name])}, but its tensors are of type {kind}"
            )
    return table


def _windows(file: FactorFile, kinds: dict[str, str]) -> dict[str, tuple[tuple[int, ...], str]]:
    """Layer → dilation and padding mode of a convolution, of which PEFT's files say nothing."""
    where = f"{file.path}, windows"
    table = metadata_table(file, "windows")
    if not isinstance(table, dict):
        raise AdapterError(f"{where}: not a table of layers")
    windows = {}
    for name, value in table.items():
        match value:
            case [[*dilation], "zeros" | "reflect" | "replicate" | "circular" as mode] if kinds.get(
                name
            ) == CONVOLUTION and all(type(d) is int and d > 0 for d in dilation):
                windows[name] = (tuple(dilation), mode)
            case _:
                raise AdapterError(f"{where}: {shown(name)} is {shown(value)}")
    return windows


def _variant(config: PeftConfig, file: FactorFile) -> str:
    stored = file.metadata.get("variant")
    if stored in VARIANTS and VARIANTS[stored].magnitude != config.use_dora:
        raise AdapterError(
            f"{config.path}: use_dora is {config.use_dora}, but the tensors are of variant "
            f"{stored!r}"
        )
    if stored:
        return stored
    return of_flags({flag for flag in peft_flags() if getattr(config, flag, False)})


def _useful_rank(layer: LayerWeights) -> int:
    """min(out, in), per group of a grouped convolution."""
    out_features, in_features = layer.shape
    return layer.groups * min(out_features // layer.groups, in_features)


def _guess(key: str) -> str:
    """What a key that does not belong may mean, for the person who has the file."""
    if ".base_layer.weight" in key:
        return (
            "it replaces the weight of the base itself; save the adapter with PEFT's "
            "save_pretrained(..., save_embedding_layers=False)"
        )
    if ".base_layer" in key:
        return "adapters of attention modules with one weight for all are not supported"
    if not key.startswith(PREFIX) and re.search(r"\.lora_(A|B|emb|mag)", key):
        return f"PEFT's keys begin with {PREFIX!r}"
    if re.search(r"\.lora_([AB]|embedding_[AB]|magnitude_vector)\.[^.]+(\.weight)?$", key):
        return "an adapter's name was left in it; save with PEFT's save_pretrained"
    if "lora_down" in key or "lora_up" in key or key.endswith(".alpha"):
        return "this is a kohya file, not a PEFT folder"
    return "it is no factor of a layer that is known here"
