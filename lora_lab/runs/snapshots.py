"""Snapshots of a run: its factors at some steps, in files of their own that no resuming needs."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterable
from pathlib import Path

import safetensors.torch
import torch

from lora_lab.adapters.weights import LayerWeights
from lora_lab.atomic import write_file
from lora_lab.door import door
from lora_lab.errors import LabError
from lora_lab.names import shown
from lora_lab.runs.own_files import HEADER, header_of, own_folder, plain_json, read_own

FOLDER = "snapshots"
NAME = re.compile(r"step-([0-9]{9,12})\.safetensors")
FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)


def steps_of(count: int, last: int) -> tuple[int, ...]:
    """The start and up to `count` steps that double up to the last: 0, …, last/4, last/2, last."""
    halved = {math.ceil(last / 2**k) for k in range(count)}
    return (0, *sorted(halved - {0}))


def kept_steps(run: Path) -> tuple[int, ...]:
    """The steps of which the run has snapshots."""
    folder = run / FOLDER
    try:
        names = [] if folder.is_symlink() else os.listdir(folder)  # a link leads to another's
    except OSError:
        return ()
    return tuple(sorted(int(found[1]) for name in names if (found := NAME.fullmatch(name))))


def write_snapshot(run: Path, step: int, layers: Iterable[LayerWeights]) -> None:
    """Keep these factors as the run's at `step`; raises OSError where the disk refuses."""
    tensors, scaling = {}, {}
    for layer in layers:
        tensors[f"{layer.name}|A"] = layer.lora_A.contiguous()
        tensors[f"{layer.name}|B"] = layer.lora_B.contiguous()
        scaling[layer.name] = layer.scaling
    data = safetensors.torch.save(tensors, {"scaling": json.dumps(scaling)})
    with own_folder(run, FOLDER) as folder:
        write_file(folder / _path(run, step).name, data)


@door(LabError)
def read_snapshot(run: Path, step: int, most: int) -> dict[str, LayerWeights]:
    """The factors at `step` by layer; raises LabError where they are not there or damaged.

    `most`: numbers that they can have in the model that they are of.
    """
    path = _path(run, step)
    try:
        data = read_own(path, HEADER + 8 * most)
        about = header_of(data)["__metadata__"]["scaling"]
        scaling = {str(name): float(s) for name, s in plain_json(about.encode()).items()}
        tensors = safetensors.torch.load(data)
        layers = {name: _layer(name, tensors, s) for name, s in scaling.items()}
    except Exception as error:  # whatever is wrong with it
        raise LabError(
            f"The snapshot {path.name} of {run.name} cannot be read: {type(error).__name__}: "
            f"{error}."
        ) from error
    return layers


def _layer(name: str, tensors: dict[str, torch.Tensor], scaling: float) -> LayerWeights:
    A, B = tensors[f"{name}|A"], tensors[f"{name}|B"]
    pair = A.dim() == B.dim() == 2 and 0 < len(A) == B.shape[1] and math.isfinite(scaling)
    if not pair or not all(X.dtype in FLOATS and X.isfinite().all() for X in (A, B)):
        raise LabError(f"{shown(name)} is no pair of factors")
    return LayerWeights(name, A, B, alpha=scaling * len(A), scaling=scaling)


def _path(run: Path, step: int) -> Path:
    return run / FOLDER / f"step-{step:09d}.safetensors"
