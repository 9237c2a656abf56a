"""The independent reader of safetensors files, with which a written file is proved.

It shares no code with what writes (the library) nor with what loads (`models/safetensors_file.py`),
on purpose: a fault of either would otherwise confirm itself. So it is not to be merged with them.
Files from elsewhere never come here; what is read was written a moment ago.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lora_lab.errors import AdapterError, system_reason

# BF16 is a float32's upper half; I64 counts the batches of a normalisation layer.
NUMBERS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8"}


@dataclass(frozen=True)
class WrittenTensor:
    """Type and shape of one tensor, and its bytes [begin, end) in the file."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True)
class Container:
    """The bytes of a safetensors file, with its checked table of contents."""

    path: Path
    data: bytes
    entries: dict[str, WrittenTensor]
    metadata: dict[str, str]

    def array(self, name: str) -> np.ndarray:
        """The tensor `name` in float64, read from the raw bytes."""
        entry = self.entries[name]
        values = np.frombuffer(self.data[entry.begin : entry.end], NUMBERS[entry.dtype])
        if entry.dtype == "BF16":
            values = (values.astype(np.uint32) << 16).view(np.float32)
        return values.astype(np.float64).reshape(entry.shape)


def read_container(path: Path) -> Container:
    """Read a file; raises `AdapterError` unless every byte belongs to just one float tensor."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise AdapterError(f"{path}: cannot be read: {system_reason(error)}") from error
    start = 8 + int.from_bytes(data[:8], "little")
    try:
        header = json.loads(data[8:start].decode("utf-8"), object_pairs_hook=_unique)
        metadata = header.pop("__metadata__", {})
        entries = {
            name: WrittenTensor(
                value["dtype"],
                tuple(value["shape"]),
                *(start + offset for offset in value["data_offsets"]),
            )
            for name, value in header.items()
        }
        position = start
        for entry in sorted(entries.values(), key=lambda entry: (entry.begin, entry.end)):
            size = math.prod(entry.shape) * np.dtype(NUMBERS[entry.dtype]).itemsize
            if entry.begin != position or entry.end - entry.begin != size:
                raise ValueError("tensors overlap, leave a hole, or do not fit their shapes")
            position = entry.end
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise AdapterError(f"{path}: the header is not as it was written: {error}") from error
    if position != len(data):
        raise AdapterError(f"{path}: it has {len(data)} bytes, and {position} belong to tensors")
    return Container(path, data, entries, metadata)


def count_tensors(path: Path) -> int:
    """How many tensors a safetensors file holds."""
    return len(read_container(path).entries)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        raise ValueError("a name is given twice")
    return table
