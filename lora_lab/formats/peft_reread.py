"""A written PEFT folder as PEFT computes with it, by a way that shares nothing with the writer.

It has a reader of the container that is not the library's, numpy instead of torch, and PEFT's rules
for patterns, scaling, what is whole and each type of layer, spelled out once more.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lora_lab.adapters.weights import AdapterWeights
from lora_lab.errors import AdapterError
from lora_lab.formats.container import Container, read_container
from lora_lab.formats.peft_config import left_out
from lora_lab.formats.peft_tensors import VOCABULARY
from lora_lab.formats.reread_layer import RereadLayer
from lora_lab.names import shown

START = re.compile(r"base_model\.model\.(.+)\.(lora_A\.weight|lora_embedding_A)")


def reread(path: Path, weights: AdapterWeights | None = None) -> Iterator[RereadLayer]:
    """Every layer as PEFT multiplies it; what modules_to_save names by its tensors' own names.

    `weights` is not asked: the folder says all. Raises `AdapterError` where PEFT would leave
    something out.
    """
    settings = path / "adapter_config.json"
    config = json.loads(settings.read_text("utf-8"))
    container = read_container(path / "adapter_model.safetensors")
    left = set(container.entries)
    compiled: dict[str, Any] = {}
    for key in (*config["rank_pattern"], *config["alpha_pattern"]):
        if not re.fullmatch(r"\^?([\w-]|\\.)*", key):  # only what is written so is run as it is
            raise AdapterError(f"{settings}: unexpected pattern {shown(key)}")
        compiled[key] = re.compile(rf"(.*\.)?({key})$")

    def lookup(patterns: dict[str, Any], name: str, default: Any) -> Any:
        return next((v for key, v in patterns.items() if compiled[key].match(name)), default)

    def take(key: str) -> np.ndarray:
        if key not in left:
            raise AdapterError(f"{container.path}: {shown(key)} is missing")
        left.remove(key)
        return container.array(key)

    starts = [match for key in container.entries if (match := START.fullmatch(key))]
    held = _held_by(config.get("target_parameters") or (), [match[1] for match in starts])
    names = {match[1] for match in starts}
    modules = [match[1] for match in starts if match[1] not in held]
    if missed := left_out(config, modules) if modules else None:
        raise AdapterError(f"{settings}: {missed[1]} leaves {shown(missed[0])} out")
    if held and (config["lora_dropout"] or config["use_dora"]):
        raise AdapterError(f"{settings}: PEFT has no dropout and no DoRA of target_parameters")
    saved = config.get("modules_to_save") or ()
    for match in starts:
        (name, first), key = match.groups(), match[0]
        if any(f".{module}." in f".{name}." for module in saved):
            raise AdapterError(f"{settings}: modules_to_save leaves {shown(name)} out")
        called = held.get(name, name)
        rank = lookup(config["rank_pattern"], called, config["r"])
        alpha = lookup(config["alpha_pattern"], called, config["lora_alpha"])
        a, b = take(key), take(f"base_model.model.{name}.{first.replace('_A', '_B')}")
        if name in held and (a.shape[0] != rank or not called.endswith(".weight")):
            b = b * (alpha / rank**0.5 if config["use_rslora"] else alpha / rank)
            yield from _experts(container, called, rank, a, b)
            continue
        if a.shape[0] != rank:
            raise AdapterError(f"{container.path}: {shown(name)} does not have rank {rank}")
        beside = (1,) * (a.ndim - 2)  # the dimensions of a position
        if first == "lora_A.weight":  # the rows of an embedding's A (r, tokens) are looked up
            b, a = _product(container, name, a, b)
        b = b * (alpha / rank**0.5 if config["use_rslora"] else alpha / rank)
        magnitude = None
        if config["use_dora"]:
            m = take(f"base_model.model.{name}.lora_magnitude_vector")
            # m multiplies an output, so its shape has to fit one
            if m.shape != ((1, b.shape[0], *beside) if beside else (b.shape[0],)):
                raise AdapterError(f"{container.path}: the magnitude of {shown(name)} does not fit")
            magnitude = m.ravel()
        yield RereadLayer(name, b, a, magnitude)
    for key in sorted(left):
        name = key.removeprefix("base_model.model.")
        module, _, _ = name.rpartition(".")
        steps = module.split(".")
        inside = [".".join(steps[:end]) for end in range(1, len(steps) + 1)]
        # PEFT wraps every module that ends so; any other weight goes into the base itself
        wrapped = any(part.endswith(one) for part in inside for one in saved)
        beside = module.removesuffix(".base_layer") in names or steps[-1] in VOCABULARY
        if key != name and (wrapped or beside):
            yield RereadLayer(name, take(key))
    if left:
        raise AdapterError(f"{container.path}: PEFT would not read {shown(min(left))}")


def _held_by(parameters: list[str], names: list[str]) -> dict[str, str]:
    """Name of a wrapper → the parameter that PEFT finds there, from the outermost inwards.

    The file says no order of several: that of transformers' modules, where what leads to the inner
    size comes before what leads back (`down_proj`), is taken.
    """
    levels: dict[str, list[str]] = {}
    for name in sorted(names, key=len):
        levels.setdefault(re.sub(r"(\.base_layer)+$", "", name), []).append(name)
    found = {}
    for owner, wrappers in levels.items():
        inside = sorted((p for p in parameters if p.rpartition(".")[0] == owner), reverse=True)
        inside.sort(key=lambda p: not p.endswith(".down_proj"))
        if inside and len(inside) != len(wrappers):
            raise AdapterError(f"{shown(owner)}: target_parameters are not those of the tensors")
        found |= dict(zip(wrappers, inside, strict=True)) if inside else {}
    return found


def _experts(
    container: Container, parameter: str, rank: int, a: np.ndarray, b: np.ndarray
) -> Iterator[RereadLayer]:
    """What PEFT's reshape makes of a pair: "e r i" of lora_A's rows, "o r e" of lora_B's columns.

    An expert whose factors are both zero has no adapter.
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[0] % rank or a.shape[0] != b.shape[1]:
        raise AdapterError(f"{container.path}: the factors of {shown(parameter)} do not fit")
    experts = a.shape[0] // rank
    owner, _, last = parameter.rpartition(".")
    for e in range(experts):
        right, left = a[e * rank : (e + 1) * rank], b[:, e::experts]
        if right.any() or left.any():
            yield RereadLayer(f"{owner}.{e}.{last}", left, right)


def _product(
    container: Container, name: str, a: np.ndarray, b: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What B∘A does to an input, as two matrices: B (out, r/groups, 1, …) takes A's rows in groups.

    A (r, c, *kernel) reads every channel, so the whole has c·kernel columns. Of a grouped weight
    there are only those of an output's own group; the others have to be zero.
    """
    (out, share), rank = b.shape[:2], a.shape[0]
    if b.ndim != a.ndim or b.size != out * share or rank % share:
        raise AdapterError(f"{container.path}: the factors of {shown(name)} do not fit")
    if (groups := rank // share) == 1:
        return b.reshape(out, share), a.reshape(share, -1)
    outputs, channels = out // groups, a.shape[1] // groups
    left = np.zeros((out, rank))
    right = np.empty((rank, channels * a[0, 0].size))
    for i in range(groups):
        ours, low = slice(i * outputs, (i + 1) * outputs), slice(i * share, (i + 1) * share)
        own = a[low, i * channels : (i + 1) * channels]
        if np.count_nonzero(a[low]) != np.count_nonzero(own):
            raise AdapterError(f"{container.path}: {shown(name)} reads channels of other groups")
        left[ours, low] = b[ours].reshape(outputs, share)
        right[low] = own.reshape(share, -1)
    return left, right
