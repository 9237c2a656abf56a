"""A merge before a byte is written: what becomes of which tensor, or why it would be wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

from lora_lab.adapters.weights import AdapterWeights
from lora_lab.blocks.forms import FORMS
from lora_lab.errors import AdapterError, CheckpointError, ExportError
from lora_lab.models.base import Base
from lora_lab.models.key_map import Source
from lora_lab.models.packed_folder import held_as
from lora_lab.models.skeleton import Skeleton
from lora_lab.workshop.heads import config_with_head, whole_tensors
from lora_lab.workshop.places import Place, Placed
from lora_lab.workshop.ties import also_changed, seen_by_others, ties_loosened, untied


@dataclass
class Merge:
    """One merge as it was planned: what becomes of which tensor."""

    placed: Placed
    config: dict[str, Any]  # of the merged checkpoint
    whole: dict[str, torch.Tensor]  # tensor of the file → that of a fully trained layer
    parameters: dict[str, torch.Tensor]  # the same by the model's names
    direct: dict[str, list[Place]]  # tensor of the file → the layer, or experts, it is W of
    joined: dict[str, list[Place]]  # tensor → layers that loading makes of it and others
    added: dict[str, Place | Source]  # tensors that the base has not, of what was tied
    notes: list[str] = field(default_factory=list)
    predicted: dict[str, float] = field(default_factory=dict)
    ready: dict[str, torch.Tensor] = field(default_factory=dict)  # of `joined`, not written yet
    # Of an adapter over blocks: their form; layer → what packing W + ΔW again would lose of ΔW, and
    # how far the original W is from the one that was trained on, in ‖ΔW‖.
    form: str = ""
    repacked: dict[str, float] = field(default_factory=dict)
    away: dict[str, float] = field(default_factory=dict)


def planned(weights: AdapterWeights, base: Base, untie: bool, original: bool = False) -> Merge:
    """Raises ExportError for what a merge into `base` would get wrong; nothing is written.

    An adapter that was trained over the base in blocks is merged into what those undo to; with
    `original` into the numbers of the files.
    """
    form = str(weights.extra.get("base_form", ""))
    if form == "gguf" and base.path.suffix == ".gguf":
        raise ExportError(
            f"{base.path.name} is in blocks, and W + ΔW packed again would lose most of ΔW, which "
            "is below their rounding. Export the adapter as GGUF (--to gguf), which llama.cpp "
            "loads beside the file, or merge into the folder that the file was made of."
        )
    if base.quantized:
        raise ExportError(
            f"{base.path.name} is quantized ({base.quantized}), and ΔW cannot be added to such "
            "numbers without loss. Merge into the model in float32, float16 or bfloat16."
        )
    try:
        placed = Placed(weights, base)
    except AdapterError as error:
        raise ExportError(str(error)) from None
    if placed.missing:
        raise ExportError(
            f"The base has no weight of its own for {placed.missing[0]}, so ΔW has no place there. "
            + _where_it_may_be(placed)
        )
    by_key, by_parameter = whole_tensors(weights, placed)
    config = config_with_head(weights, placed, by_parameter)
    merge = Merge(placed, config, by_key, by_parameter, {}, {}, {}, form=form)
    _mind_blocks(merge, original)
    changed = {place.parameter for place in placed.places} | set(by_parameter)
    if placed.skeleton is not None:
        _mind_ties(merge, placed.skeleton, changed, bool(by_parameter), untie)
    else:
        twins = {f"{n}.weight": place for place in placed.places for n in place.layer.also}
        _mind_memory(base, changed, set(twins))
        merge.direct |= {key: [place] for key, place in twins.items()}
    if merge.config != base.config and not base.path.is_dir():
        raise ExportError(
            "The merged checkpoint needs another config.json, and only a file of weights was "
            "named. Name the base's folder."
        )
    for place in placed.places:
        if place.source.converter is not None:
            for key in place.source.keys:
                merge.joined.setdefault(key, []).append(place)
        elif place.parameter not in merge.added:
            merge.direct.setdefault(place.source.keys[0], []).append(place)
    return merge


def _mind_blocks(merge: Merge, original: bool) -> None:
    """Have a base count as the blocks that it was trained in, or say that it does not."""
    placed, form = merge.placed, merge.form
    if not form:
        return
    if form not in FORMS:
        if not original:
            raise ExportError(
                f"The adapter was trained over a .gguf in blocks, and {placed.base.path.name} has "
                "other numbers: what comes out would differ from what was trained by the rounding "
                "of that file. --original-base merges into these all the same; measure the result."
            )
        merge.notes.append(
            "trained over a .gguf in blocks, and merged into numbers that differ from those by its "
            "rounding: measure it before it is used"
        )
        return
    if placed.skeleton is None:
        raise ExportError(
            f"The adapter was trained over a base in blocks of {FORMS[form].title}, and without a "
            "config.json it is not known which layers those are. Name the base's folder."
        )
    try:
        held = held_as(placed.skeleton.model, placed.skeleton.sources, form)
    except CheckpointError as error:
        raise ExportError(f"{error} Keep the adapter beside the base.") from None
    if not original:
        placed.base.held_as = held
        merge.notes.append(
            f"{len(held):,} matrices are written as {FORMS[form].title} undoes them, as they were "
            "trained on; --original-base merges into the numbers of the files"
        )


def _mind_ties(
    merge: Merge, skeleton: Skeleton, changed: set[str], new_class: bool, untie: bool
) -> None:
    """Refuse, or part, what the merge would change besides; in the class that others open it as."""
    base = merge.placed.base
    opened = skeleton if new_class else seen_by_others(base, skeleton)
    if opened is not skeleton:  # the same tensors by the names of another class
        keys = {skeleton.sources[name].keys for name in changed if name in skeleton.sources}
        changed = {name for name, source in opened.sources.items() if source.keys in keys}
    both = also_changed(opened, changed)
    if both is None:
        if ties_loosened(opened, changed):
            merge.config, _ = untied(merge.config, base.tensors, opened, changed)
            merge.notes.append("tie_word_embeddings is written as false: the two differ now")
        return
    mine, other = (name.removesuffix(".weight") for name in both)
    if not untie:
        raise ExportError(
            f"{mine} shares its weight with {other}: a merge would change both, and the adapter "
            "does not change them alike. Untie them (--untie writes each its own), or keep the "
            "PEFT folder."
        )
    merge.config, added = untied(merge.config, base.tensors, opened, changed)
    places = {place.parameter: place for place in merge.placed.places}
    tied = {name: group for group in opened.ties() for name in group}
    for name in added:
        own = [opened.sources[n] for n in sorted(tied[name]) if n in opened.sources]
        if name in places and opened is skeleton:
            merge.added[name] = places[name]
        elif name not in merge.whole and own:
            merge.added[name] = own[0]
    merge.notes.append(f"untied: {mine} and {other} have a weight each, and config.json says so")


def _mind_memory(base: Base, changed: set[str], twins: set[str]) -> None:
    """Raise ExportError where a file without config has one weight under two names.

    One that belongs to the very same layer, as `twins` do, changes with it.
    """
    for key in sorted(changed):
        if (other := base.twin(key)) and other not in twins:
            raise ExportError(
                f"{key} and {other} are one weight in {base.path.name}: a merge would change both, "
                "and no config says how they are parted. Keep the adapter beside the base."
            )


def _where_it_may_be(placed: Placed) -> str:
    if not placed.places:
        return "It is another base."
    return (
        f"It has for {len(placed.places)} others: it is another base, or keeps this one joined "
        "with others in a way that is not known here."
    )
