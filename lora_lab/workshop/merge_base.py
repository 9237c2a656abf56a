"""A merged checkpoint: the base's own files with W + ΔW in place of W, shard by shard.

Layout, names and types stay the base's; what else a Hugging Face folder holds is copied. What the
rounding to the base's type loses is measured on the very numbers that are written, beside what the
size of ΔW predicts.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import safetensors.torch
import torch

from lora_lab.adapters.weights import AdapterWeights, LayerWeights
from lora_lab.analysis.merge_loss import merge_loss
from lora_lab.atomic import replace_file, replace_folder, temporary_folder
from lora_lab.errors import AdapterError, ExportError
from lora_lab.models.checkpoint import read_state
from lora_lab.models.shards import weight_files
from lora_lab.progress import Report, silent

SKIPPED = (".safetensors", ".bin", ".pt", ".pth", ".gguf", ".msgpack", ".h5", ".onnx")


@dataclass(frozen=True)
class MergedLayer:
    """What a layer lost: ‖W_file − W − ΔW‖_F/‖ΔW‖_F."""

    name: str
    dtype: str
    predicted: float  # of merging in memory
    measured: float  # of the file that was written, read again


class Original(NamedTuple):
    """A layer's weight in the base, and the loss that merging it in memory predicts."""

    layer: LayerWeights
    W: torch.Tensor
    predicted: float


@dataclass(frozen=True)
class MergedReport:
    """A merged checkpoint that was written and read again."""

    path: str
    layers: tuple[MergedLayer, ...]
    bytes: int
    notes: tuple[str, ...] = ()

    @property
    def largest(self) -> float:
        return max(layer.measured for layer in self.layers)


def write_merged(
    weights: AdapterWeights,
    base: Path,
    target: Path,
    *,
    overwrite: bool = False,
    report: Report = silent,
) -> MergedReport:
    """Write `target`, a folder or a file as `base` is one, and measure what was written.

    Raises ExportError for layers that the base has not or ties, and a target that exists; nothing
    at `target` has changed then.
    """
    from lora_lab.formats.verify import check_exportable, reason

    check_exportable(weights)
    if weights.whole:
        raise ExportError(
            f"{weights.whole[0].name} is fully trained and no part of the base. A merged "
            "checkpoint of such a model cannot be written; a PEFT folder holds all of it."
        )
    _check_target(base, target, overwrite)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with temporary_folder(target) as folder:
            layers, size = _write_into(folder, weights, base, report)
            if base.is_dir():
                replace_folder(folder, target)
            else:
                replace_file(folder / base.with_suffix(".safetensors").name, target)
    except OSError as error:
        raise ExportError(
            f"The merged checkpoint was not written to {target}: {reason(error)}. What was there "
            "before is unchanged."
        ) from error
    return MergedReport(str(target), layers, size)


def _write_into(
    folder: Path, weights: AdapterWeights, base: Path, report: Report
) -> tuple[tuple[MergedLayer, ...], int]:
    """All files of the merged checkpoint; what its layers lost, and the bytes of its weights."""
    files = weight_files(base) if base.is_dir() else (base,)
    layers = tuple(_merged(weights, files, folder, report))
    if missing := {layer.name for layer in weights.layers} - {layer.name for layer in layers}:
        raise ExportError(
            f"The base has no weight of its own for {min(missing)}, so ΔW has no place there. "
            "It is another base, or the layer is tied to another."
        )
    size = sum(file.stat().st_size for file in folder.iterdir())
    for file in base.iterdir() if base.is_dir() else ():
        if file.is_file() and file.suffix not in SKIPPED:
            shutil.copyfile(file, folder / file.name)
    return layers, size


def _check_target(base: Path, target: Path, overwrite: bool) -> None:
    """Raise ExportError unless writing `target` can lose nothing that was not agreed to."""
    if target.resolve() == base.resolve():
        raise ExportError("The merged checkpoint would replace the base itself. Choose another.")
    if not target.exists():
        return
    if target.is_dir() != base.is_dir():
        kind = "folder" if base.is_dir() else "file"
        raise ExportError(f"The base is a {kind}, and so is the merged checkpoint: name a {kind}.")
    present = {entry.name for entry in target.iterdir()} if target.is_dir() else {target.name}
    if present and not overwrite:
        raise ExportError(f"{target} exists. Choose another path, or allow overwriting it.")
    if target.is_dir():
        known = {entry.name for entry in base.iterdir()}
        known |= {Path(name).with_suffix(".safetensors").name for name in known}
        if foreign := sorted(present - known):
            raise ExportError(
                f"{target} holds other things than this model ({foreign[0]}), and the whole folder "
                "would be replaced. Choose a new or an empty folder."
            )


def _merged(
    weights: AdapterWeights, files: tuple[Path, ...], folder: Path, report: Report
) -> Iterator[MergedLayer]:
    """Write every file of the base with ΔW in it, read it again, and say what each layer lost."""
    wanted = {layer.name: layer for layer in weights.layers}
    for number, file in enumerate(files):
        report(f"Merging {file.name}", number / len(files))
        state = dict(read_state(file))
        before = _add_delta(state, wanted)
        out = folder / file.with_suffix(".safetensors").name
        safetensors.torch.save_file(_apart(state), str(out), {"format": "pt"})
        shutil.copymode(file, out)  # the library lets only its owner read it
        del state
        again = read_state(out)
        for key, original in before.items():
            yield _compared(original, again[key])


def _add_delta(
    state: dict[str, torch.Tensor], wanted: Mapping[str, LayerWeights]
) -> dict[str, Original]:
    """Put W + ΔW in place of every W in `state` that has a layer; what was there before."""
    before = {}
    for key, W in state.items():
        layer = layer_of(key, wanted)
        if layer is None:
            continue
        matrix = matrix_of(layer, W)
        if matrix.shape != layer.shape:
            raise ExportError(
                f"{layer.name} is {tuple(matrix.shape)} in the base and {layer.shape} in the "
                "adapter, which is for another base."
            )
        delta = real_delta(layer, matrix)
        loss = merge_loss(matrix, delta, W.dtype)
        if loss.overflow:
            raise ExportError(f"{layer.name}: W + ΔW is too large for {W.dtype}.")
        before[key] = Original(layer, W, loss.loss)
        merged = (matrix.double() + delta).to(W.dtype)
        state[key] = _native(layer, merged, W).contiguous()
    return before


def _compared(original: Original, written: torch.Tensor) -> MergedLayer:
    """What a layer lost in the file; raises ExportError where it is far more than rounding."""
    layer, W, predicted = original
    matrix = matrix_of(layer, W)
    delta = real_delta(layer, matrix)
    lost = (matrix_of(layer, written).double() - matrix.double() - delta).norm()
    size = float(delta.norm())
    measured = float(lost) / size if size else 0.0
    if not math.isfinite(measured) or measured > max(2 * predicted, 1e-6):
        raise ExportError(f"{layer.name} was not written correctly; nothing is kept.")
    return MergedLayer(layer.name, str(W.dtype).removeprefix("torch."), predicted, measured)


def real_delta(layer: LayerWeights, W: torch.Tensor) -> torch.Tensor:
    """ΔW (out × in) in float64; DoRA's is m∘V/‖V‖ − W with V = W + s·B·A (Liu et al. 2024)."""
    delta = layer.delta_weight()
    if layer.magnitude is None:
        return delta
    V = W.double() + delta
    return V * (layer.magnitude.double() / V.norm(dim=1))[:, None] - W.double()


def layer_of(key: str, wanted: Mapping[str, LayerWeights]) -> LayerWeights | None:
    """The layer whose weight this is; a base that was saved alone lacks its model's first word."""
    if not key.endswith(".weight"):
        return None
    name = key.removesuffix(".weight")
    if name in wanted:
        return wanted[name]
    return next((layer for own, layer in wanted.items() if own.partition(".")[2] == name), None)


def matrix_of(layer: LayerWeights, W: torch.Tensor) -> torch.Tensor:
    """A native weight as the matrix (out × in) that the layer's ΔW adds to."""
    if layer.kind in ("conv1d_linear", "embedding"):
        return W.t()
    return W.flatten(1) if W.dim() > 2 else W


def _native(layer: LayerWeights, M: torch.Tensor, W: torch.Tensor) -> torch.Tensor:
    return M.t() if layer.kind in ("conv1d_linear", "embedding") else M.reshape(W.shape)


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
