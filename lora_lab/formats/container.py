"""The safetensors container, read by ourselves: strict header checks, and an independent reader.

The layout is 8 bytes of little-endian header length N, N bytes of JSON
`{name: {dtype, shape, data_offsets: [begin, end]}, "__metadata__": {str: str}}`, then the raw
little-endian numbers. The library accepts doubled names and headers that take minutes to parse, so
every file passes through here before it; and an export is re-read here, without the library.
"""

from __future__ import annotations

import json
import math
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lora_lab.errors import AdapterError, system_reason
from lora_lab.names import shown

MAX_HEADER = 16 * 2**20
MAX_TENSORS = 100_000
MAX_DIMENSION = 2**31
MAX_JSON = 4 * 2**20
ITEM_BYTES = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8,
    "U32": 4, "U16": 2, "U8": 1, "BOOL": 1, "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1,
    "F8_E4M3FNUZ": 1, "F8_E5M2FNUZ": 1, "C64": 8,
}  # fmt: skip
READABLE = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}  # and BF16, which numpy has no name for


@dataclass(frozen=True)
class Entry:
    """One tensor of the file: its type, shape, and place in the file as [begin, end)."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True)
class Container:
    """The bytes of a safetensors file, with its checked table of contents."""

    path: Path
    data: bytes
    entries: dict[str, Entry]
    metadata: dict[str, str]

    def array(self, name: str) -> np.ndarray:
        """The tensor `name` in float64, read from the raw bytes."""
        entry = self.entries[name]
        raw = memoryview(self.data)[entry.begin : entry.end]
        if entry.dtype == "BF16":  # the upper half of a float32
            values = (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32)
        elif entry.dtype in READABLE:
            values = np.frombuffer(raw, READABLE[entry.dtype])
        else:
            raise AdapterError(f"{self.path}: {shown(name)} has type {entry.dtype}, not a float")
        return values.astype(np.float64).reshape(entry.shape)


def read_container(path: Path) -> Container:
    """Read the file by copy and check its header; raises `AdapterError` naming file and reason.

    By copy and not by map: a mapped file that is cut short under us would kill the process.
    """
    data = read_bytes(path)
    if len(data) < 8:
        raise AdapterError(f"{path}: not a safetensors file, it has only {len(data)} bytes")
    size = int.from_bytes(data[:8], "little")
    if size > min(MAX_HEADER, len(data) - 8):
        raise AdapterError(f"{path}: {_what_it_is_instead(data, size)}")
    header = parse_json(data[8 : 8 + size], f"{path}, header")
    if not isinstance(header, dict):
        raise AdapterError(f"{path}: the header is not a table of tensors")
    metadata = header.pop("__metadata__", None) or {}
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise AdapterError(f"{path}: __metadata__ holds something else than strings")
    if len(header) > MAX_TENSORS:
        raise AdapterError(f"{path}: {len(header)} tensors are more than {MAX_TENSORS}")
    entries = {name: _entry(path, name, value, 8 + size) for name, value in header.items()}
    position = 8 + size
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].begin, item[1].end)):
        if entry.begin != position:
            raise AdapterError(f"{path}: {shown(name)} overlaps another tensor or leaves a hole")
        position = entry.end
    if position > len(data):
        raise AdapterError(
            f"{path}: incomplete, {len(data)} of {position} bytes are there; copy it again"
        )
    if position < len(data):
        raise AdapterError(f"{path}: {len(data) - position} bytes follow the last tensor")
    return Container(path, data, entries, metadata)


def count_tensors(path: Path) -> int:
    """How many tensors a safetensors file holds."""
    return len(read_container(path).entries)


def read_bytes(path: Path, limit: int | None = None) -> bytes:
    """The bytes of a regular file; raises `AdapterError` where there is none or it is too long."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # a pipe would block, a device would never end
            raise AdapterError(f"{path}: not a regular file")
        if limit is not None and found.st_size > limit:
            raise AdapterError(f"{path}: {found.st_size} bytes are too many for this kind of file")
        return path.read_bytes()
    except FileNotFoundError:
        raise AdapterError(f"{path}: there is no such file") from None
    except OSError as error:
        raise AdapterError(f"{path}: cannot be read: {system_reason(error)}") from error


def parse_json(data: bytes, where: str) -> Any:
    """JSON without doubled names, NaN or Infinity; raises `AdapterError` naming `where`."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise AdapterError(f"{where}: {shown(twice)} is given twice")
        return found

    def constant(name: str) -> Any:
        raise AdapterError(f"{where}: {name} is not a number that can be used")

    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=unique, parse_constant=constant)
    except UnicodeDecodeError:
        raise AdapterError(f"{where}: not UTF-8 text") from None
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise AdapterError(f"{where}: not valid JSON: {reason}") from None


def _entry(path: Path, name: str, value: Any, base: int) -> Entry:
    def wrong(reason: str) -> AdapterError:
        return AdapterError(f"{path}: {shown(name)} {reason}")

    if not isinstance(value, dict) or set(value) != {"dtype", "shape", "data_offsets"}:
        raise wrong("is not described by dtype, shape and data_offsets")
    dtype, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(dtype, str) or dtype not in ITEM_BYTES:
        raise wrong(f"has the unknown type {shown(dtype)}")
    if not isinstance(shape, list) or not all(type(n) is int for n in shape):
        raise wrong("has a shape that is not a list of integers")
    if not all(0 <= n < MAX_DIMENSION for n in shape):
        raise wrong(f"has the impossible shape {shown(shape)}")
    if (
        not isinstance(offsets, list)
        or [type(n) for n in offsets] != [int, int]
        or not 0 <= offsets[0] <= offsets[1]
    ):
        raise wrong("has impossible offsets")
    if offsets[1] - offsets[0] != math.prod(shape) * ITEM_BYTES[dtype]:
        raise wrong("has a shape that does not fit its bytes")
    return Entry(dtype, tuple(shape), base + offsets[0], base + offsets[1])


def _what_it_is_instead(data: bytes, size: int) -> str:
    start = data[:200].lstrip().lower()
    if start.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer, not the weights; fetch them with 'git lfs pull'"
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "a web page, not weights; download the file again"
    if data[:4] == b"PK\x03\x04" or data[:1] == b"\x80":
        return "a pickle, not a safetensors file; pickles can run code and are not opened here"
    if size > MAX_HEADER:
        return f"not a safetensors file: its header would have {size} bytes"
    found = len(data) - 8
    return f"incomplete or not a safetensors file: its header needs {size} bytes, {found} follow"
