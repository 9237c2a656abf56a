"""The safetensors container: its header checked by ourselves, then read by the library.

The layout is 8 bytes of little-endian header length N, N bytes of JSON
`{name: {dtype, shape, data_offsets: [begin, end]}, "__metadata__": {str: str}}`, then the numbers
(safetensors README, "Format"). The library takes minutes over a huge header and accepts doubled
names, so the header is checked here first. The file is read by copy: a mapped file that shrinks
would take the process with it.
"""

from __future__ import annotations

import json
from typing import Any, BinaryIO

import torch
from safetensors import SafetensorError
from safetensors.torch import load

from lora_lab.errors import CheckpointError

MAX_HEADER = 32 * 2**20
MAX_TENSORS = 100_000
MAX_DIMENSION = 2**31

DAMAGED = "Download or save it again."


def read_safetensors(file: BinaryIO, size: int) -> dict[str, torch.Tensor]:
    """The tensors of an open file of `size` bytes, by name."""
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
    header = _header(file.read(length))
    whole = 8 + length + max((end for _, end in header.values()), default=0)
    if size < whole:
        raise CheckpointError(_incomplete(size, whole))
    if size > whole:
        raise CheckpointError(f"{size - whole:,} bytes too many stand at its end. {DAMAGED}")
    file.seek(0)
    try:
        return load(file.read())
    except (SafetensorError, RuntimeError, ValueError, KeyError, TypeError) as error:
        reason = str(error).removeprefix("Error while deserializing: ")
        reason = reason if len(reason) <= 90 else reason[:89] + "…"
        raise CheckpointError(f"its header does not fit its data ({reason}). {DAMAGED}") from error


def _incomplete(have: int, whole: int, at_least: bool = False) -> str:
    of = "at least " if at_least else ""
    return f"incomplete download, have {have:,} of {of}{whole:,} bytes. Download it again."


def _header(raw: bytes) -> dict[str, tuple[int, int]]:
    """Begin and end of every tensor's bytes, by name, once the header is known to be sound."""
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
    header.pop("__metadata__", None)
    return {name: _place(entry) for name, entry in header.items()}


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise CheckpointError(f"its header names {ascii(name)[:60]} twice. {DAMAGED}")
        found[name] = value
    return found


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _place(entry: Any) -> tuple[int, int]:
    """Begin and end of one tensor's bytes."""
    try:
        shape, (begin, end) = entry["shape"], entry["data_offsets"]
        sound = (
            isinstance(entry["dtype"], str)
            and all(_whole(n) and n < MAX_DIMENSION for n in shape)
            and _whole(begin)
            and _whole(end)
            and begin <= end
        )
    except (KeyError, TypeError, ValueError):
        sound = False
    if not sound:
        raise CheckpointError(f"its header describes a tensor that cannot be. {DAMAGED}")
    return begin, end


def _whole(value: Any) -> bool:
    return type(value) is int and value >= 0
