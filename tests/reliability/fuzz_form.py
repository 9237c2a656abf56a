"""One form of files: a whole one, who reads it, and how a table is spelled as one."""

from __future__ import annotations

import json
import shutil
import struct
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Form:
    """One form of files: a whole one, and who reads it."""

    name: str  # of the file
    seed: Callable[[], bytes]
    read: Callable[[Path], Any]
    spell: Callable[[Any], bytes] | None = None  # a table as a whole file, where it has one in it
    table: Callable[[], Any] | None = None
    words: tuple[Any, ...] = ()  # that may stand in such a table, beside any junk


def spelled(table: Any) -> bytes:
    return json.dumps(table).encode("utf-8", "surrogatepass")


def lines(table: Any) -> bytes:
    return b"".join(spelled(row) + b"\n" for row in (table if isinstance(table, list) else [table]))


MOST = 2**20  # bytes that a file gets, whatever its table claims


def of_header(name: str, read: Callable[[Path], Any], data: bytes) -> Form:
    """A safetensors file whose table says something else; its bytes are as many as it claims."""
    start = 8 + int.from_bytes(data[:8], "little")
    whole = json.loads(data[8:start])

    def spell(table: Any) -> bytes:
        text = spelled(table)
        rows = table.values() if isinstance(table, dict) else ()
        ends = [row["data_offsets"][-1:] for row in rows if _has_offsets(row)]
        size = max((end for (end,) in filter(None, ends) if type(end) is int), default=0)
        values = data[start:] + bytes(max(0, min(size, MOST) - len(data) + start))
        return struct.pack("<Q", len(text)) + text + values[: max(size, 0)]

    return Form(name, lambda: data, read, spell, lambda: whole)


def _has_offsets(row: Any) -> bool:
    return isinstance(row, dict) and isinstance(row.get("data_offsets"), list)


def of_table(name: str, read: Callable[[Path], Any], table: Any) -> Form:
    """A file of JSON."""
    return Form(name, lambda: spelled(table), read, spelled, lambda: table)


def within(
    whole: Callable[[], Path], read: Callable[[Path], Any], place: str = ""
) -> Callable[[Path], Any]:
    """How a file is read that stands in a folder whose other files are whole; its name there is
    `place` where it has another one."""

    def opened(broken: Path) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(shutil.copytree(whole(), Path(folder) / "folder"))
            shutil.copy(broken, copy / (place or broken.name))
            return read(copy)

    return opened


def in_folder(whole: Callable[[], Path], name: str, read: Callable[[Path], Any]) -> Form:
    """A file of JSON of such a folder."""

    def table() -> Any:
        return json.loads((whole() / name).read_text())

    return Form(Path(name).name, lambda: (whole() / name).read_bytes(),
                within(whole, read, name), spelled, table)  # fmt: skip
