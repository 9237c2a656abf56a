"""A growing curve: steps and values with a min/max pyramid, so that any window of it is cheap.

No Qt in here. Level l of the pyramid holds the least and the greatest finite value of every 16^l
neighbours; a window is answered from the level that fits its width, so that the cost follows the
number of points asked for, not the number stored.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

FAN = 16  # children of one bucket: the pyramid costs 1/15 of two float32, 0.53 bytes per point
_FAR = 2**62  # beyond any step
_FLOAT32_MAX = float(np.finfo(np.float32).max)


class Growing:
    """A one-dimensional array that doubles; np.empty leaves untouched pages to the system."""

    def __init__(self, dtype: type) -> None:
        self._data = np.empty(1024, dtype)
        self.size = 0

    def resize(self, size: int) -> None:
        """Set the length; what lies beyond the old one is undefined until written."""
        if size > len(self._data):
            grown = np.empty(max(size, 2 * len(self._data)), self._data.dtype)
            grown[: self.size] = self._data[: self.size]
            self._data = grown
        self.size = size

    def append(self, values: np.ndarray) -> None:
        start = self.size
        self.resize(start + len(values))
        self._data[start : self.size] = values

    @property
    def view(self) -> np.ndarray:
        """The filled part; not to be kept over the next append."""
        return self._data[: self.size]


class Series:
    """Values y (float32) over non-decreasing integer steps x; 12.5 bytes per point.

    Nothing is filtered: a value that is not finite leaves a gap in the curve, and `non_finite`
    lists it.
    """

    def __init__(self) -> None:
        self._x = Growing(np.int64)
        self._y = Growing(np.float32)
        self._levels: list[tuple[Growing, Growing]] = []  # least, greatest; finest first
        self._bad = Growing(np.int64)  # indices of the values that are not finite

    def __len__(self) -> int:
        return self._x.size

    @property
    def points(self) -> tuple[np.ndarray, np.ndarray]:
        """Every step and value; not to be kept over the next `extend`."""
        return self._x.view, self._y.view

    @property
    def last_step(self) -> int | None:
        return int(self._x.view[-1]) if len(self) else None

    @property
    def last_value(self) -> float:
        """The newest value, finite or not; nan when empty."""
        return float(self._y.view[-1]) if len(self) else float("nan")

    def extend(
        self, steps: Sequence[int] | np.ndarray, values: Sequence[float] | np.ndarray
    ) -> None:
        """Append points. Costs the new points alone, whatever is stored already."""
        x = np.asarray(steps, np.int64)
        y = np.asarray(values, np.float64)
        if len(x) != len(y):
            raise ValueError(f"{len(x)} steps but {len(y)} values")
        if not len(x):
            return
        if x[0] < (self.last_step if len(self) else x[0]) or (len(x) > 1 and np.diff(x).min() < 0):
            raise ValueError("the steps of a series never go back")
        finite = np.isfinite(y)
        # A finite float64 too great for float32 stays finite: it is a peak, not a failure.
        y = np.where(finite, np.clip(y, -_FLOAT32_MAX, _FLOAT32_MAX), y).astype(np.float32)
        start = len(self)
        self._x.append(x)
        self._y.append(y)
        if not finite.all():
            self._bad.append(start + np.flatnonzero(~finite))
        self._grow_pyramid(start)

    def cut(self, step: int) -> None:
        """Forget every point after `step`. Costs the length once."""
        kept = int(np.searchsorted(self._x.view, np.int64(step), "right"))
        if kept == len(self):
            return
        x, y = self._x.view[:kept].copy(), self._y.view[:kept].copy()
        self.__init__()
        self.extend(x, y)

    def _grow_pyramid(self, start: int) -> None:
        """Rebuild the buckets from the one that holds point `start` to the end, level by level."""
        size, level = len(self), 0
        while size > FAN:
            if level == len(self._levels):
                self._levels.append((Growing(np.float32), Growing(np.float32)))
                start = 0
            first = start // FAN
            if level == 0:
                part = self._y.view[first * FAN : size]
                part = low = high = np.where(np.isfinite(part), part, np.float32(np.nan))
            else:
                low, high = (a.view[first * FAN : size] for a in self._levels[level - 1])
            size = -(-size // FAN)
            cuts = np.arange(0, len(low), FAN)
            for array, reduced in zip(
                self._levels[level],
                (np.fmin.reduceat(low, cuts), np.fmax.reduceat(high, cuts)),
                strict=True,
            ):
                array.resize(size)
                array.view[first:] = reduced
            start, level = first, level + 1

    def _place(self, x: float, side: Literal["left", "right"]) -> int:
        # A float would make numpy turn every step into a float first: a cost of the whole length.
        whole = math.ceil(x) if side == "left" else math.floor(x)
        return int(np.searchsorted(self._x.view, np.int64(max(-_FAR, min(_FAR, whole))), side))

    def window(self, x0: float, x1: float, max_points: int) -> tuple[np.ndarray, np.ndarray]:
        """The curve over [x0, x1] and one neighbour on either side, as at most 2·max_points + 2.

        Where there are more points, each bucket gives its exact least and greatest value, at the
        steps where they are, so that no rise is drawn before its cause. Buckets are powers of two
        at fixed places, so that a growing curve does not shimmer. A gap is a nan.
        """
        x, y = self._x.view, self._y.view
        first = max(0, self._place(x0, "left") - 1)
        last = min(len(x), self._place(x1, "right") + 1)
        count = last - first
        if count <= 2 * max_points:
            at = np.arange(first, last)
        else:
            level = 0
            while level < len(self._levels) and FAN ** (level + 1) * max_points <= count:
                level += 1
            unit = FAN**level  # points in one bucket of this level
            joined = 1 << max(0, (-(-count // (unit * max_points)) - 1).bit_length())  # buckets
            begin, end = first // (unit * joined) * joined, -(-last // unit)
            starts = np.arange(begin, end, joined)
            ends = (self._where(starts, joined, level, part) for part in (0, 1))
            at = np.sort(np.column_stack(list(ends))).ravel()
        shown = y[at]
        return x[at], np.where(np.isfinite(shown), shown, np.float32(np.nan))

    def _where(self, starts: np.ndarray, joined: int, level: int, part: int) -> np.ndarray:
        """The point of the least (part 0) or greatest (1) value of each `joined` buckets at
        `starts` (n), found from level to level downwards; without one its first."""
        found = starts
        for depth in range(level, -1, -1):
            values = self._levels[depth - 1][part].view if depth else self._y.view
            among = found[:, None] + np.arange(joined)  # (n, joined)
            low = values[np.minimum(among, len(values) - 1)]
            low = np.where(np.isfinite(low), -low if part else low, np.float32(np.inf))
            found = np.minimum(found + low.argmin(axis=1), len(values) - 1)
            if depth:
                found, joined = found * FAN, FAN
        return found

    @property
    def non_finite_count(self) -> int:
        return self._bad.size

    def non_finite(self, x0: float, x1: float, max_points: int = 500) -> np.ndarray:
        """Steps in [x0, x1] whose value is nan or infinite, thinned evenly to `max_points`."""
        if not self._bad.size:
            return np.empty(0, np.int64)
        x, bad = self._x.view, self._bad.view
        first = np.searchsorted(bad, self._place(x0, "left"), "left")
        last = np.searchsorted(bad, self._place(x1, "right"), "left")
        stride = max(1, -(-int(last - first) // max_points))
        return x[bad[first:last:stride]]


def long_columns(curves: Mapping[str, Series]) -> dict[str, Any]:
    """Several curves below each other: whose, at which step, what value; copies, every point."""
    parts = [(name, *series.points) for name, series in curves.items() if len(series)]
    if not parts:
        return {}
    return {
        "curve": [name for name, x, _ in parts for _ in range(len(x))],
        "step": np.concatenate([x for _, x, _ in parts]),
        "loss": np.concatenate([y.astype(float) for *_, y in parts]),
    }
