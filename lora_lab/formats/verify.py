"""Export: write beside, re-read by another way, compare layer by layer, and only then deliver.

An export that did not prove itself is not delivered, and the target keeps what it had.
"""

from __future__ import annotations

import errno
import hashlib
import math
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError

from lora_lab.adapters.weights import AdapterWeights, LayerWeights
from lora_lab.atomic import replace_file, replace_folder, restore_folder, temporary_folder
from lora_lab.errors import AdapterError, ExportError, system_reason
from lora_lab.exported import ExportReport, LayerCheck
from lora_lab.formats import FORMATS, Format
from lora_lab.formats.library_proof import library_of, prove_by_library
from lora_lab.formats.reread_layer import RereadLayer
from lora_lab.progress import Report, silent, to_end

CHUNK = 2**20  # bytes that are hashed at a time
TOLERANCE = 1e-6  # of ‖ΔW_file − ΔW‖_F / ‖ΔW‖_F, and so of DoRA's magnitude
# Of s·‖B‖·‖A‖. Less is rounding: factors that cancel, as PiSSA's before a step, leave it.
CANCELLED = 1e-12
# What file managers leave in a folder they have shown; no work is lost with it.
DROPPINGS = {".DS_Store", "Thumbs.db", "desktop.ini"}

Progress = tuple[str, float]  # what is done, and the share of it; negative where it is unknown

ADVICE = {
    errno.ENOSPC: "the disk is full. Free some space or choose a folder on another disk",
    errno.EDQUOT: "your disk quota is used up. Free some space or choose another disk",
    errno.EACCES: "you may not write there. Choose another folder",
    errno.EPERM: "you may not write there. Choose another folder",
    errno.EROFS: "the disk is read-only. Choose a folder on another disk",
    errno.EEXIST: "a part of that path is a file, not a folder. Choose another folder",
    errno.ENOTDIR: "a part of that path is a file, not a folder. Choose another folder",
    errno.ENAMETOOLONG: "the name is too long. Choose a shorter one",
}


def export(
    weights: AdapterWeights,
    target: Path,
    format: str = "peft",
    overwrite: bool = False,
    report: Report = silent,
    ask_library: bool = False,
    component: str = "",
) -> ExportReport:
    """Write `weights` to the folder or file `target`, prove it, and report what was measured.

    With `ask_library` the library that the file is for has to load it too. Raises `ExportError`,
    and Cancelled where `report` does; then nothing at `target` has changed.
    """
    how = format, overwrite, ask_library, component
    return to_end(exporting(weights, target, *how), report)


def exporting(
    weights: AdapterWeights,
    target: Path,
    format: str = "peft",
    overwrite: bool = False,
    ask_library: bool = False,
    component: str = "",
) -> Generator[Progress | ExportReport, None, None]:
    """An export stage by stage, and at last its report; closed at a stage, it leaves no trace.

    Refuses adapters that are empty, untrained (ΔW = 0 in every layer) or not finite, and a target
    that exists, unless `overwrite` is set and nothing but an adapter of this format is in it; an
    empty folder may always be used. `component` is the part of a pipeline that layers are of whose
    names say none, or of several the one to write.

    Raises `ExportError`, and then nothing at `target` has changed.
    """
    if format not in FORMATS:
        raise ExportError(f"{format!r} is not an export format; there are {', '.join(FORMATS)}")
    kind = FORMATS[format]
    library = library_of(format) if ask_library else ""
    notes = check_exportable(weights)
    try:
        weights, told = kind.named(weights, component)
    except AdapterError as error:
        raise ExportError(f"The adapter cannot be written as {kind.title}: {error}.") from error
    notes += told
    if limits := kind.limits(weights):
        raise ExportError(
            f"As {kind.title} the adapter would not do what it does here. {limits[0]}. Or leave "
            "that layer out, or train it with another variant."
        )
    try:
        target = Path(target).expanduser().resolve()  # a link stays; the folder behind it changes
        if not kind.single:
            restore_folder(target)
        check_target(target, kind, overwrite)
        yield "Writing", -1
        target.parent.mkdir(parents=True, exist_ok=True)
        with temporary_folder(target) as folder:
            notes += kind.save(weights, folder)
            report = yield from prove(weights, folder, kind, target, notes)
            if library:
                yield f"Loading it with {library}", -1
                report = replace(report, proved=prove_by_library(weights, folder, format))
            yield "Putting it in its place", 1.0
            left = None
            if kind.single:
                replace_file(folder / kind.files[0], target)
            else:
                left = replace_folder(folder, target)
    except AdapterError as error:
        raise ExportError(f"The adapter cannot be written as {kind.title}: {error}") from error
    except (OSError, SafetensorError, RuntimeError) as error:
        raise ExportError(
            f"The adapter was not written to {target}: {reason(error)}. "
            "What was there before is unchanged."
        ) from error
    if left is not None:
        note = f"the old folder could not be removed and is left as {left}"
        report = replace(report, notes=(*report.notes, note))
    yield report


def check_exportable(weights: AdapterWeights) -> tuple[str, ...]:
    """Raise `ExportError` where there is nothing worth delivering; note layers with ΔW = 0."""
    if not (weights.layers or weights.whole):
        raise ExportError("The adapter is empty: no layer of the model carries one.")
    broken = [layer.name for layer in weights.layers if not _finite(layer)]
    broken += [
        key
        for layer in weights.whole
        for key, tensor in layer.tensors().items()
        if not bool(torch.isfinite(tensor).all())
    ]
    if broken:
        raise ExportError(
            f"The adapter has NaN or infinite values in {_listed(broken)} and was not exported. "
            "Revert to the last good checkpoint, or train again with a lower learning rate."
        )
    still = [layer for layer in weights.layers if not _moved(layer)]
    # Beside B = 0 a magnitude may have moved, which only the base could tell, or another module.
    silent = [layer.name for layer in still if layer.magnitude is None]
    if len(silent) == len(weights.layers) and not weights.whole:
        if all(layer.scaling == 0 and bool(layer.lora_B.any()) for layer in weights.layers):
            raise ExportError(
                f"The scale s is 0 in every layer ({_listed(silent)}), so ΔW = 0 and the file "
                "would change nothing. Give it another α, or other weights to a sum of adapters."
            )
        raise ExportError(
            f"The adapter is untrained: ΔW = 0 in every layer ({_listed(silent)}), so the file "
            "would change nothing. Train at least one step first."
        )
    notes = (f"ΔW = 0 in {_listed(silent)}",) if silent else ()
    if turned := [layer.name for layer in still if layer.magnitude is not None]:
        notes += (f"s·B·A = 0 in {_listed(turned)}: there only DoRA's magnitude can change W",)
    return notes


def check_target(target: Path, kind: Format, overwrite: bool) -> None:
    """Raise `ExportError` unless writing `target` can lose nothing that was not agreed to."""
    if not target.exists():
        return
    if kind.single:
        if target.is_dir():
            raise ExportError(f"{target} is a folder. Give the name of a file for {kind.title}.")
        if not overwrite:
            raise ExportError(f"{target} exists. Choose another name, or allow overwriting it.")
        return
    if not target.is_dir():
        raise ExportError(f"{target} is a file. Choose a folder for the adapter.")
    present = {entry.name for entry in target.iterdir()} - DROPPINGS
    if not present:
        return
    if foreign := sorted(present - set(kind.files)):
        raise ExportError(
            f"{target} holds other things than an adapter ({_listed(foreign)}), and an export "
            "replaces the whole folder. Choose a new or an empty folder."
        )
    if not overwrite:
        raise ExportError(
            f"{target} already holds an adapter. Choose another folder, or allow overwriting it."
        )


def prove(
    weights: AdapterWeights, folder: Path, kind: Format, target: Path, notes: tuple[str, ...]
) -> Generator[Progress, None, ExportReport]:
    """Re-read `folder` and compare every ΔW; raises `ExportError` where one is off.

    A stage per layer, and the report is returned. DoRA's ΔW depends on W as well, which is not at
    hand: there s·B·A and m are compared.
    """
    expected = {layer.name: layer for layer in weights.layers}
    whole = {key: t for layer in weights.whole for key, t in layer.tensors().items()}
    errors: dict[str, float] = {}
    for reread in _reread(weights, folder, kind):
        yield "Reading it again and comparing", len(errors) / (len(expected) + len(whole))
        name = reread.name
        if reread.right is None and name in whole:
            wanted = whole[name].double().numpy()
            same = reread.left.shape == wanted.shape and np.array_equal(reread.left, wanted)
            errors[name] = 0.0 if same else float("inf")
            continue
        layer = expected.get(name)
        if layer is None or reread.right is None:
            raise ExportError(f"The written file has a layer {name} that the adapter lacks.")
        shape = (reread.left.shape[0], reread.right.shape[1])
        if shape != layer.shape:
            raise ExportError(
                f"The written file gives {name} the shape {shape}, not {layer.shape}."
            )
        errors[name] = max(_product_error(layer, reread), _magnitude_error(layer, reread.magnitude))
    if missing := [name for name in (*expected, *whole) if name not in errors]:
        raise ExportError(f"The written file lacks {_listed(missing)}; it was not delivered.")
    wrong = [name for name, error in errors.items() if not error <= TOLERANCE]  # NaN is wrong too
    if wrong:
        raise ExportError(
            f"The written file does not compute what the adapter does in {_listed(wrong)} "
            f"(relative error {errors[wrong[0]]:.1e}); it was not delivered."
        )
    file = folder / kind.files[0]
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while part := opened.read(CHUNK):
            digest.update(part)
    return ExportReport(
        format=kind.name,
        path=str(target),
        layers=tuple(LayerCheck(x.name, x.rank, errors[x.name]) for x in weights.layers),
        keys=kind.count(file),
        bytes=file.stat().st_size,
        sha256=digest.hexdigest(),
        notes=notes + _whole_notes(weights),
        base_fingerprint=weights.base_fingerprint,
    )


def _reread(weights: AdapterWeights, folder: Path, kind: Format) -> Iterator[RereadLayer]:
    """Its layers; a library may have written half of a file and said nothing."""
    try:
        yield from kind.reread(folder, weights)
    except (ValueError, LookupError, TypeError) as error:
        raise ExportError(
            f"What was written cannot be read again ({system_reason(error)}), as where the disk is "
            "full or a file too large for it; it was not delivered."
        ) from error


def _whole_notes(weights: AdapterWeights) -> tuple[str, ...]:
    names = [layer.name for layer in weights.whole]
    return (f"{_listed(names)}: fully trained, and compared bit for bit",) if names else ()


def reason(error: Exception) -> str:
    """Why a write failed and what to do, as the middle of a sentence."""
    number = error.errno if isinstance(error, OSError) else None
    if number is None and "No space left" in str(error):  # the Rust library's way to say it
        number = errno.ENOSPC
    return ADVICE.get(number or 0) or system_reason(error)


def _finite(layer: LayerWeights) -> bool:
    numbers = torch.tensor([layer.alpha, layer.scaling], dtype=torch.float64)
    tensors = [layer.lora_A, layer.lora_B, numbers]
    if layer.magnitude is not None:
        tensors.append(layer.magnitude)
    return all(bool(torch.isfinite(x).all()) for x in tensors)


def _moved(layer: LayerWeights) -> bool:
    """s·B·A ≠ 0; two factors that are both not zero can still have a product of zero."""
    if (least := CANCELLED * _factor_size(layer)) == 0:
        return False
    inputs = torch.ones(layer.shape[1], dtype=torch.float64)
    outputs = layer.lora_B.double() @ (layer.lora_A.double() @ inputs)
    if abs(layer.scaling) * float(outputs.norm()) > least * layer.shape[1] ** 0.5:
        return True  # seen without forming ΔW, as nearly always
    product = _product_norm(layer.lora_B.double().numpy(), layer.lora_A.double().numpy())
    return abs(layer.scaling) * product > least


def _factor_size(layer: LayerWeights) -> float:
    """s·‖B‖_F·‖A‖_F, which ‖ΔW‖_F cannot exceed."""
    norms = (float(x.double().norm()) for x in (layer.lora_A, layer.lora_B))
    return abs(layer.scaling) * math.prod(norms)


def _product_error(layer: LayerWeights, reread: RereadLayer) -> float:
    """‖left·right − s·B·A‖_F/‖s·B·A‖_F from the factors alone: no ΔW is formed.

    The difference is the product of [left, −s·B] and [right; A]; with a QR of each, its norm is
    that of a small core.
    """
    left = layer.scaling * layer.lora_B.double().numpy()  # (out, r)
    right = layer.lora_A.double().numpy()  # (r, in)
    if np.array_equal(left, reread.left) and np.array_equal(right, reread.right):
        return 0.0
    assert reread.right is not None
    norm = max(_product_norm(left, right), _factor_size(layer) * CANCELLED / TOLERANCE)
    difference = _product_norm(np.hstack([reread.left, -left]), np.vstack([reread.right, right]))
    return difference / norm if norm else (0.0 if difference == 0 else float("inf"))


def _product_norm(left: np.ndarray, right: np.ndarray) -> float:
    """‖left·right‖_F; NaN where a number is not finite."""
    if not (np.isfinite(left).all() and np.isfinite(right).all()):
        return float("nan")
    core = np.linalg.qr(left, mode="r") @ np.linalg.qr(right.T, mode="r").T
    return float(np.linalg.norm(core))


def _magnitude_error(layer: LayerWeights, reread: np.ndarray | None) -> float:
    if layer.magnitude is None or reread is None:
        return 0.0 if reread is layer.magnitude else float("inf")
    wanted = layer.magnitude.double().numpy()
    if reread.shape != wanted.shape:
        return float("inf")
    return _relative(reread - wanted, float(np.linalg.norm(wanted)))


def _relative(difference: np.ndarray, norm: float) -> float:
    size = float(np.linalg.norm(difference))
    return size / norm if norm else (0.0 if size == 0 else float("inf"))


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
