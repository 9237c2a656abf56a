"""PEFT's LoRA folder: adapter_config.json and adapter_model.safetensors, as peft 0.21 writes them.

PEFT's own loader is lenient: a wrong prefix or half of the tensors leaves layers silently without
their adapter, and a wrong scale is not noticed at all. `load` therefore is strict: what it cannot
account for to the last key, it refuses.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import lora_lab
from lora_lab.adapters.weights import AdapterWeights, LayerWeights
from lora_lab.atomic import write_file
from lora_lab.errors import AdapterError
from lora_lab.formats.factor_file import FactorFile, metadata_table, read_factor_file
from lora_lab.formats.laid_out import check_laid_out
from lora_lab.formats.peft_config import TARGETING, PeftConfig, left_out, read_config
from lora_lab.formats.peft_keys import check_targets, parts_of, whole_of
from lora_lab.formats.peft_limits import model_type, unusual
from lora_lab.formats.peft_parameters import (
    is_expert,
    metadata_of,
    stacks_of,
    taken_apart,
)
from lora_lab.formats.peft_parameters import tensors_of as stacked_tensors
from lora_lab.formats.peft_settings import config_of
from lora_lab.formats.peft_tensors import (
    A_KEY,
    CONVOLUTION,
    EMBEDDING,
    EMBEDDING_A,
    LINEAR,
    PREFIX,
    TRANSPOSED,
    Tensors,
    layer_of,
    sizes_of,
    split_key,
    tensors_of,
)
from lora_lab.formats.safetensors_out import packed
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
    plain, stacks = [x for x in weights.layers if not is_expert(x)], stacks_of(weights.layers)
    for layer in plain:
        tensors.update(tensors_of(layer))
    for stack in stacks:
        tensors.update(stacked_tensors(stack))
    for layer in weights.whole:
        tensors.update({PREFIX + k: t.contiguous() for k, t in layer.tensors().items()})
    metadata = {
        "format": "pt",
        "lora_lab_version": lora_lab.__version__,
        "variant": weights.variant,
        "base": weights.base,
        "base_fingerprint": weights.base_fingerprint,
        "kinds": json.dumps({layer.name: layer.kind for layer in plain}),
        "experts": json.dumps({stack.name: metadata_of(stack) for stack in stacks}),
        "windows": json.dumps(
            {x.name: [x.dilation, x.padding_mode] for x in weights.layers if unusual(x)}
        ),
        "not_called": json.dumps([x.name for x in weights.layers if not x.called]),
        "also": json.dumps({x.name: x.also for x in weights.layers if x.also}),
        "model_type": model_type(weights),
        "base_form": str(weights.extra.get("base_form", "")),
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_file(folder / TENSORS, *packed(tensors, metadata))
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
    file, notes = _read(folder)
    file, experts, by_weight = taken_apart(config, file)
    names = {split[0] for key in file.tensors if (split := split_key(key))}
    whole, beside = whole_of(config, file, names)
    parts = parts_of(config, file)
    modules = [name for name in parts if name not in by_weight]
    unused = check_targets(config, file, modules) if modules or not config.parameters else ()
    kinds = _kinds(config, file, parts)
    windows = _windows(file, kinds)
    idle = metadata_table(file, "not_called")
    if not isinstance(idle, dict | list):
        raise AdapterError(f"{file.path}, not_called: not a list of layers")
    also = metadata_table(file, "also") or {}
    if not isinstance(also, dict) or not all(isinstance(x, list) for x in also.values()):
        raise AdapterError(f"{file.path}, also: not a table of layers")
    layers = []
    convolutions = [name for name, kind in kinds.items() if kind == CONVOLUTION]
    check_laid_out(sizes_of(file.tensors, convolutions), f"{file.path}: ")
    notes += [*config.notes, *beside, *unused]
    for name in sorted(parts, key=natural):
        own = {part: file.tensors[PREFIX + name + part] for part in parts[name]}
        found = own[EMBEDDING_A if EMBEDDING_A in own else A_KEY].shape[0]
        called = f"{name}.weight" if name in by_weight else name
        rank, alpha = config.rank(called, found), config.alpha(called)
        try:
            layer = layer_of(name, own, kinds[name], rank, alpha, config.scaling(alpha, rank))
        except AdapterError as error:
            raise AdapterError(f"{file.path}: {error}") from None
        if layer.rank > (useful := _useful_rank(layer)):
            notes.append(f"{name}: rank {layer.rank} is more than {useful} can use")
        dilation, padding_mode = windows.get(name, ((), "zeros"))
        if len(dilation) not in (0, len(layer.weight_shape) - 2):
            raise AdapterError(f"{file.path}: the dilation of {shown(name)} does not fit")
        layers.append(
            replace(
                layer,
                dilation=dilation,
                padding_mode=padding_mode,
                called=name not in idle,
                also=tuple(map(str, also.get(name, ()))),
            )
        )
    return AdapterWeights(
        variant=_variant(config, file),
        layers=tuple(sorted([*layers, *experts], key=lambda layer: natural(layer.name))),
        whole=whole,
        base=file.metadata.get("base") or config.base_model_name_or_path,
        base_fingerprint=file.metadata.get("base_fingerprint", ""),
        dropout=config.lora_dropout,
        extra={
            "use_rslora": config.use_rslora,
            "base_model_name_or_path": config.base_model_name_or_path,
            **config.carried,
            "as_read": _as_read(config, modules, [x.name for x in whole if x.saved]),
            "by_weight": tuple(sorted(by_weight)),
            "model_type": file.metadata.get("model_type", ""),
            "base_form": file.metadata.get("base_form", ""),
            "notes": tuple(notes),
        },
    )


def _read(folder: Path) -> tuple[FactorFile, list[str]]:
    """The tensors of the folder, in one file or in the shards that transformers writes."""
    if (folder / TENSORS).exists():
        return read_factor_file(folder / TENSORS), []
    if (folder / PICKLE).exists():
        return read_factor_file(folder / PICKLE), []
    shards = sorted(folder.glob("adapter_model-*-of-*.safetensors"))
    if not shards:
        return read_factor_file(folder / TENSORS), []  # which says that there is none
    wanted = shards[0].stem.rpartition("-of-")[2]
    if not wanted.isdecimal() or len(shards) != int(wanted):
        raise AdapterError(f"{folder}: it has {len(shards)} of {wanted} shards of adapter_model")
    files = [read_factor_file(shard) for shard in shards]
    tensors = {key: tensor for file in files for key, tensor in file.tensors.items()}
    if len(tensors) != sum(len(file.tensors) for file in files):
        raise AdapterError(f"{folder}: a tensor is in two of the shards of adapter_model")
    note = f"read from {len(shards)} shards, which PEFT itself does not open"
    return FactorFile(tensors, {}, folder / TENSORS), [note]


def _as_read(config: PeftConfig, names: list[str], whole: list[str]) -> dict[str, Any]:
    """What the file said to choose its layers, with the layers: written again while they stay."""
    read: dict[str, Any] = {"modules_to_save": (config.modules_to_save, tuple(whole))}
    if left_out(config.targeting, names) is None:  # not where a tie alone brings a layer in
        targeting = {name: config.targeting[name] for name in TARGETING}
        read["targeting"] = (targeting, tuple(names))
    return read


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
