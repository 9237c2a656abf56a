"""The tensors and settings of one adapter file from anywhere: safetensors, a safe archive, JSON."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import torch

from lora_lab.errors import AdapterError, CheckpointError, system_reason
from lora_lab.models.checkpoint import kind_of, read_state, regular_size
from lora_lab.models.safetensors_file import read_safetensors
from lora_lab.models.strict_json import parse_json, read_json
from lora_lab.names import shown

PICKLES = (".pt", ".pth", ".bin", ".ckpt")
# What the names of factors hold in every convention; only an α of theirs is a single number.
FACTOR = re.compile("lora|hada_|lokr_|vera_|dora_", re.IGNORECASE)
MAX_HEADER = 16 * 2**20
MAX_JSON = 4 * 2**20


class FactorFile(NamedTuple):
    """What an adapter file holds, whatever its tensors are called."""

    tensors: dict[str, torch.Tensor]
    metadata: dict[str, str]
    path: Path


def read_factor_file(path: Path) -> FactorFile:
    """Read a file by copy: a mapped file that is cut short would end the process.

    An archive of torch.save is read as tensors only (`weights_only`); no program in it is run.
    Raises AdapterError for what is damaged or unsafe.
    """
    try:
        if path.suffix in PICKLES:
            state = read_state(path)
            return FactorFile({k: checked(path, k, t) for k, t in state.items()}, {}, path)
        size = regular_size(path)
        with path.open("rb") as file:
            if kind_of(file, size, path.name) != "safetensors":
                raise CheckpointError(
                    "this is a pickle or an archive, not a safetensors file. Give an archive of "
                    f"tensors one of the endings {', '.join(PICKLES)}."
                )
            tensors, metadata = read_safetensors(file, size, max_header=MAX_HEADER)
    except CheckpointError as error:
        raise AdapterError(f"{path}: {error}") from error
    except OSError as error:
        raise AdapterError(f"{path}: cannot be read: {system_reason(error)}") from error
    return FactorFile({k: checked(path, k, t) for k, t in tensors.items()}, metadata, path)


def checked(path: Path, name: str, tensor: torch.Tensor) -> torch.Tensor:
    """The tensor; raises AdapterError if it is empty, complex, or a factor that is one number."""
    if not tensor.numel():
        raise AdapterError(
            f"{path}: {shown(name)} has the shape {list(tensor.shape)}: it is empty, as "
            "DeepSpeed ZeRO-3 or FSDP leaves what was not gathered before it was saved"
        )
    if tensor.is_complex():
        raise AdapterError(f"{path}: {shown(name)} has complex numbers, as no adapter has")
    if not tensor.dim() and FACTOR.search(name) and not name.endswith("alpha"):
        raise AdapterError(
            f"{path}: {shown(name)} is a single number, and factors are tables of them. "
            "Download or save it again"
        )
    return tensor


def read_settings(path: Path) -> dict[str, Any]:
    """The table in a JSON file beside an adapter. Raises AdapterError naming file and reason."""
    try:
        return read_json(path, MAX_JSON)
    except CheckpointError as error:
        raise AdapterError(f"{path.parent}: {error}") from error


def metadata_table(file: FactorFile, key: str) -> Any:
    """The JSON under `key` of a file's metadata; an empty table where there is none."""
    return parse_json(file.metadata.get(key, "{}").encode(), f"{file.path}, {key}", AdapterError)
