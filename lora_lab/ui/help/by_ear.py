"""A plot as sound: from left to right in time, and from low to high in pitch."""

from __future__ import annotations

import io
import math
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real

import numpy as np
import pyqtgraph as pg

from lora_lab.ui.panels.panel import Panel
from lora_lab.ui.widgets.plot import Plot

RATE = 22_050  # samples per second
LOW, OCTAVES = 220.0, 2.0  # Hz at the lower edge of the picture, and up to its upper edge
SECONDS = 3.0  # of a curve
STAIR = 0.25  # seconds of a bar, less where there are many
LOUDNESS = 0.3  # of full scale
RAMP = 0.01  # seconds in which a tone comes and goes, so that nothing clicks
REST = 0.3  # seconds between two curves
MOST = 4  # curves of one plot
EDGE = 0.01  # of the height: a line on the edge of the picture is in it
WIDE = 30.0  # bars whose values differ by more are heard on a logarithmic scale


@dataclass(frozen=True)
class Heard:
    """What is played: names, the sound in [−1, 1] at `RATE`, and the values of both ends."""

    names: tuple[str, ...]
    sound: np.ndarray  # float64, (samples,)
    low: float  # the value at `LOW` Hz
    high: float  # the value `OCTAVES` above

    @property
    def seconds(self) -> float:
        return len(self.sound) / RATE


def pitch(height: np.ndarray | float) -> np.ndarray | float:
    """Hz at a height of the picture, 0 at its lower edge and 1 at its upper one."""
    return LOW * 2.0 ** (OCTAVES * np.asarray(height))


def heard(panel: Panel) -> Heard | None:
    """The curves that the panel shows, one after the other; else its bars; None: neither."""
    for plot in panel.findChildren(Plot):
        curves = _curves(plot) if plot.isVisible() else {}
        if curves:
            low, high = plot.view.viewRange()[1]
            parts = [_sound(_along(x, y, low, high)) for x, y in curves.values()]
            ends = (10.0**low, 10.0**high) if plot.left.log else (low, high)
            return Heard(tuple(curves), _in_turn(parts), *ends)
    columns = panel.figure_data()
    numbers = {n: v for n, v in columns.items() if len(v) and all(isinstance(w, Real) for w in v)}
    if not numbers:
        return None
    name, values = numbers.popitem()  # the last one is what is drawn over the others
    heights, low, high = _bars(np.asarray(values, np.float64))
    return None if heights is None else Heard((name,), _sound(heights), low, high)


def wav(sound: np.ndarray) -> bytes:
    """The sound as a file: one channel of 16 bits."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(np.round(sound * 32_767).astype("<i2").tobytes())
    return file.getvalue()


def _curves(plot: Plot) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Those that are drawn as lines; of a smoothed one not its raw one as well."""
    items = [i for i in plot.getPlotItem().listDataItems() if isinstance(i, pg.PlotCurveItem)]
    shown = {i.name(): i.getData() for i in items if i.name() and i.isVisible()}
    shown = {name: xy for name, xy in shown.items() if _is_line(*xy)}
    raw = {name for name in shown if f"{name}, smoothed" in shown}
    return {name: shown[name] for name in [n for n in shown if n not in raw][:MOST]}


def _is_line(x: np.ndarray | None, y: np.ndarray | None) -> bool:
    return x is not None and len(np.unique(x)) > 1 and bool(np.isfinite(y).any())


def _along(x: np.ndarray, y: np.ndarray, low: float, high: float) -> np.ndarray:
    """The heights of a curve over time: as far in the sound as in the picture."""
    at = np.linspace(float(x[0]), float(x[-1]), round(SECONDS * RATE))
    return (np.interp(at, x, y) - low) / (high - low)


def _bars(values: np.ndarray) -> tuple[np.ndarray | None, float, float]:
    """The heights of bars, each held for a while, and the values of both edges."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return None, 0.0, 0.0
    low, high = float(finite.min()), float(finite.max())
    log = low > 0 and high / low > WIDE
    scaled = np.log(values) if log else values
    first, last = (math.log(low), math.log(high)) if log else (low, high)
    heights = (
        (scaled - first) / (last - first)
        if last > first
        else np.where(np.isfinite(values), 0.5, np.nan)
    )
    each = min(STAIR, 2 * SECONDS / len(values))
    return np.repeat(heights, max(1, round(each * RATE))), low, high


def _sound(heights: np.ndarray) -> np.ndarray:
    """A tone of these pitches; silent where there is no value, or none in the picture."""
    inside = np.isfinite(heights) & (heights >= -EDGE) & (heights <= 1 + EDGE)
    phase = 2 * np.pi * np.cumsum(np.where(inside, pitch(np.where(inside, heights, 0)), 0)) / RATE
    ramp = np.hanning(round(2 * RAMP * RATE))
    loud = np.convolve(np.pad(inside.astype(float), len(ramp)), ramp / ramp.sum(), "same")
    return LOUDNESS * np.sin(phase) * loud[len(ramp) : -len(ramp)]


def _in_turn(parts: Sequence[np.ndarray]) -> np.ndarray:
    rest = np.zeros(round(REST * RATE))
    joined = [piece for part in parts for piece in (part, rest)]
    return np.concatenate(joined[:-1])
