"""One form of files: a whole one, who reads it, and how a table is spelled as one."""

from __future__ import annotations

import json
import math
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
    names: tuple[str, ...] = ()  # of settings that its reader knows, and a whole one does not have
    megabyte: float = 0.0  # seconds that each takes of an honest file: all of it is tokenized


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


def in_folder(
    whole: Callable[[], Path], name: str, read: Callable[[Path], Any], names: tuple[str, ...] = (),
    words: tuple[Any, ...] = (),
) -> Form:  # fmt: skip
    """A file of JSON of such a folder, whose reader knows more `names` and `words` than it has."""

    def table() -> Any:
        return json.loads((whole() / name).read_text())

    return Form(Path(name).name, lambda: (whole() / name).read_bytes(),
                within(whole, read, name), spelled, table, words, names)  # fmt: skip


SIZES = {"F32": 4, "F16": 2, "F64": 8, "U8": 1, "I8": 1, "F8_E4M3": 1, "C64": 8}
SHAPES = ([], [0], [1], [3], [0, 0], [1, 0], [1, 1], [2, 2], [33], [5000, 1], [128, 128], [2, 2, 2])
ODD = (*SIZES, *({"shape": shape} for shape in SHAPES), 4, 2)


def of_shapes(
    name: str, read: Callable[[Path], Any], shapes: dict[str, tuple[int, ...]],
    kinds: dict[str, str] | None = None, values: dict[str, str] | None = None,
) -> Form:  # fmt: skip
    """A sound safetensors file whose tensors have other shapes and types; `values` are texts that
    some hold in bytes."""
    whole = {
        key: {"dtype": (kinds or {}).get(key, "F32"), "shape": list(shape),
              "text": (values or {}).get(key, "")}
        for key, shape in shapes.items()
    }  # fmt: skip

    def spell(table: Any) -> bytes:
        header: dict[str, Any] = {}
        data = b""
        for key, row in table.items() if isinstance(table, dict) else ():
            own = {**whole.get(key, {}), **row} if isinstance(row, dict) else {}
            if isinstance(inner := own.get("shape"), dict):
                own["shape"] = inner.get("shape")
            shape, kind, said = own.get("shape"), own.get("dtype"), own.get("text")
            if isinstance(said, dict):  # facts that were broken
                said = json.dumps(said)
            raw = said.encode("utf-8", "replace")[:MOST] if isinstance(said, str) else b""
            if raw:
                kind, shape = "U8", [len(raw)]
            sound = isinstance(shape, list) and all(type(n) is int and n >= 0 for n in shape)
            if not sound or str(kind) not in SIZES or math.prod(shape) * SIZES[kind] > MOST:
                continue
            count = math.prod(shape) * SIZES[kind]
            raw = raw or (b"\x00\x00\x80\x3f" * (count // 4 + 1))[:count]
            header[key] = {"dtype": kind, "shape": shape,
                           "data_offsets": [len(data), len(data) + count]}  # fmt: skip
            data += raw
        text = spelled(header)
        return struct.pack("<Q", len(text)) + text + data

    return Form(name, lambda: spell(whole), read, spell, lambda: whole, ODD)
