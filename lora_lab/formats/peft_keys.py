"""The keys of adapter_model.safetensors, each accounted for: factors, and what came beside."""

from __future__ import annotations

import re
from collections.abc import Iterator

import torch

from lora_lab.adapters.weights import WholeLayer
from lora_lab.errors import AdapterError
from lora_lab.formats.factor_file import FactorFile
from lora_lab.formats.factors import FLOATS
from lora_lab.formats.peft_beside import BASE_LAYER
from lora_lab.formats.peft_config import HEADS, PeftConfig, left_out, unmatched
from lora_lab.formats.peft_tensors import (
    A_KEY,
    B_KEY,
    EMBEDDING_A,
    EMBEDDING_B,
    MAGNITUDE,
    PREFIX,
    VOCABULARY,
    split_key,
)
from lora_lab.names import shown

VELORA = ".lora_velora_embed"  # what VeLoRA compresses by for its backward pass; no part of ΔW

BUFFERS = ("running_mean", "running_var", "num_batches_tracked")  # of normalisation layers


def parts_of(config: PeftConfig, file: FactorFile) -> dict[str, set[str]]:
    """Layer → parts of it that the file has: both factors of one sort, and DoRA's magnitude."""
    parts: dict[str, set[str]] = {}
    for key, tensor in file.tensors.items():
        if (split := split_key(key)) is None:
            continue
        if BASE_LAYER in key:
            raise AdapterError(f"{file.path}: unexpected key {shown(key)}: {_guess(key)}")
        if tensor.dtype not in FLOATS:
            dtype = str(tensor.dtype).removeprefix("torch.")
            raise AdapterError(
                f"{file.path}: {shown(key)} has type {dtype}; only float64, float32, "
                "float16 and bfloat16 factors can be read"
            )
        parts.setdefault(split[0], set()).add(split[1])
    for name, found in parts.items():
        wanted = {A_KEY, B_KEY} if found & {A_KEY, B_KEY} else {EMBEDDING_A, EMBEDDING_B}
        if config.use_dora:
            wanted.add(MAGNITUDE)
        for part in sorted(wanted - found):
            raise AdapterError(f"{file.path}: {shown(PREFIX + name + part)} is missing")
        for part in sorted(found - wanted):
            reason = "use_dora is false" if part == MAGNITUDE else "the layer has two sorts of them"
            raise AdapterError(
                f"{file.path}: unexpected key {shown(PREFIX + name + part)}: {reason}"
            )
    return parts


def whole_of(
    config: PeftConfig, file: FactorFile, names: set[str]
) -> tuple[tuple[WholeLayer, ...], tuple[str, ...]]:
    """What came beside the factors of `names`, and notes on it.

    These are modules of modules_to_save, by PEFT's own rule: every module whose name ends so, with
    all layers in it. And what PEFT adds where a vocabulary was resized or the embedding is a
    target: the weights of embedding and head. Raises `AdapterError` for any other key.
    """
    tables: dict[str, dict[str, torch.Tensor]] = {}
    beside, notes = set(), []
    for key in sorted(file.tensors):
        if split_key(key) is not None or key.endswith(VELORA):
            continue
        name, _, label = key.removeprefix(PREFIX).rpartition(".")
        saved = any(part.endswith(config.modules_to_save) for part in _inside(name))
        taken = name.removesuffix(BASE_LAYER)
        vocabulary = taken.rpartition(".")[2] in VOCABULARY if taken == name else taken in names
        if not key.startswith(PREFIX) or not (saved or vocabulary):
            raise AdapterError(f"{file.path}: unexpected key {shown(key)}: {_guess(key)}")
        if label not in ("weight", "bias", *BUFFERS):
            raise AdapterError(
                f"{file.path}: {shown(key)} belongs to a module that is fully trained, of which "
                f"only weights, biases and {', '.join(BUFFERS)} can be read"
            )
        if not saved:
            beside.add(name)
            if label == "weight":
                notes.append(_beside(taken, name, file.tensors[key]))
        tables.setdefault(name, {})[label] = file.tensors[key]
    for name, table in tables.items():
        if "weight" not in table:
            raise AdapterError(f"{file.path}: {shown(PREFIX + name + '.weight')} is missing")
    notes += _without_tensors(config, file, set(tables) - beside)
    layers = [
        WholeLayer(
            name,
            table["weight"],
            table.get("bias"),
            tuple((label, table[label]) for label in BUFFERS if label in table),
            saved=name not in beside,
        )
        for name, table in sorted(tables.items())
    ]
    return tuple(layers), tuple(notes)


def check_targets(config: PeftConfig, file: FactorFile, names: list[str]) -> tuple[str, ...]:
    """Raise `AdapterError` where PEFT would leave a layer of the file out; note unused targets."""
    if not names:
        raise AdapterError(f"{file.path}: the file has no tensors")
    for name in names:  # the layers have to be just those that the config targets
        if any(f".{saved}." in f".{name}." for saved in config.modules_to_save):
            raise AdapterError(
                f"{config.path}: modules_to_save takes out {shown(name)}, whose factors are in "
                "the file; PEFT would leave them out without a word"
            )
    missed = left_out(config.targeting, names)
    if missed is not None and not config.ensure_weight_tying:
        name, field = missed
        lacks = "lacks" if field == "target_modules" else "takes out"
        raise AdapterError(
            f"{config.path}: {field} {lacks} {shown(name)}, whose factors are in the file; PEFT "
            "would leave them out without a word"
        )
    if unused := unmatched(config.targeting, names):
        listed = ", ".join(map(shown, unused[:5]))
        return (
            f"target_modules also names {listed}, of which the file has no factors: the base has "
            "no such layers, or the file is only a part of the adapter",
        )
    return ()


def _inside(name: str) -> Iterator[str]:
    """The module and all that it is in: `a.b.c`, `a.b`, `a`."""
    steps = name.split(".")
    for end in range(len(steps), 0, -1):
        yield ".".join(steps[:end])


def _beside(taken: str, name: str, weight: torch.Tensor) -> str:
    rows = f"{taken}: its whole weight ({' × '.join(map(str, weight.shape))}) came along"
    if taken == name:
        return (
            f"{rows}, as PEFT saves it where the vocabulary was resized: the base needs a "
            f"vocabulary of {weight.shape[0]} before PEFT loads this"
        )
    return f"{rows}, as PEFT saves it of an adapted embedding: it replaces the one of the base"


def _without_tensors(config: PeftConfig, file: FactorFile, found: set[str]) -> list[str]:
    """Notes on modules_to_save that have no tensors; PEFT names two heads of every classifier."""
    inside = {part for name in found for part in _inside(name)}
    lacking = [x for x in config.modules_to_save if not any(part.endswith(x) for part in inside)]
    if lacking and not found and not HEADS.issuperset(lacking):
        raise AdapterError(
            f"{file.path}: no tensors of {shown(lacking[0])}, which modules_to_save names"
        )
    listed = ", ".join(map(shown, lacking))
    return [f"modules_to_save also names {listed}, which the file lacks"] if lacking else []


def _guess(key: str) -> str:
    """What a key that does not belong may mean, for the person who has the file."""
    if BASE_LAYER in key and re.search(r"\.lora_(A|B|emb|mag)", key):
        return "adapters of attention modules with one weight for all are not supported"
    if BASE_LAYER in key:
        return "it replaces the weight of a layer that has no factors in the file"
    if not key.startswith(PREFIX) and re.search(r"\.lora_(A|B|emb|mag)", key):
        return f"PEFT's keys begin with {PREFIX!r}"
    if re.search(r"\.lora_([AB]|embedding_[AB]|magnitude_vector)\.[^.]+(\.weight)?$", key):
        return "an adapter's name was left in it; save with PEFT's save_pretrained"
    if "lora_down" in key or "lora_up" in key or key.endswith(".alpha"):
        return "this is a kohya file, not a PEFT folder"
    if key.endswith(".lora_B.bias"):
        return "lora_B has a bias, though adapter_config.json says no lora_bias"
    return "it is no factor of a layer that is known here"
