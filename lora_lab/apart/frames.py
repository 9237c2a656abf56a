"""What crosses the pipe between the lab and its child: a small table in JSON, and bytes."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from typing import IO, Any

from lora_lab.json_size import check_size

HEAD = struct.Struct("<QQ")  # bytes of the table, and bytes behind it
TABLE = 2**24  # bytes of the largest table

Frame = tuple[dict[str, Any], bytearray]


def send(file: IO[bytes], table: dict[str, Any], data: Any = b"") -> None:
    """Write a table and the bytes that go with it."""
    said = json.dumps(table).encode()
    view = memoryview(data).cast("B")
    file.write(HEAD.pack(len(said), len(view)) + said)
    file.write(view)
    file.flush()


def receive(file: IO[bytes], most: Callable[[], int]) -> Frame | None:
    """The next table with its bytes, at most so many when it comes; None for the end and for what
    is none."""
    head = file.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    length, size = HEAD.unpack(head)
    if length > TABLE or size > most():
        return None
    said, data = file.read(length), bytearray(size)
    if len(said) < length or file.readinto(data) < size:  # type: ignore[attr-defined]
        return None
    try:
        check_size(said)
        table = json.loads(said)
    except (ValueError, RecursionError):
        return None
    return (table, data) if isinstance(table, dict) else None
