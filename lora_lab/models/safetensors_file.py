"""The safetensors container, checked before a number is read, and then read by copy.

The layout is 8 bytes of little-endian header length N, N bytes of JSON
`{name: {dtype, shape, data_offsets: [begin, end]}, "__metadata__": {str: str}}`, then the numbers
(safetensors README, "Format"). The library takes minutes over a huge header, accepts doubled names,
and needs the file's size twice to read it by copy; a mapped file that shrinks would take the
process with it. So the tensors are read here, one by one, into memory of their own.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple

import torch

from lora_lab.errors import CheckpointError

MAX_HEADER = 32 * 2**20
MAX_TENSORS = 100_000
MAX_DIMENSION = 2**31
CHUNK = 32 * 2**20  # bytes between two reports
DTYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8,
    "U8": torch.uint8, "BOOL": torch.bool, "U16": torch.uint16, "U32": torch.uint32,
    "U64": torch.uint64, "C64": torch.complex64, "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
}  # fmt: skip

DAMAGED = "Download or save it again."


class Entry(NamedTuple):
    """One tensor of a header: its type and shape, and where its bytes lie after the header."""

    dtype: torch.dtype
    shape: tuple[int, ...]
    begin: int
    end: int


def read_safetensors(
    file: BinaryIO, size: int, done: Callable[[float], None] = lambda share: None
) -> dict[str, torch.Tensor]:
    """The tensors of an open file of `size` bytes, by name; `done` hears the share that is read."""
    entries = read_header(file, size)
    start = file.tell()
    total = max(1, size - start)
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
    return state


def read_header(file: BinaryIO, size: int) -> dict[str, Entry]:
    """What an open file of `size` bytes holds, in the order of its bytes; leaves it after the
    header.

    Raises CheckpointError unless every byte of the file belongs to just one tensor.
    """
    if size < 8:
        raise CheckpointError(f"the file has only {size} bytes, too few for a header. {DAMAGED}")
    length = int.from_bytes(file.read(8), "little")
    if length > MAX_HEADER:
        raise CheckpointError(
            f"its header would be {length:,} bytes long, so this is not a safetensors file, or a "
            "damaged one. Choose another checkpoint."
        )
    if 8 + length > size:
        raise CheckpointError(_incomplete(size, 8 + length, at_least=True))
    entries = _entries(file.read(length))
    whole = 8 + length + max((entry.end for entry in entries.values()), default=0)
    if size < whole:
        raise CheckpointError(_incomplete(size, whole))
    if size > whole:
        raise CheckpointError(f"{size - whole:,} bytes too many stand at its end. {DAMAGED}")
    ordered = dict(sorted(entries.items(), key=lambda item: (item[1].begin, item[1].end)))
    at = 0
    for name, entry in ordered.items():
        count = math.prod(entry.shape) * entry.dtype.itemsize
        if entry.begin != at or entry.end - entry.begin != count:
            raise CheckpointError(
                f"its header does not fit its data (at tensor {ascii(name)[:60]}). {DAMAGED}"
            )
        at = entry.end
    return ordered


def _incomplete(have: int, whole: int, at_least: bool = False) -> str:
    of = "at least " if at_least else ""
    return f"incomplete download, have {have:,} of {of}{whole:,} bytes. Download it again."


def _entries(raw: bytes) -> dict[str, Entry]:
    """Every tensor by name, once the header is known to be sound in itself."""
    if raw.count(b'"data_offsets"') > MAX_TENSORS:  # before a million objects are made of them
        raise CheckpointError(
            f"it lists more than {MAX_TENSORS:,} tensors, which are not read. "
            "Choose another checkpoint."
        )
    try:
        header = json.loads(raw, object_pairs_hook=_unique, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise CheckpointError(f"its header is not JSON. {DAMAGED}") from None
    if not isinstance(header, dict):
        raise CheckpointError(f"its header is not a table of tensors. {DAMAGED}")
    metadata = header.pop("__metadata__", {})
    if not (isinstance(metadata, dict) and all(isinstance(v, str) for v in metadata.values())):
        raise CheckpointError(f"its header does not fit its data (metadata). {DAMAGED}")
    return {name: _entry(name, entry) for name, entry in header.items()}


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise CheckpointError(f"its header names {ascii(name)[:60]} twice. {DAMAGED}")
        found[name] = value
    return found


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _entry(name: str, entry: Any) -> Entry:
    try:
        kind, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
        sound = (
            isinstance(kind, str)
            and isinstance(shape, list)
            and all(_whole(n) and n < MAX_DIMENSION for n in shape)
            and _whole(begin)
            and _whole(end)
            and begin <= end
        )
    except (KeyError, TypeError, ValueError):
        sound = False
    if not sound:
        raise CheckpointError(f"its header describes a tensor that cannot be. {DAMAGED}")
    if kind not in DTYPES and kind.startswith(("F4", "F6", "F8")):
        raise CheckpointError(
            f"tensor {ascii(name)[:60]} is of type {ascii(kind)[1:20]}, which cannot be trained "
            "on. Save it in float32, float16 or bfloat16."
        )
    if kind not in DTYPES:
        raise CheckpointError(
            f"its header does not fit its data (type {ascii(kind)[:20]}). {DAMAGED}"
        )
    return Entry(DTYPES[kind], tuple(shape), begin, end)


def _whole(value: Any) -> bool:
    return type(value) is int and value >= 0
