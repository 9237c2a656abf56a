"""The tensors of one adapter file, whatever names they have: safetensors, or a safe archive."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch

from lora_lab.errors import AdapterError, CheckpointError
from lora_lab.formats.container import Container, Entry, read_container
from lora_lab.models.checkpoint import read_state
from lora_lab.models.safetensors_file import DTYPES
from lora_lab.names import shown

PICKLES = (".pt", ".pth", ".bin", ".ckpt")


def read_factor_file(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """(tensors by name, metadata). The tensors look into the file's bytes, read once.

    An archive of torch.save is read as tensors only (`weights_only`); no program in it is run.
    Raises AdapterError for what is damaged or unsafe.
    """
    if path.suffix in PICKLES:
        try:
            return dict(read_state(path)), {}
        except CheckpointError as error:
            raise AdapterError(str(error)) from error
    container = read_container(path)
    return tensors_of(container), container.metadata


def read_archive(path: Path) -> tuple[Container, dict[str, torch.Tensor]]:
    """An archive of torch.save as if it were a container without metadata, and its tensors."""
    tensors, _ = read_factor_file(path)
    words = {dtype: word for word, dtype in DTYPES.items()}
    entries = {
        name: Entry(words.get(t.dtype, str(t.dtype)), tuple(t.shape), 0, 0)
        for name, t in tensors.items()
    }
    return Container(path, b"", entries, {}), tensors


def tensors_of(container: Container) -> dict[str, torch.Tensor]:
    """Its tensors by name; they look into the container's bytes and are not to be written to."""
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # torch fears that somebody writes to them
        for name, entry in container.entries.items():
            dtype = DTYPES.get(entry.dtype)
            if dtype is None:
                raise AdapterError(
                    f"{container.path}: {shown(name)} has type {entry.dtype}, not a float"
                )
            if entry.end == entry.begin:
                raise AdapterError(
                    f"{container.path}: {shown(name)} has the shape {list(entry.shape)}"
                )
            found[name] = _view(container.data, entry, dtype).view(entry.shape)
    return found


def _view(data: bytes, entry: Entry, dtype: torch.dtype) -> torch.Tensor:
    """The numbers of an entry, without a copy where they stand at a multiple of their size."""
    begin, count = entry.begin, (entry.end - entry.begin) // dtype.itemsize
    if begin % dtype.itemsize:
        return torch.frombuffer(bytearray(data[begin : entry.end]), dtype=dtype)
    return torch.frombuffer(data, dtype=dtype, count=count, offset=begin)
