"""The loss curves of other runs, behind those of the run that is shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyqtgraph as pg

from lora_lab.ui.panels.overlays import Overlay, legend_rows
from lora_lab.ui.style import theme
from lora_lab.ui.style.theme import Colors
from lora_lab.ui.widgets.plot import Plot
from lora_lab.ui.widgets.series import Series


class OverlayCurves:
    """A smoothed training curve for each, and its validations."""

    def __init__(self, plot: Plot) -> None:
        self._plot = plot
        self._overlays: list[Overlay] = []
        self._curves: list[tuple[pg.PlotCurveItem, pg.PlotCurveItem]] = []

    def show(self, overlays: Sequence[Overlay]) -> None:
        """From now on these."""
        for pair in self._curves:
            for item in pair:
                self._plot.removeItem(item)
        self._overlays = list(overlays)
        self._curves = []
        names = iter(self.series())
        for _ in overlays:
            pair = tuple(pg.PlotCurveItem(connect="finite", name=next(names)) for _ in range(2))
            for item in pair:
                item.setZValue(10)
                self._plot.addItem(item, ignoreBounds=True)
            self._curves.append(pair)
        self.restyle(theme.current())

    def draw(
        self, x0: float, x1: float, columns: int, scaled: Callable[[np.ndarray], np.ndarray]
    ) -> None:
        """Show what lies between two steps, at the resolution of the screen."""
        for overlay, (train, validation) in zip(self._overlays, self._curves, strict=True):
            x, y = overlay.train.window(x0, x1, columns // 3)
            train.setData(x, scaled(y))
            x, y = overlay.validation.window(x0, x1, columns // 6)
            validation.setData(x, scaled(y))

    def values(self) -> list[np.ndarray]:
        """What the axis must reach."""
        return [o.train.window(-1, 2**62, 100)[1] for o in self._overlays if len(o.train)]

    def series(self) -> dict[str, Series]:
        """All of them, by the run's name and what they are."""
        parts = (("train, smoothed", "train"), ("validation", "validation"))
        names = [overlay.name for overlay in self._overlays]
        called = [  # two runs of a queue may have the same settings, and a name made of them
            name if names.count(name) == 1 else f"{name} ({Path(overlay.path).name})"
            for name, overlay in zip(names, self._overlays, strict=True)
        ]
        return {
            f"{run}, {name}": getattr(overlay, part)
            for run, overlay in zip(called, self._overlays, strict=True)
            for name, part in parts
        }

    @property
    def last_step(self) -> int:
        """Where the longest of them ends."""
        return max((o.train.last_step or 0 for o in self._overlays), default=0)

    def entries(self) -> list[tuple[str, str, str]]:
        """Rows of a legend."""
        return legend_rows(self._overlays)

    def restyle(self, colors: Colors) -> None:
        """Take up the colours in force."""
        for overlay, (train, validation) in zip(self._overlays, self._curves, strict=True):
            train.setPen(overlay.pen())
            validation.setPen(overlay.pen())
