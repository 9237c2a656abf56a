"""One moment of the spectra, as every view of the panel draws it."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from PySide6.QtWidgets import QWidget

from lora_lab.records import LayerSpectrum
from lora_lab.ui.panels.overlays import Overlay
from lora_lab.ui.panels.spectrum.history import SpectrumHistory
from lora_lab.ui.style.theme import Colors
from lora_lab.ui.widgets.plot import Plot

MOST_FOREIGN = 64  # values of another run, or of the truth, where they are more than the layer's
_DECADES = 9.0  # drawn below the greatest value at most; less than that is zero in float32
_NOTHING = np.empty(0)
_RANGE_SECONDS = 0.5  # axes move at most this often: bars move and the axis stands


class Other:
    """Another run, with its σ by the names of the layers."""

    def __init__(self, run: Overlay) -> None:
        self.run = run
        rows = run.spectrum.layers if run.spectrum is not None else ()
        self._sigma = {row.name: above_rounding(row.sigma)[:MOST_FOREIGN] for row in rows}

    def of(self, name: str) -> np.ndarray:
        """σ of that layer there, descending; empty where it has none."""
        return self._sigma.get(name, _NOTHING)


@dataclass(frozen=True)
class Scene:
    """What was measured last, what was chosen to be shown, and what is known besides."""

    step: int
    layers: tuple[LayerSpectrum, ...]  # every one
    chosen: str  # the name of one, or nothing for all
    true: np.ndarray  # σ(D) above rounding, descending; empty where it is not known
    others: Sequence[Other]
    cuts: Mapping[str, int]  # where a smaller rank that is requested would cut; 0 for nowhere
    log: bool
    history: SpectrumHistory
    energy_known: bool = True  # whether σ(ΔW) tells what a smaller rank would take
    rank_locked: str = ""  # why the rank cannot move, or nothing
    edges: Mapping[str, float] = field(default_factory=dict)  # what noise as large would reach

    @property
    def shown(self) -> tuple[LayerSpectrum, ...]:
        """The chosen layer alone, or all."""
        layers = tuple(layer for layer in self.layers if layer.name == self.chosen)
        return layers or self.layers

    def scaled(self, sigma: np.ndarray) -> np.ndarray:
        """As the axis takes it: log10, or as it is."""
        return np.log10(np.maximum(sigma, 1e-30)) if self.log else sigma


def above_rounding(sigma: np.ndarray) -> np.ndarray:
    """Those of descending values that are more than the rounding of the first."""
    sigma = sigma[np.isfinite(sigma)]
    return sigma[sigma > 1e-9 * sigma[0]] if len(sigma) and sigma[0] > 0 else sigma[:0]


@dataclass(frozen=True)
class Cells:
    """σ of several layers as one array: what is drawn of hundreds is computed at once."""

    sigma: np.ndarray  # (layers, most values); 0 where it is not finite, or there is none
    there: np.ndarray  # whether the layer has such a value
    nonzero: np.ndarray  # whether it is above rounding

    @classmethod
    def of(cls, layers: Sequence[LayerSpectrum]) -> Cells:
        lengths = np.array([len(layer.sigma) for layer in layers])
        ranks = np.array([layer.numerical_rank for layer in layers])
        sigma = np.zeros((len(layers), int(lengths.max(initial=0))))
        for row, layer in enumerate(layers):
            sigma[row, : len(layer.sigma)] = layer.sigma
        np.nan_to_num(sigma, copy=False, nan=0.0, posinf=0.0)
        place = np.arange(sigma.shape[1])
        nonzero = (place < ranks[:, None]) & (sigma > 0)
        return cls(sigma, place < lengths[:, None], nonzero)


class View(Protocol):
    """What the panel asks of each of its views."""

    widget: QWidget  # all of it
    picture: QWidget  # what has a name, and is described in words
    plots: Sequence[Plot]  # those that follow until a hand moves them
    range: Range

    def draw(self, scene: Scene) -> None:
        """Show it; not all that it shows is zero."""

    def restyle(self, colors: Colors) -> None:
        """Take up the colours in force."""


class Range:
    """The range of a σ axis: it moves in wide steps, and at most twice a second."""

    def __init__(self) -> None:
        self.clock = time.monotonic  # seconds
        self.forget()

    def forget(self) -> None:
        """Fit at once the next time."""
        self.ends: tuple[float, float] | None = None
        self.withheld = False  # it should have moved and may not yet: ask again in a while
        self._moved_at = 0.0

    def fit(self, values: np.ndarray, log: bool, decades: float = _DECADES) -> tuple[float, float]:
        """Room for the positive `values`; in decades where `log`."""
        high = float(values.max())
        if log:
            high = math.log10(high)
            low = max(math.log10(float(values.min())), high - decades)
            wanted = (math.floor(2 * low - 0.4) / 2, math.ceil(2 * high + 0.2) / 2)
        else:
            unit = 10 ** math.floor(math.log10(high)) / 2
            wanted = (0.0, math.ceil(1.05 * high / unit) * unit)
        now = self.clock()
        if self.ends is None or now - self._moved_at > _RANGE_SECONDS:
            self.ends, self._moved_at = wanted, now
        self.withheld = wanted != self.ends
        return self.ends
