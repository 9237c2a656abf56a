"""PEFT's target_parameters: the factors of all experts of a parameter in one pair of matrices.

| of a parameter (E, …) | key | shape | expert e |
|---|---|---|---|
| lora_A | `owner[.base_layer…].lora_A.weight` | (E·r, in) | rows e·r … e·r + r − 1 |
| lora_B | `owner[.base_layer…].lora_B.weight` | (out, r·E) | columns e, e + E, e + 2·E … |

(peft 0.21.2, tuners/lora/layer.py, ParamWrapper.) Several parameters of one module are wrapped one
in another in the order in which the module has them; the innermost has the most `.base_layer`. A
layer's own weight, (out, in), may be named as well, and has the keys of the layer then.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, NamedTuple

import torch

from lora_lab.adapters.weights import ExpertName, LayerWeights
from lora_lab.errors import AdapterError
from lora_lab.formats.factor_file import FactorFile, metadata_table
from lora_lab.formats.factors import FLOATS
from lora_lab.formats.peft_config import PeftConfig, spares
from lora_lab.formats.peft_tensors import A_KEY, B_KEY, PREFIX, split_key
from lora_lab.names import shown, suffixes

KINDS = ("expert", "expert_turned")
UNDER = ".base_layer"
MOST_EXPERTS = 4096  # of one parameter: the largest mixtures that are known have 2,048
MOST_LAYERS = 100_000  # of all parameters: of the largest, 61 layers of 384 experts, 47,000
# The parameters of experts in the order in which transformers' modules have them.
ORDER = ("gate_proj", "gate_up_proj", "up_proj", "down_proj")


class Stack(NamedTuple):
    """One parameter's adapters: its path, how deep PEFT wraps it, and its experts' by number."""

    name: str
    depth: int
    experts: dict[int, LayerWeights]

    @property
    def rank(self) -> int:
        """The one that all have in the file: the smaller ones are padded with zeros."""
        return max(layer.rank for layer in self.experts.values())

    @property
    def scaling(self) -> float:
        """The one of the file; what an expert has otherwise is put into its B."""
        return next(iter(self.experts.values())).scaling

    @property
    def prefix(self) -> str:
        return PREFIX + self.name.rpartition(".")[0] + UNDER * self.depth

    def alpha(self, rslora: bool) -> float:
        return self.scaling * (math.sqrt(self.rank) if rslora else self.rank)


def is_expert(layer: LayerWeights) -> bool:
    """Whether it is a matrix of a parameter that holds several."""
    return layer.kind in KINDS


def stacks_of(layers: Iterable[LayerWeights]) -> list[Stack]:
    """The adapters of experts by parameter."""
    found: dict[str, dict[str, dict[int, LayerWeights]]] = {}
    for layer in filter(is_expert, layers):
        place = ExpertName.of(layer.name)
        if place is None:
            raise AdapterError(f"{layer.name} does not say which expert of which parameter it is")
        parameters = found.setdefault(place.owner, {})
        parameters.setdefault(place.parameter, {})[place.number] = layer
    made = []
    for owner, parameters in found.items():
        inner_first = ordered(owner, parameters)
        for depth, parameter in enumerate(reversed(inner_first)):
            made.append(Stack(f"{owner}.{parameter}", depth, parameters[parameter]))
    return made


def ordered(owner: str, parameters: Iterable[str]) -> list[str]:
    """The innermost first; raises AdapterError where the order in the module is not known."""
    names = list(parameters)
    if len(names) > 1 and (strange := [name for name in names if name not in ORDER]):
        raise AdapterError(
            f"{owner}: PEFT tells its parameters apart by their order in the module, and where "
            f"{shown(strange[0])} stands there is not known"
        )
    return sorted(names, key=lambda name: ORDER.index(name) if name in ORDER else 0)


def tensors_of(stack: Stack) -> dict[str, torch.Tensor]:
    """Both factors of a parameter by key."""
    rank, some = stack.rank, next(iter(stack.experts.values()))
    E, (out, width) = some.weight_shape[0], some.shape
    A = some.lora_A.new_zeros(E, rank, width)
    B = some.lora_B.new_zeros(out, rank, E)
    for number, layer in stack.experts.items():
        A[number, : layer.rank] = layer.lora_A
        ratio = layer.scaling / stack.scaling
        B[:, : layer.rank, number] = layer.lora_B if ratio == 1 else ratio * layer.lora_B
    return {
        f"{stack.prefix}{A_KEY}": A.reshape(E * rank, width),
        f"{stack.prefix}{B_KEY}": B.reshape(out, rank * E),
    }


def metadata_of(stack: Stack) -> dict[str, Any]:
    """What the tensors do not say: how the parameter is held, and each expert's own rank."""
    some = next(iter(stack.experts.values()))
    ranks = [
        stack.experts[n].rank if n in stack.experts else 0 for n in range(some.weight_shape[0])
    ]
    return {"kind": some.kind, "ranks": ranks}


def check_experts(where: str, count: int, others: int) -> None:
    """Raise AdapterError for more experts than any mixture has: each becomes a layer.

    `others` are the file's layers of other parameters. A few bytes of a file can say any number.
    """
    if count > MOST_EXPERTS or count + others > MOST_LAYERS:
        most = f"{MOST_EXPERTS:,} of a parameter and {MOST_LAYERS:,} of a file"
        raise AdapterError(
            f"{where}: it is said to adapt {count:,} experts beside {others:,} other matrices, and "
            f"at most {most} are read; the file is damaged, or no adapter of a "
            "mixture: download or save it again"
        )


def taken_apart(
    config: PeftConfig, file: FactorFile
) -> tuple[FactorFile, list[LayerWeights], set[str]]:
    """The file without the factors of experts, those, and the layers whose weight is targeted.

    Raises AdapterError where they do not fit together.
    """
    if not config.parameters:
        return file, [], set()
    found: dict[str, dict[int, dict[str, str]]] = {}  # owner → depth → part → key
    for key in file.tensors:
        if (split := split_key(key)) is None:
            continue
        owner = split[0]
        while owner.endswith(UNDER):
            owner = owner.removesuffix(UNDER)
        depth = (len(split[0]) - len(owner)) // len(UNDER)
        found.setdefault(owner, {}).setdefault(depth, {})[split[1]] = key
    table = metadata_table(file, "experts")
    table = table if isinstance(table, dict) else {}
    layers, by_weight, rest = [], set(), dict(file.tensors)
    spared = spares(config.targeting)
    for owner, levels in found.items():
        names = _parameters(config, owner, len(levels), spared)
        if names == ["weight"] and _is_whole(config, file, owner):
            by_weight.add(owner)
            continue
        inner_first = ordered(f"{file.path}: {owner}", names)
        if names and sorted(levels) != list(range(len(names))):
            raise AdapterError(
                f"{file.path}: {shown(owner)} has factors of {len(levels)} parameters, and "
                f"target_parameters names {len(names)} of it"
            )
        for depth, parameter in enumerate(reversed(inner_first)):
            told = table.get(f"{owner}.{parameter}")
            parts = {part: rest.pop(key) for part, key in levels[depth].items()}
            layers += _experts(
                config, file, ExpertName(owner, parameter, 0), parts, told, len(layers)
            )
    return file._replace(tensors=rest), layers, by_weight


def _parameters(
    config: PeftConfig, owner: str, levels: int, spared: Callable[[str], str]
) -> list[str]:
    """The parameters of a module that `target_parameters` names, by PEFT's rule of ends.

    A bare word is the end of any path, and which modules have such a parameter the file does not
    say: it counts where no longer target does, or where there are factors for all, and not of a
    layer that `target_modules` names.
    """
    by_end, words = _ends(config.parameters)
    surely = list(dict.fromkeys(n for end in suffixes(owner) for n in by_end.get(end, ())))
    bare = [n for n in words if n not in surely]
    if surely:
        return [*surely, *bare] if len(surely) + len(bare) == levels else surely
    return bare if levels > 1 or spared(owner) else []


@lru_cache(maxsize=1)
def _ends(targets: tuple[str, ...]) -> tuple[dict[str, list[str]], list[str]]:
    """Parameters by the end of a path that a target names, and the bare words."""
    by_end: dict[str, list[str]] = {}
    for target in dict.fromkeys(targets):
        end, dot, name = target.rpartition(".")
        if dot:
            by_end.setdefault(end, []).append(name)
    return by_end, [target for target in dict.fromkeys(targets) if "." not in target]


def _is_whole(config: PeftConfig, file: FactorFile, owner: str) -> bool:
    """Whether the weight of a module is one matrix: its factors have just the rank."""
    A = file.tensors.get(PREFIX + owner + A_KEY)
    return A is not None and A.shape[0] == config.rank(f"{owner}.weight", A.shape[0])


def _experts(
    config: PeftConfig,
    file: FactorFile,
    place: ExpertName,
    parts: dict[str, torch.Tensor],
    told: Any,
    others: int,
) -> list[LayerWeights]:
    """The layers of one parameter."""
    name = f"{place.owner}.{place.parameter}"
    where = f"{file.path}: {shown(name)}"
    if parts.keys() != {A_KEY, B_KEY} or any(t.dim() != 2 for t in parts.values()):
        raise AdapterError(f"{where} has not just one lora_A and one lora_B of two sizes")
    A, B = parts[A_KEY], parts[B_KEY]
    for tensor in (A, B):
        if tensor.dtype not in FLOATS or not bool(torch.isfinite(tensor).all()):
            raise AdapterError(f"{where}: its factors are of another type, or not finite")
    rank = config.rank(name, 0)
    if not rank:
        raise AdapterError(f"{where}: its rank is given by a pattern that cannot be followed")
    if A.shape[0] % rank or A.shape[0] != B.shape[1]:
        raise AdapterError(
            f"{where}: factors of {list(A.shape)} and {list(B.shape)} are not those of experts of "
            f"rank {rank}"
        )
    E, (out, width) = A.shape[0] // rank, (B.shape[0], A.shape[1])
    check_experts(where, E, others)
    kind, ranks = KINDS[0], [rank] * E
    match told:
        case {"kind": "expert" | "expert_turned" as kind, "ranks": [*ranks]} if len(ranks) == E:
            if not all(type(n) is int and 0 <= n <= rank for n in ranks):
                raise AdapterError(f"{where}: its experts have ranks of {shown(ranks)}")
        case None:
            pass
        case _:
            raise AdapterError(f"{where}: the metadata experts do not fit it")
    downs, ups = A.reshape(E, rank, width), B.reshape(out, rank, E)
    alpha = config.alpha(name)
    scaling = config.scaling(alpha, rank)
    layers = []
    for number, own in enumerate(ranks):
        down, up = downs[number], ups[:, :, number]
        if bool(down[own:].any()) and bool(up[:, own:].any()):
            raise AdapterError(f"{where}: expert {number} has a rank above the {own} it is said")
        if not own:
            continue
        mine = alpha if own == rank else scaling * (math.sqrt(own) if config.use_rslora else own)
        layers.append(
            LayerWeights(
                str(place._replace(number=number)), down[:own].contiguous(),
                up[:, :own].contiguous(), mine, scaling, kind,
                (E, out, width) if kind == KINDS[0] else (E, width, out),
            )
        )  # fmt: skip
    return layers
