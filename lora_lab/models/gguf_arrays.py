"""Lists in GGUF files, read in a hundredth of the library's time: a vocabulary is one of them.

The library makes an array of NumPy of every word and of every number, two for a word; a hundred
thousand of them take seconds, and ten times the memory. What it makes of them stays the same.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

ARRAY, STRING = 9, 8
NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q",
           12: "d"}  # fmt: skip


class _Text(bytes):
    """One text of a list, with what is asked of an array of NumPy."""

    __slots__ = ()

    def tobytes(self) -> bytes:
        return self


class _Number(tuple[Any]):
    """One number of a list, with what is asked of an array of NumPy."""

    __slots__ = ()

    def tolist(self) -> list[Any]:
        return list(self)


@contextmanager
def quick_arrays() -> Iterator[None]:
    """Let the library's reader read lists by this module; one thread at a time."""
    from gguf.gguf_reader import GGUFReader, GGUFValueType

    slowly = GGUFReader._get_field_parts

    def parts(self: Any, at: int, kind: int) -> Any:
        if kind != ARRAY or self.byte_order != "I":
            return slowly(self, at, kind)
        inner, count = struct.unpack_from("<IQ", self.data, at)
        begin = at + struct.calcsize("<IQ")
        if inner == STRING:
            found, end = _texts(memoryview(self.data), begin, count)
        elif inner in NUMBERS:
            form = f"<{count}{NUMBERS[inner]}"
            values, end = struct.unpack_from(form, self.data, begin), begin + struct.calcsize(form)
            once = {value: _Number((value,)) for value in set(values)}
            found = [once.get(value) or _Number((value,)) for value in values]  # NaN is no key
        else:
            return slowly(self, at, kind)
        types = [GGUFValueType(ARRAY), *([GGUFValueType(inner)] if count else [])]
        return end - at, found, list(range(count)), types

    GGUFReader._get_field_parts = parts
    try:
        yield
    finally:
        GGUFReader._get_field_parts = slowly


def _texts(data: memoryview, at: int, count: int) -> tuple[list[Any], int]:
    """So many texts from `at` on, each behind its length; and the place behind them."""
    found: list[Any] = []
    for _ in range(count):
        (length,) = struct.unpack_from("<Q", data, at)
        at += 8
        found.append(_Text(data[at : at + length]))
        at += length
    return found, at
