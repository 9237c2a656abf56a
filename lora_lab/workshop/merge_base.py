"""A merged checkpoint: the base's own files with W + ΔW in place of W, shard by shard.

Layout, names and types stay the base's; what else a Hugging Face folder holds is copied. What was
written is opened again by transformers' own rule of names and ties, and what the rounding to the
base's type loses is measured on it, beside what the size of ΔW predicts.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError

from lora_lab.adapters.weights import AdapterWeights
from lora_lab.analysis.merge_loss import merge_loss, repacked_loss
from lora_lab.atomic import replace_file, replace_folder, temporary_folder
from lora_lab.blocks.forms import FORMS, dense, fits, packed
from lora_lab.door import reading
from lora_lab.errors import AdapterError, CheckpointError, ExportError
from lora_lab.models.base import Base
from lora_lab.models.key_map import Source, restored
from lora_lab.progress import Report, silent, to_end
from lora_lab.workshop.merge_plan import Merge, planned
from lora_lab.workshop.merged_folder import (
    check_target,
    copy_beside,
    file_name,
    write_config,
    write_index,
)
from lora_lab.workshop.places import Place, Placed, matrix_of, native, real_delta
from lora_lab.workshop.ties import also_changed, seen_by_others


@dataclass(frozen=True)
class MergedLayer:
    """What a layer lost: ‖W_file − W − ΔW‖_F/‖ΔW‖_F."""

    name: str
    dtype: str
    predicted: float  # of merging in memory
    measured: float  # of the file that was written, read again


@dataclass(frozen=True)
class MergedReport:
    """A merged checkpoint that was written and read again."""

    path: str
    layers: tuple[MergedLayer, ...]
    bytes: int
    notes: tuple[str, ...] = ()

    @property
    def largest(self) -> float:
        return max((layer.measured for layer in self.layers), default=0.0)


def write_merged(
    weights: AdapterWeights,
    base: Path,
    target: Path,
    *,
    overwrite: bool = False,
    untie: bool = False,
    original: bool = False,
    report: Report = silent,
) -> MergedReport:
    """`merging` to its end, with its stages told to `report`, which may raise Cancelled."""
    return to_end(merging(weights, base, target, overwrite, untie, original), report)


def merging(
    weights: AdapterWeights,
    base: Path,
    target: Path,
    overwrite: bool = False,
    untie: bool = False,
    original: bool = False,
) -> Generator[tuple[str, float] | MergedReport, None, None]:
    """Write `target`, a folder or a file as `base` is one, and measure what was written.

    A stage per file, and at last the report; closed at a stage, it leaves no trace. Raises
    ExportError for layers that the base has not, for weights that something else uses as well
    unless `untie` parts them, and for a target that exists; nothing at `target` has changed then.
    An adapter over a base in blocks goes into what those undo to, unless `original`.
    """
    from lora_lab.formats.verify import check_exportable, reason

    check_exportable(weights)
    check_target(base, target, overwrite)
    with reading(base.name, CheckpointError):
        merge = planned(weights, Base(base), untie, original)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with temporary_folder(target) as folder:
            size = yield from _write_into(folder, merge)
            yield "Reading it again and comparing", -1
            layers = _proved(folder, weights, merge)
            if base.is_dir():
                replace_folder(folder, target)
            else:
                replace_file(folder / file_name(base), target)
    except (OSError, SafetensorError) as error:
        raise ExportError(
            f"The merged checkpoint was not written to {target}: {reason(error)}. What was there "
            "before is unchanged."
        ) from error
    yield MergedReport(str(target), layers, size, (*merge.notes, *_of_blocks(merge)))


def _write_into(folder: Path, merge: Merge) -> Generator[tuple[str, float], None, int]:
    """All files of the merged checkpoint, a stage each; returns the bytes of its weights."""
    base = merge.placed.base
    where: dict[str, str] = {}
    size = 0
    for number, file in enumerate(base.files):
        yield f"Merging {file.name}", number / len(base.files)
        state = base.state(file)
        state |= {key: base.read(key) for key in state if key in base.held_as}
        for key in state:
            if key in merge.whole:
                state[key] = merge.whole.pop(key)
            elif key in merge.direct:
                state[key] = _changed(merge, merge.direct[key], state[key])
            elif key in merge.joined:
                state[key] = _rejoined(merge, merge.joined[key], key)
        if file == base.files[-1]:
            state |= dict(_additional(merge))
        out = folder / file_name(file)
        safetensors.torch.save_file(_apart(state), str(out), {"format": "pt"})
        shutil.copymode(file, out)  # the library lets only its owner read it
        where |= dict.fromkeys(state, out.name)
        size += sum(tensor.nbytes for tensor in state.values())
    if base.path.is_dir():
        merge.notes += copy_beside(base.path, folder)
        write_index(folder, where, size)
    if merge.config and (merge.config != base.config or not base.path.is_dir()):
        write_config(folder, merge.config)  # of a file alone: for the proof, and not delivered
    return size


def _additional(merge: Merge) -> Iterator[tuple[str, torch.Tensor]]:
    """Tensors that the base's files do not have: parted ones, and heads."""
    placed = merge.placed
    for key, what in merge.added.items():
        source = what.source if isinstance(what, Place) else what
        W = placed.base.read(source.keys[0])
        yield key, _merged(merge, what, W) if isinstance(what, Place) else W
    yield from merge.whole.items()


def _changed(merge: Merge, places: list[Place], W: torch.Tensor) -> torch.Tensor:
    """A parameter with ΔW: as a whole, or in the matrices of those experts that have one."""
    if places[0].part is None:
        return _merged(merge, places[0], W)
    W = W.clone()
    for place in places:
        W[place.part] = _merged(merge, place, W[place.part])
    return W


def _merged(merge: Merge, place: Place, W: torch.Tensor) -> torch.Tensor:
    """W + ΔW in the type and shape of W."""
    layer = place.layer
    matrix = matrix_of(layer, W)
    delta = real_delta(layer, matrix)
    loss = merge_loss(matrix, delta, W.dtype)
    if loss.overflow:
        raise ExportError(f"{layer.name}: W + ΔW is too large for {W.dtype}.")
    merge.predicted[layer.name] = loss.loss
    if merge.form in FORMS and place.part is None:
        _measure_blocks(merge, place, matrix, delta)
    merged = (matrix.double() + delta).to(W.dtype)
    return native(layer, merged, W.shape).contiguous()


def _measure_blocks(merge: Merge, place: Place, matrix: torch.Tensor, delta: torch.Tensor) -> None:
    """What ΔW would be if W + ΔW were packed again, and how far another W is from that trained."""
    name, form, size = place.layer.name, merge.form, float(delta.norm())
    merge.repacked[name] = repacked_loss(matrix, delta, form)
    if not merge.placed.base.held_as and size and fits(form, matrix.shape[1]):
        trained = dense(packed(matrix.float(), form), form, *matrix.shape, torch.float32)
        merge.away[name] = float((trained - matrix.float()).norm()) / size


def _of_blocks(merge: Merge) -> list[str]:
    """What was measured of blocks, in words."""
    words, title = [], FORMS[merge.form].title if merge.form in FORMS else ""
    if known := sorted(x for x in merge.repacked.values() if math.isfinite(x)):
        lost = known[len(known) // 2]
        words.append(
            f"not packed again: {title} of W + ΔW would lose {min(100 * lost, 100):.0f} % of this "
            "ΔW (median of its layers)"
        )
    if known := sorted(merge.away.values()):
        words.append(
            f"merged into the original numbers, which are {known[len(known) // 2]:.2g} ‖ΔW‖ "
            f"(median) away from those that were trained on, and {known[-1]:.2g} at most: it "
            "computes something else than the run did. Measure it before it is used"
        )
    return words


def _rejoined(merge: Merge, places: list[Place], key: str) -> torch.Tensor:
    """A tensor that loading splits or joins: its layers with ΔW, put together again."""
    if key in merge.ready:
        return merge.ready.pop(key)
    skeleton, base = merge.placed.skeleton, merge.placed.base
    source = places[0].source
    assert skeleton is not None
    parameters = base.parameters(skeleton, source)
    by_parameter: dict[str, list[Place]] = {}
    for place in places:
        by_parameter.setdefault(place.parameter, []).append(place)
    for name, own in by_parameter.items():
        parameters[name] = _changed(merge, own, parameters[name])
    merge.ready |= {k: t.clone() for k, t in restored(skeleton.model, source, parameters).items()}
    return merge.ready.pop(key)


def _proved(folder: Path, weights: AdapterWeights, merge: Merge) -> tuple[MergedLayer, ...]:
    """What each layer lost, read where transformers will look for it; the rest is untouched.

    Raises ExportError where a layer is not there, or is off by far more than rounding.
    """
    before = merge.placed
    path = folder if before.base.path.is_dir() else folder / file_name(before.base.path)
    after = Placed(weights, Base(path))
    found = {place.layer.name: place for place in after.places}
    _prove_the_rest(after, merge)
    rows = []
    for place in before.places:
        layer, W = place.layer, before.W(place)
        if layer.name not in found:
            raise ExportError(f"{layer.name} cannot be found in what was written; nothing is kept.")
        written = after.W(found[layer.name])
        delta = real_delta(layer, matrix_of(layer, W))
        lost = matrix_of(layer, written).double() - matrix_of(layer, W).double() - delta
        size = float(delta.norm())
        measured = float(lost.norm()) / size if size else 0.0
        predicted = merge.predicted[layer.name]
        if not math.isfinite(measured) or measured > max(2 * predicted, 1e-6):
            raise ExportError(f"{layer.name} was not written correctly; nothing is kept.")
        dtype = str(W.dtype).removeprefix("torch.")
        rows.append(MergedLayer(layer.name, dtype, predicted, measured))
    return tuple(rows)


def _prove_the_rest(after: Placed, merge: Merge) -> None:
    """Raise ExportError unless whole layers and parted weights are what loading will find."""
    skeleton, base = after.skeleton, after.base
    for parameter, tensor in merge.parameters.items():
        source = skeleton.sources.get(parameter) if skeleton is not None else Source((parameter,))
        if source is None or not torch.equal(base.read(source.keys[0]), tensor):
            raise ExportError(f"{parameter} was not written correctly; nothing is kept.")
    for key, what in merge.added.items():
        if isinstance(what, Source):
            W = merge.placed.base.read(what.keys[0])
            if key not in base.tensors or not torch.equal(base.read(key), W):
                raise ExportError(f"{key} was not written correctly; nothing is kept.")
    if skeleton is not None and merge.added:
        changed = {place.parameter for place in after.places}
        if both := also_changed(seen_by_others(base, skeleton), changed):
            raise ExportError(f"{both[0]} is still tied to {both[1]}; nothing is kept.")


def _apart(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tensors of an archive may share memory; in the file each has its own."""
    seen: set[int] = set()
    for key, tensor in state.items():
        pointer = tensor.untyped_storage().data_ptr()
        if pointer in seen:
            state[key] = tensor.clone()
        seen.add(pointer)
        if not tensor.is_contiguous():
            raise AdapterError(f"{key} is not stored in order.")
    return state
