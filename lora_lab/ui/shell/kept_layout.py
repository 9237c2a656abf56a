"""Whether bytes are a layout as Qt writes one of these docks.

Qt takes numbers out of them for places in its memory and for how often it goes round, unasked.
"""

from __future__ import annotations

import struct
from collections.abc import Set

WHOLE, DOCKS, TOOL_BARS = 0xFF, 0xFD, 0xFC  # what begins each part, as qmainwindowlayout.cpp has it
FLOATING_TABS, ROW, DOCK, TABS = 0xF9, 0xFC, 0xFB, 0xFA
AREAS = (1, 2, 4, 8)  # left, right, top, bottom
FAR = 1 << 24  # of a place or a size in pixels; Qt's own limit
SUMS = 1 << 29  # of the least and the most of docks together
DEEPEST = 12  # rows in columns in rows


def is_layout(data: bytes, names: Set[str]) -> bool:
    """Whether Qt may read it; each of `names`, of the docks that there are, at most once."""
    try:
        _Layout(data, set(names)).read()
    except (ValueError, struct.error, UnicodeDecodeError):
        return False
    return True


class _Layout:
    """Goes through a layout; raises an error where Qt would not have written it so."""

    def __init__(self, data: bytes, names: set[str]) -> None:
        self._data, self._at, self._names = data, 0, names

    def read(self) -> None:
        whole, _, mark, areas = self._take("iiBi")
        _require(whole == WHOLE and mark == DOCKS and 0 <= areas <= 4)
        before = -1
        for _ in range(areas):
            (area,) = self._take("i")
            _require(before < area < 4)
            before = area
            self._pixels(2)
            self._docks()
        self._pixels(2)
        _require(all(corner in AREAS for corner in self._take("4i")))
        while (mark := self._take("B")[0]) == FLOATING_TABS:
            self._pixels(4)
            self._docks()
        _require(mark == TOOL_BARS and self._take("i") == (0,) and self._at == len(self._data))

    def _docks(self, depth: int = 0) -> None:
        """Docks beside, below or behind one another."""
        (mark,) = self._take("B")
        front = self._take("i")[0] if mark == TABS else -1
        direction, count = self._take("Bi")
        _require(mark in (TABS, ROW) and direction in (1, 2) and depth <= DEEPEST)
        _require(0 <= count <= 1000 and -1 <= front < max(1, count))
        for _ in range(count):
            (mark,) = self._take("B")
            if mark == DOCK:
                (length,) = self._take("I")
                name = self._take(f"{length if length <= 1000 else 0}s")[0].decode("utf-16-be")
                _require(name in self._names)
                self._names.remove(name)
                (flags,) = self._take("B")  # open, floating, and the area of one that is neither
                _require(flags >> 2 in (0, *AREAS))
            _require(mark in (DOCK, ROW))
            self._pixels(2)
            self._pixels(2, SUMS)
            if mark == ROW:
                self._docks(depth + 1)

    def _pixels(self, count: int, most: int = FAR) -> None:
        _require(all(abs(number) <= most for number in self._take(f"{count}i")))

    def _take(self, form: str) -> tuple:
        form = f">{form}"
        values = struct.unpack_from(form, self._data, self._at)
        self._at += struct.calcsize(form)
        return values


def _require(holds: bool) -> None:
    if not holds:
        raise ValueError
