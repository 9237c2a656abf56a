"""The settings of an adapter in PEFT's words, as adapter_config.json is written.

What was read and still means the same layers is written as it was read: PEFT finds layers under
other names by suffixes alone, where transformers renamed a model's modules since.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from lora_lab.adapters.weights import AdapterWeights
from lora_lab.formats.peft_config import CARRIED, TARGETING
from lora_lab.formats.peft_limits import TASK_HEADS, by_weight, saves
from lora_lab.formats.peft_parameters import is_expert, stacks_of
from lora_lab.formats.peft_tensors import LINEAR, TRANSPOSED
from lora_lab.names import suffixes
from lora_lab.task_info import TASKS

PEFT_VERSION = "0.21.2"  # the version whose files these are

Pair = tuple[int, int | float]  # rank and alpha


def config_of(weights: AdapterWeights) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The settings in PEFT's words, and notes."""
    layers, notes, task = weights.layers, [], str(weights.extra.get("task", ""))
    stacks, held = stacks_of(layers), by_weight(weights)
    plain = all(_same(x.scaling, x.alpha / x.rank) for x in layers)
    rslora = not plain and all(_same(x.scaling, x.alpha / math.sqrt(x.rank)) for x in layers)
    if plain or rslora:
        alphas = [x.alpha for x in layers]
    else:
        # α and scaling were moved apart; only their product with the factors means anything.
        alphas = [x.scaling * x.rank for x in layers]
        notes.append("lora_alpha is written as scaling · rank, so that the file computes the same")
    pairs = {
        f"{x.name}.weight" if x.name in held else x.name: (x.rank, _number(alpha))
        for x, alpha in zip(layers, alphas, strict=True)
        if not is_expert(x)
    }
    names = [name for name in pairs if name.removesuffix(".weight") not in held]
    pairs |= {stack.name: (stack.rank, _number(stack.alpha(rslora))) for stack in stacks}
    (rank, alpha), _ = Counter(pairs.values()).most_common(1)[0]
    own = _patterns(list(pairs), list(pairs.values()), (rank, alpha))
    parameters = sorted(pairs.keys() - set(names))
    if parameters and weights.dropout:
        notes.append(
            f"lora_dropout is written as 0 in place of {weights.dropout:g}: PEFT has none of "
            "target_parameters, and refuses the file with one"
        )
    linear = [x.kind for x in layers if x.kind in LINEAR]
    if len(set(linear)) > 1:
        notes.append(
            "PEFT has one fan_in_fan_out for all linear layers; loading, it corrects it with a "
            "warning where the type of layer changes, and computes the same"
        )
    targeting = _targeting(weights, names)
    if bare := [name for name in targeting["target_modules"] if name in names and "." not in name]:
        notes.append(
            f"PEFT also takes {', '.join(bare)} as the last part of longer module names; "
            "a base that has such modules would get untrained adapters there, with a warning"
        )
    carried = {name: weights.extra.get(name) for name in CARRIED}
    if task in TASKS:  # what the base is; PEFT wraps a model of another type without further ado
        carried["task_type"] = TASKS[task].peft
    heads = TASK_HEADS.get(str(carried["task_type"]), ())
    if inside := [name for name in names if saves(name, heads)]:
        notes.append(
            f"PEFT keeps {', '.join(inside)} whole where task_type is {carried['task_type']}, and "
            "has no place for factors then; so task_type is left out. Load it with "
            "PeftModel.from_pretrained"
        )
        carried["task_type"], heads = None, ()
    saved = _kept([x.name for x in weights.whole if x.saved], heads)
    config = {
        "peft_type": "LORA",
        "peft_version": PEFT_VERSION,
        **carried,
        "base_model_name_or_path": _hub_name(weights),
        "inference_mode": True,
        "r": rank,
        "lora_alpha": alpha,
        "lora_dropout": 0.0 if parameters else weights.dropout,
        **targeting,
        **({"target_parameters": parameters} if parameters else {}),
        "bias": "none",
        "fan_in_fan_out": linear[:1] == [TRANSPOSED],
        "use_rslora": rslora,
        "use_dora": any(x.magnitude is not None for x in layers),
        "init_lora_weights": True,
        "modules_to_save": list(_as_read(weights, "modules_to_save", saved) or saved) or None,
        "rank_pattern": {key: pair[0] for key, pair in own.items()},
        "alpha_pattern": {key: pair[1] for key, pair in own.items()},
    }
    return config, tuple(notes)


def _targeting(weights: AdapterWeights, names: list[str]) -> dict[str, Any]:
    """As it was read, where the layers are those that were read; else every layer by its name."""
    read = _as_read(weights, "targeting", tuple(names))
    return read or {**dict.fromkeys(TARGETING), "target_modules": sorted(names)}


def _as_read(weights: AdapterWeights, field: str, names: tuple[str, ...]) -> Any:
    """What the file said under `field` that chose just `names`; None where it did not."""
    said, chosen = weights.extra.get("as_read", {}).get(field, (None, ()))
    return said if set(chosen) == set(names) else None


def _kept(names: Sequence[str], heads: tuple[str, ...]) -> tuple[str, ...]:
    """modules_to_save for these layers: the head that PEFT keeps whole in place of its layers.

    PEFT names it by itself, and would look for layers named beside it inside of it, in vain.
    """
    kept = []
    for name in names:
        paths = accumulate(name.split("."), "{}.{}".format)
        kept.append(next((path for path in paths if heads and path.endswith(heads)), name))
    return tuple(dict.fromkeys(kept))


def _patterns(names: Sequence[str], pairs: Sequence[Pair], common: Pair) -> dict[str, Pair]:
    """Pattern → rank and alpha of what differs from the `common` ones.

    A key is the shortest suffix that only layers with this pair end in, so that many layers are
    few patterns; both tables get it, since PEFT divides the pattern's alpha by the pattern's rank.
    It is escaped, since PEFT takes a key for a regular expression on any suffix, and anchored where
    a longer name ends in this one.
    """
    meant: dict[str, set[Pair]] = {}
    for name, pair in zip(names, pairs, strict=True):
        for suffix in suffixes(name):
            meant.setdefault(suffix, set()).add(pair)
    found = {}
    for name, pair in zip(names, pairs, strict=True):
        if pair != common:
            alone = [suffix for suffix in suffixes(name) if suffix and meant[suffix] == {pair}]
            found[re.escape(alone[-1]) if alone else "^" + re.escape(name)] = pair
    return found


def _hub_name(weights: AdapterWeights) -> str | None:
    """The base as PEFT means it: a model of the Hub or a folder of one, never a file of ours.

    PEFT looks the name up in the network whenever the adapter is saved again, so that a name which
    is not there costs its user a warning. `extra["base_model_name_or_path"]` may give a Hub name.
    """
    if known := weights.extra.get("base_model_name_or_path"):
        return str(known)
    return weights.base if weights.base and (Path(weights.base) / "config.json").is_file() else None


def _same(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=1e-12, abs_tol=0.0)


def _number(value: float) -> int | float:
    """An integer where there is one, as PEFT writes it."""
    return int(value) if float(value).is_integer() else float(value)
