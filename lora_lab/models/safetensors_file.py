"""The strict reader of safetensors files: checked before a number is read, and then read by copy.

The layout is 8 bytes of little-endian header length N, N bytes of JSON
`{name: {dtype, shape, data_offsets: [begin, end]}, "__metadata__": {str: str}}`, then the numbers
(safetensors README, "Format"). The library takes minutes over a huge header, accepts doubled names,
and needs the file's size twice to read it by copy; a mapped file that shrinks would take the
process with it. So the tensors are read here, one by one, into memory of their own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple

import torch

from lora_lab.errors import CheckpointError
from lora_lab.models.strict_json import parse_json
from lora_lab.names import LONGEST, shown

MAX_HEADER = 32 * 2**20
MAX_TENSORS = 100_000
MAX_DIMENSION = 2**31
MAX_DIMENSIONS = 64  # of one tensor, as NumPy has them
CHUNK = 32 * 2**20  # bytes between two reports
DTYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8,
    "U8": torch.uint8, "BOOL": torch.bool, "U16": torch.uint16, "U32": torch.uint32,
    "U64": torch.uint64, "C64": torch.complex64, "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
}  # fmt: skip

DAMAGED = "Download or save it again."


class TensorEntry(NamedTuple):
    """One tensor of a header: its type and shape, and its bytes [begin, end) after the header."""

    dtype: torch.dtype
    shape: tuple[int, ...]
    begin: int
    end: int


class Header(NamedTuple):
    """What a file holds, in the order of its bytes, and its metadata."""

    entries: dict[str, TensorEntry]
    metadata: dict[str, str]


def read_safetensors(
    file: BinaryIO,
    size: int,
    done: Callable[[float], None] = lambda share: None,
    max_header: int = MAX_HEADER,
) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Tensors by name and metadata of an open file of `size` bytes.

    `done` receives the share that is read.
    """
    entries, metadata = read_header(file, size, max_header)
    total = max(1, size - file.tell())
    state = {}
    for name, entry in entries.items():
        tensor = torch.empty(entry.shape, dtype=entry.dtype)
        if entry.end > entry.begin:
            view = memoryview(tensor.view(-1).view(torch.uint8).numpy())
            for at in range(0, len(view), CHUNK):
                part = view[at : at + CHUNK]
                if file.readinto(part) != len(part):  # type: ignore[attr-defined]
                    raise CheckpointError(f"it shrank while it was read. {DAMAGED}")
                done((entry.begin + at + len(part)) / total)
        state[name] = tensor
    return state, metadata


def read_header(file: BinaryIO, size: int, max_header: int = MAX_HEADER) -> Header:
    """The header of an open file of `size` bytes; the file is left at its first number.

    Raises CheckpointError unless every byte of the file belongs to just one tensor.
    """
    if size < 8:
        raise CheckpointError(f"the file has only {size} bytes, too few for a header. {DAMAGED}")
    length = int.from_bytes(file.read(8), "little")
    if length > max_header:
        raise CheckpointError(
            f"its header would be {length:,} bytes long, so this is not a safetensors file, or a "
            "damaged one. Choose another file."
        )
    if 8 + length > size:
        raise CheckpointError(_incomplete(size, 8 + length, at_least=True))
    entries, metadata = _parsed(file.read(length))
    ordered = dict(sorted(entries.items(), key=lambda item: (item[1].begin, item[1].end)))
    at = 0
    for name, entry in ordered.items():
        if entry.begin != at:
            raise CheckpointError(
                f"{shown(name)} overlaps another tensor or leaves a hole. {DAMAGED}"
            )
        at = entry.end
    whole = 8 + length + at
    if size < whole:
        raise CheckpointError(_incomplete(size, whole))
    if size > whole:
        raise CheckpointError(f"{size - whole:,} bytes follow the last tensor. {DAMAGED}")
    return Header(ordered, metadata)


def _incomplete(have: int, whole: int, at_least: bool = False) -> str:
    of = "at least " if at_least else ""
    return f"incomplete download, have {have:,} of {of}{whole:,} bytes. Download it again."


def _parsed(raw: bytes) -> Header:
    """Every tensor by name and the metadata, once the header is known to be sound in itself."""
    too_many = CheckpointError(
        f"it lists more than {MAX_TENSORS:,} tensors, which are not read. Choose another file."
    )
    if raw.count(b'"data_offsets"') > MAX_TENSORS:  # before a million objects are made of them
        raise too_many
    header = parse_json(raw, "its header", CheckpointError, f" {DAMAGED}")
    if not isinstance(header, dict):
        raise CheckpointError(f"its header is not a table of tensors. {DAMAGED}")
    metadata = header.pop("__metadata__", None) or {}
    if not (isinstance(metadata, dict) and all(isinstance(v, str) for v in metadata.values())):
        raise CheckpointError(f"its metadata holds something else than strings. {DAMAGED}")
    if len(header) > MAX_TENSORS:
        raise too_many
    return Header({name: _entry(name, value) for name, value in header.items()}, metadata)


def _entry(name: str, value: Any) -> TensorEntry:
    def wrong(reason: str) -> CheckpointError:
        return CheckpointError(f"tensor {shown(name)} {reason}. {DAMAGED}")

    if len(name) > LONGEST:
        raise wrong(f"has a name of {len(name):,} characters")
    if not isinstance(value, dict) or set(value) != {"dtype", "shape", "data_offsets"}:
        raise wrong("is not described by dtype, shape and data_offsets")
    kind, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(shape, list) or not all(type(n) is int for n in shape):
        raise wrong("has a shape that is not a list of integers")
    if len(shape) > MAX_DIMENSIONS or not all(0 <= n < MAX_DIMENSION for n in shape):
        raise wrong(f"has the impossible shape {shown(shape)}")
    if (
        not isinstance(offsets, list)
        or [type(n) for n in offsets] != [int, int]
        or not 0 <= offsets[0] <= offsets[1]
    ):
        raise wrong("has impossible offsets")
    if isinstance(kind, str) and kind not in DTYPES and kind.startswith(("F4", "F6", "F8")):
        raise CheckpointError(
            f"tensor {shown(name)} is of type {ascii(kind)[1:20]}, which cannot be trained on. "
            "Save it in float32, float16 or bfloat16."
        )
    if not isinstance(kind, str) or kind not in DTYPES:
        raise wrong(f"has the unknown type {shown(kind)}")
    if offsets[1] - offsets[0] != math.prod(shape) * DTYPES[kind].itemsize:
        raise wrong("has a shape that does not fit its data")
    return TensorEntry(DTYPES[kind], tuple(shape), *offsets)
