"""Where the layers of an adapter are in a base: which tensors of its files each of them changes.

With a config.json the names, how each layer holds its W, and what is tied are transformers' own
(models.skeleton). Without one a name has to be found in the file, and a square matrix can be turned
either way: where neither file nor adapter say which, that is said instead of guessed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from lora_lab.adapters.weights import AdapterWeights, ExpertName, LayerWeights
from lora_lab.errors import AdapterError
from lora_lab.models.base import Base
from lora_lab.models.key_map import Source
from lora_lab.models.skeleton import Skeleton, skeletons

TURNED = ("conv1d_linear", "embedding", "expert_turned")  # kinds that hold W as (in, out)
HELD = 3  # parameters of experts that a module of transformers has at most
EXPERTS = ("expert", "expert_turned")  # kinds of which a parameter holds several
MATRICES = ("linear", "conv1d_linear", "embedding")


@dataclass(frozen=True)
class Place:
    """A layer of an adapter in the base, of the base's kind; `parameter` comes from `source`.

    `part` is the number of an expert, whose W is one matrix of the parameter.
    """

    layer: LayerWeights
    parameter: str
    source: Source
    part: int | None = None


class Placed:
    """An adapter's layers in a base, each where loading would put it."""

    def __init__(self, weights: AdapterWeights, base: Base, strict: bool = True) -> None:
        """Raises AdapterError where the base has another shape of a layer, and `strict` where it
        has none of them, or a layer may be stored either way round."""
        self.base = base
        self.skeleton = skeleton_for(base, weights)
        kinds = self.skeleton.kinds if self.skeleton is not None else {}
        tied = tied_sources(self.skeleton)
        self.missing: list[str] = []  # layers that the base has no weight for
        self.unknown: list[str] = []  # square ones that may be stored either way round
        self.places: list[Place] = []
        self._by_weight = frozenset(weights.extra.get("by_weight", ()))
        self._held: dict[str, torch.Tensor] = {}  # parameters whose experts are being read
        for layer in weights.layers:
            try:
                place = self._place(layer, kinds, tied, strict)
            except AdapterError:
                self._mind_packing(layer.name)
                raise
            if place is None:
                self.missing.append(layer.name)
            else:
                self.places.append(place)
        if self.missing and not self.places:
            self._mind_packing(self.missing[0])
        if strict and self.unknown:
            raise AdapterError(
                f"{self.unknown[0]} is square, and its orientation is not known: "
                f"{base.path.name} has no config.json, and some of its layers may be stored "
                "transposed. Name the base's folder with its config.json."
            )
        if strict and self.missing and not self.places:
            raise AdapterError(
                f"{base.path} has no weight for any layer of the adapter ({self.missing[0]}): it "
                "is another base"
            )

    def _mind_packing(self, name: str) -> None:
        """Raise AdapterError where the base has no such weight because it is quantized."""
        if self.base.quantized:
            raise AdapterError(
                f"{self.base.path.name} is quantized ({self.base.quantized}), and its weight of "
                f"{name} cannot be read as a matrix. Name the model in float32, float16 or "
                "bfloat16."
            )

    def W(self, place: Place) -> torch.Tensor:
        """The layer's native weight."""
        if place.part is None:
            return self.base.parameter(self.skeleton, place.source, place.parameter)
        if place.parameter not in self._held:
            if len(self._held) == HELD:
                self._held.pop(next(iter(self._held)))
            whole = self.base.parameter(self.skeleton, place.source, place.parameter)
            self._held[place.parameter] = whole
        return self._held[place.parameter][place.part]

    def matrix(self, place: Place) -> torch.Tensor:
        """The layer's weight as a matrix (out × in)."""
        return matrix_of(place.layer, self.W(place))

    def _place(
        self,
        layer: LayerWeights,
        kinds: Mapping[str, str],
        tied: Mapping[str, Source],
        strict: bool,
    ) -> Place | None:
        if layer.kind in EXPERTS:
            return self._place_of_expert(layer)
        if self.skeleton is not None and layer.name in self._by_weight:
            # PEFT adds B·A to the parameter as it is, whatever its module makes of it.
            owner = _owner(layer.name, "weight", self.skeleton)
            source = self.skeleton.sources.get(f"{owner}.weight")
            if source is not None:
                shape = tuple(self.skeleton.parameters[f"{owner}.weight"].shape)
                return Place(_fitting(layer, shape), f"{owner}.weight", source)
        if self.skeleton is not None and (name := _module(layer.name, self.skeleton, kinds)):
            if strict and self.skeleton.does_more(name):
                kind = type(self.skeleton.model.get_submodule(name)).__name__
                raise AdapterError(
                    f"{layer.name} is a {kind}, which does more than multiply by W: with ΔW in W "
                    "it would compute something else. Keep the adapter beside the base."
                )
            parameter = f"{name}.weight"
            source = self.skeleton.sources.get(parameter) or tied.get(parameter)
            if source is None:
                return None
            shape = tuple(self.skeleton.parameters[parameter].shape)
            if source.converter is None:  # the file's own word: a vocabulary may have grown
                shape = self.base.tensors[source.keys[0]].shape
            return Place(_of_kind(layer, kinds[name], shape), parameter, source)
        key = key_of(layer.name, self.base)
        if not key:
            return None
        shape = self.base.tensors[key].shape
        if self.skeleton is None and layer.kind in ("linear", "conv1d_linear"):
            layer = _told_by_shape(layer, shape)
            square = len(shape) == 2 and shape[0] == shape[1]
            if square and (self.base.holds_turned or layer.kind == "conv1d_linear"):
                self.unknown.append(layer.name)
        return Place(_fitting(layer, shape), key, Source((key,)))

    def _place_of_expert(self, layer: LayerWeights) -> Place | None:
        """One matrix of a parameter, in the orientation that the base's module has."""
        name = ExpertName.of(layer.name)
        if self.skeleton is None:
            raise AdapterError(
                f"{layer.name} is a matrix of an expert, and {self.base.path.name} has no "
                "config.json that tells how its experts are held. Name the base's folder with it."
            )
        if name is None or not (owner := _owner(name.owner, name.parameter, self.skeleton)):
            return None
        parameter = f"{owner}.{name.parameter}"
        source = self.skeleton.sources.get(parameter)
        if source is None:
            return None
        shape = tuple(self.skeleton.parameters[parameter].shape)
        module = self.skeleton.model.get_submodule(owner)
        kind = EXPERTS[bool(getattr(module, "is_transposed", False))]
        if len(shape) != 3 or name.number >= shape[0]:
            raise AdapterError(f"{layer.name} is no expert of the base, which has {shape[0]}.")
        layer = _fitting(replace(layer, kind=kind, weight_shape=shape), shape[1:])
        return Place(layer, parameter, source, name.number)


def skeleton_for(base: Base, weights: AdapterWeights) -> Skeleton | None:
    """The class of model that has the adapter's layers; None where the base has no config."""
    if "model_type" not in base.config:
        return None
    names = [layer.name for layer in weights.layers]
    whole = [layer.name for layer in weights.whole]
    best, most = None, -1
    task = weights.extra.get("task_type")
    for skeleton in skeletons(base.config, base.tensors, task):
        kinds = skeleton.kinds
        found = sum(
            bool(_owner(name.owner, name.parameter, skeleton))
            if layer.kind in EXPERTS and (name := ExpertName.of(layer.name))
            else bool(_module(layer.name, skeleton, kinds))
            for layer in weights.layers
        )
        found += sum(name in kinds for name in whole)
        if found > most:
            best, most = skeleton, found
        if found == len(names) + len(whole):
            break
    return best if most else None


def key_of(name: str, base: Base) -> str:
    """The tensor of a file that is a layer's weight, by its name alone; "" for none, or several.

    The path as it is, without its first word (a base that was saved alone lacks its model's), by
    what another program calls it, or behind words of the file's own, where just one tensor has it.
    """
    names = [part for part in (name, name.partition(".")[2]) if part]
    for own in names:
        if f"{own}.weight" in base.tensors:
            return f"{own}.weight"
    for own in names:
        if own in base.aliases:
            return f"{base.aliases[own]}.weight"
    for own in names:
        if (behind := base.by_ending.get(f"{own}.weight")) is not None:
            return behind
    return ""


def matrix_of(layer: LayerWeights, W: torch.Tensor) -> torch.Tensor:
    """A native weight as the matrix (out × in) that the layer's ΔW adds to."""
    if layer.kind in TURNED:
        return W.t()
    return W.flatten(1) if W.dim() > 2 else W


def native(layer: LayerWeights, M: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """A matrix (out × in) in the native shape of the layer's weight."""
    return M.t() if layer.kind in TURNED else M.reshape(shape)


def real_delta(layer: LayerWeights, W: torch.Tensor) -> torch.Tensor:
    """ΔW (out × in) in float64; DoRA's is m∘V/‖V‖ − W with V = W + s·B·A (Liu et al. 2024)."""
    delta = layer.delta_weight()
    if layer.magnitude is None:
        return delta
    V = W.double() + delta
    return V * (layer.magnitude.double() / V.norm(dim=1))[:, None] - W.double()


def _module(name: str, skeleton: Skeleton, kinds: Mapping[str, str]) -> str:
    """The module that a layer's name means, which may be from before a renaming; "" for none."""
    if kinds.get(name):
        return name
    renamed = skeleton.renamed(name)
    return renamed if kinds.get(renamed) else ""


def tied_sources(skeleton: Skeleton | None) -> dict[str, Source]:
    """Parameters without a tensor of their own → the tensor that they are tied to."""
    tied: dict[str, Source] = {}
    for group in skeleton.ties() if skeleton is not None else ():
        own = [skeleton.sources[name] for name in sorted(group) if name in skeleton.sources]
        tied |= (
            dict.fromkeys((n for n in group if n not in skeleton.sources), own[0]) if own else {}
        )
    return tied


def _owner(owner: str, parameter: str, skeleton: Skeleton) -> str:
    """The module of experts that a path means, which may be from before a renaming."""
    for path in (owner, skeleton.renamed(owner)):
        if f"{path}.{parameter}" in skeleton.parameters:
            return path
    return ""


def _of_kind(layer: LayerWeights, kind: str, shape: tuple[int, ...]) -> LayerWeights:
    """The layer with the kind that its module in the base has.

    PEFT corrects fan_in_fan_out by the module as well (tuners/lora/model.py), and formats without
    kinds call every matrix linear. An embedding's factors may have come the other way round.
    """
    if layer.kind == kind:
        return _fitting(layer, shape)
    if layer.kind not in MATRICES or kind not in MATRICES:
        raise AdapterError(
            f"{layer.name} is a layer of type {kind} in the base and {layer.kind} in the adapter, "
            "which is for another base."
        )
    if "embedding" in (layer.kind, kind) and layer.shape == tuple(shape) != tuple(reversed(shape)):
        layer = replace(layer, lora_A=layer.lora_B.t(), lora_B=layer.lora_A.t())
    return _fitting(replace(layer, kind=kind), shape)


def _told_by_shape(layer: LayerWeights, shape: tuple[int, ...]) -> LayerWeights:
    """The layer with the kind that its shape in a file without config tells; squares tell none."""
    if len(shape) != 2 or shape[0] == shape[1] or layer.shape not in (shape, shape[::-1]):
        return layer
    return replace(layer, kind="linear" if layer.shape == shape else "conv1d_linear")


def _fitting(layer: LayerWeights, shape: tuple[int, ...]) -> LayerWeights:
    flat = (shape[0], int(torch.Size(shape[1:]).numel())) if len(shape) > 1 else tuple(shape)
    found = flat[::-1] if layer.kind in TURNED else flat
    if found != layer.shape:
        raise AdapterError(
            f"{layer.name} is {found} in the base and {layer.shape} in the adapter, which is for "
            "another base."
        )
    return layer
