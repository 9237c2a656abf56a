"""The last proof of a written file, on request: its own library loads it, and ΔW is compared.

The re-reading of every export knows the target's rule; here the target itself is asked. Libraries
are imported only when they are asked, and whatever fails in one is a reason not to deliver.
"""

from __future__ import annotations

import importlib
import warnings
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from lora_lab.errors import CheckpointError, ExportError, LabError
from lora_lab.models.architecture import quiet

if TYPE_CHECKING:
    from lora_lab.adapters.weights import AdapterWeights, LayerWeights

TOLERANCE = 1e-5  # of ‖ΔW‖, and of ‖W + ΔW‖ in DoRA: libraries compute in float32, or in the
ROUNDINGS = 4  # type of the factors, of which so many last digits are allowed


@dataclass(frozen=True)
class Library:
    """`package` is its name in the package index, `module` the file here that asks it."""

    package: str
    module: str


LIBRARIES = {
    "peft": Library("peft", "in_peft"),
    "peft-portable": Library("peft", "in_peft"),
    "peft-vera": Library("peft", "in_peft"),
    "diffusers": Library("diffusers", "in_diffusers"),
    "mlx": Library("mlx-lm", "in_mlx"),
}
NONE = {  # why there is nobody to ask
    "kohya": "sd-scripts and ComfyUI, which read it, are programs and no libraries",
    "gguf": "llama.cpp loads an adapter only into the base that it belongs to",
    "merged": "it is a checkpoint, which any library opens as it does the base",
}


def hindrance(format: str) -> str:
    """Why no library can be asked about files of a format, and what to do; "" where one can."""
    if format not in LIBRARIES:
        why = NONE.get(format, "there is no library for it")
        return f"A {format} file is proved by re-reading alone: {why}."
    package = LIBRARIES[format].package
    try:
        version(package)
    except PackageNotFoundError:
        return (
            f"{package} is not installed, so it cannot be asked. Install it: python -m pip install "
            f"{package}."
        )
    return ""


def library_of(format: str) -> str:
    """The library that proves files of a format, and its version: "peft 0.21.2".

    Raises LabError where there is none, or it is not installed, with what to do.
    """
    if reason := hindrance(format):
        raise LabError(f"{reason} Without --prove the file is re-read and compared all the same.")
    package = LIBRARIES[format].package
    return f"{package} {version(package)}"


def prove_by_library(weights: AdapterWeights, folder: Path, format: str) -> str:
    """Load what was written into `folder` with its library: which one, and the largest error.

    Raises ExportError where a layer is not the one of `weights`, or the library fails.
    """
    library = library_of(format)
    expected = {layer.name: layer for layer in weights.layers}
    whole = {key: t for row in weights.whole for key, t in row.tensors().items()}
    worst, seen = 0.0, set()
    ask = importlib.import_module(f"lora_lab.formats.{LIBRARIES[format].module}").merged
    try:
        with warnings.catch_warnings(), quiet(), torch.random.fork_rng(devices=[]):
            warnings.simplefilter("ignore")  # of its own imports and guesses: ΔW tells
            for name, W, found in ask(folder, weights):
                seen.add(name)
                if name in whole:
                    same = torch.equal(found.double(), whole[name].double())
                    error = 0.0 if same else float("inf")
                else:
                    error = _error(expected[name], W.double(), found.double())
                if not error <= _allowed(expected.get(name)):
                    raise ExportError(
                        f"{library} computes something else than the adapter in {name} (relative "
                        f"error {error:.1e}); it was not delivered."
                    )
                worst = max(worst, error)
    except CheckpointError as error:  # of quiet(): an act of the library's that is refused
        reason = f"cannot load the written file: {error}"
        raise ExportError(f"{library} {reason}; it was not delivered.") from error
    except LabError:
        raise
    except Exception as error:
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise ExportError(
            f"{library} cannot load the written file ({type(error).__name__}: {reason}); it was "
            "not delivered."
        ) from error
    if missing := [name for name in (*expected, *whole) if name not in seen]:
        raise ExportError(f"{library} did not load {missing[0]}; it was not delivered.")
    return f"{library} (largest error of ΔW {worst:.1e})"


def _allowed(layer: LayerWeights | None) -> float:
    """The largest error that is rounding."""
    if layer is None:
        return 0.0
    return max(TOLERANCE, ROUNDINGS * torch.finfo(layer.lora_A.dtype).eps)


def _error(layer: LayerWeights, W: torch.Tensor, found: torch.Tensor) -> float:
    """‖found − (W + ΔW)‖/‖ΔW‖ for W (out × in); of DoRA over ‖W + ΔW‖, m∘V/‖V‖."""
    delta = layer.delta_weight()
    wanted = W + delta
    if layer.magnitude is not None:
        wanted = wanted * (layer.magnitude.double() / wanted.norm(dim=1))[:, None]
    if found.shape != wanted.shape:
        return float("inf")
    size = float(wanted.norm())
    difference = float((found - wanted).norm())
    return difference / size if size else difference
