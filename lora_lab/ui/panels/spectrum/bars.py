"""The singular values of ΔW as bars, one layer or all side by side on one axis."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QCoreApplication, Qt

from lora_lab.records import LayerSpectrum
from lora_lab.ui.panels.spectrum.figures import is_finite
from lora_lab.ui.panels.spectrum.scene import Cells, Other, Range, Scene
from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import ending, shortened
from lora_lab.ui.style.theme import Colors
from lora_lab.ui.widgets.plot import Plot, pen

translate = QCoreApplication.translate

_MOST_BARS = 1.5  # per pixel across
_ZERO_TEXTS = 8
_ZERO_ROOM = 18  # pixels of zeros below which they are not named


class SpectrumBars:
    """σ(ΔW), σ(D) as ticks where it is known, other runs, and where a smaller rank would cut."""

    def __init__(self) -> None:
        self._others: Sequence[Other] = ()
        self._levels: list[pg.PlotCurveItem] = []
        self.widget = self.picture = self.plot = plot = Plot(
            translate("SpectrumBars", "Singular values of ΔW"),
            translate("SpectrumBars", "index i"),
            log_y=True,
        )
        self.plots = (plot,)
        plot.bottom.setGrid(False)
        self.bars, self.cut_bars, self.zeros = (
            pg.BarGraphItem(x=[], height=[], width=1) for _ in "123"
        )
        self.true_ticks = pg.PlotCurveItem(connect="pairs")
        self.cut_lines = pg.PlotCurveItem(connect="pairs")
        self.edge_lines = pg.PlotCurveItem(connect="pairs", name="noise edge")
        self.zero_texts = [
            pg.TextItem(translate("SpectrumBars", "zero"), anchor=(0.5, 1))
            for _ in range(_ZERO_TEXTS)
        ]
        items = (self.bars, self.cut_bars, self.zeros, self.cut_lines, self.edge_lines,
                 self.true_ticks)  # fmt: skip
        for z, item in enumerate((*items, *self.zero_texts), start=1):
            item.setZValue(z)
            plot.addItem(item, ignoreBounds=True)
        self.range = Range()
        self.restyle(theme.current())

    def draw(self, scene: Scene) -> None:
        """Show the chosen layer, or all; at least one of them is not zero."""
        shown, true = scene.shown, scene.true
        plot = self.plot
        plot.set_log(scene.log)
        self._take_others(scene.others)
        theirs = [[other.of(layer.name) for layer in shown] for other in scene.others]
        # Each has the room for all that the others learned: a σ left out would not be missed.
        known = [[layer.sigma, true, *found] for layer, *found in zip(shown, *theirs, strict=True)]
        widths = [max(map(len, values)) for values in known]
        gap = max(1.0, 0.12 * max(widths))
        starts = np.concatenate([[0.0], np.cumsum(np.array(widths[:-1], float) + gap)])
        end = float(starts[-1] + widths[-1])
        # Bars beyond what can be seen are thinned within each layer, so that every σ₁ stays.
        stride = max(1, math.ceil(sum(widths) / (_MOST_BARS * plot.columns())))
        cells, index = Cells.of(shown), slice(None, None, stride)
        there, sigma = cells.there[:, index], cells.sigma[:, index][cells.there[:, index]]
        nonzero = cells.nonzero[:, index][there]
        place = np.arange(1, cells.sigma.shape[1] + 1)[index]
        x = (starts[:, None] + place)[there]
        foreign = [values for row in theirs for values in row]
        low, high = self.range.fit(np.concatenate([sigma[nonzero], true, *foreign]), scene.log)
        if plot.following:
            plot.show_range((0.3, end + 0.7), (low, high))
        top = scene.scaled(sigma)
        # Without antialiasing a bar thinner than a pixel may vanish.
        wide = max(0.74 * stride, 1.1 * end / plot.columns())
        kept = np.array([scene.cuts.get(layer.name) or math.inf for layer in shown])
        beyond = (place > kept[:, None])[there]
        for item, chosen in ((self.bars, nonzero & ~beyond), (self.cut_bars, nonzero & beyond)):
            height = np.maximum(top[chosen] - low, 0)
            item.setOpts(x=x[chosen], y0=np.full(len(height), low), height=height, width=wide)
        stub = np.full(int((~nonzero).sum()), 0.012 * (high - low))
        self.zeros.setOpts(x=x[~nonzero], y0=np.full(len(stub), low), height=stub, width=wide)
        truth = [true] * len(shown) if len(true) else []
        self._draw_levels(self.true_ticks, truth, starts, scene)
        for row, item in zip(theirs, self._levels, strict=True):
            self._draw_levels(item, row, starts, scene)
        at = (starts + kept + 0.5)[kept < math.inf]
        self.cut_lines.setData(np.repeat(at, 2), np.tile([low, high], len(at)), connect="pairs")
        self._draw_edges(shown, starts, widths, scene)
        self._name_zeros(shown, starts, low + 0.015 * (high - low), self.plot.columns() / end)
        self._name_blocks(shown, starts, widths)

    def _draw_edges(
        self,
        shown: Sequence[LayerSpectrum],
        starts: np.ndarray,
        widths: Sequence[int],
        scene: Scene,
    ) -> None:
        """A dashed level across each layer: as high as σ₁ of noise as large would stand."""
        rows = [
            (start + 0.4, start + width + 0.6, scene.edges[layer.name])
            for layer, start, width in zip(shown, starts, widths, strict=True)
            if scene.edges.get(layer.name, 0.0) > 0
        ]
        if not rows:
            self.edge_lines.clear()
            return
        left, right, edge = np.array(rows).T
        x = np.column_stack([left, right]).ravel()
        self.edge_lines.setData(x, np.repeat(scene.scaled(edge), 2), connect="pairs")

    @staticmethod
    def _draw_levels(
        item: pg.PlotCurveItem, rows: Sequence[np.ndarray], starts: np.ndarray, scene: Scene
    ) -> None:
        """A short level across the place of each bar."""
        if not rows:
            item.clear()
            return
        at = [s + np.arange(1, len(row) + 1) for row, s in zip(rows, starts, strict=True)]
        x = np.concatenate([np.column_stack([a - 0.46, a + 0.46]).ravel() for a in at])
        y = np.concatenate([np.repeat(scene.scaled(row), 2) for row in rows])
        item.setData(x, y, connect="pairs")

    def _take_others(self, others: Sequence[Other]) -> None:
        if others is self._others:
            return
        for item in self._levels:
            self.plot.removeItem(item)
        self._others = others
        self._levels = [pg.PlotCurveItem(connect="pairs", name=other.run.name) for other in others]
        for item, other in zip(self._levels, others, strict=True):
            item.setZValue(8)
            item.setPen(other.run.pen(2))
            self.plot.addItem(item, ignoreBounds=True)

    def _name_zeros(
        self, shown: Sequence[LayerSpectrum], starts: np.ndarray, height: float, column: float
    ) -> None:
        texts = iter(self.zero_texts)
        for layer, at in zip(shown, starts, strict=True):
            zeros = len(layer.sigma) - layer.numerical_rank
            if zeros <= 0 or len(shown) > _ZERO_TEXTS or zeros * column < _ZERO_ROOM:
                continue
            item = next(texts)
            item.setText(
                translate("SpectrumBars", "zero")
                if is_finite(layer)
                else translate("SpectrumBars", "not finite")
            )
            item.setPos(at + (layer.numerical_rank + 1 + len(layer.sigma)) / 2, height)
            item.show()
        for item in texts:
            item.hide()

    def _name_blocks(
        self, shown: Sequence[LayerSpectrum], starts: np.ndarray, widths: Sequence[int]
    ) -> None:
        if len(shown) == 1:
            every = max(1, math.ceil(widths[0] * 24 / self.plot.columns()))
            every = next((n for n in (1, 2, 5, 10, 20, 50, 100) if n >= every), every)
            ticks = range(every, widths[0] + 1, every) if every > 1 else range(1, widths[0] + 1)
            self._set_ticks([(i, str(i)) for i in ticks], translate("SpectrumBars", "index i"))
            return
        names = [layer.name for layer in shown]
        room = self.plot.columns() / (starts[-1] + widths[-1]) / 6.5  # letters per unit
        if any(len(name) > (width + 1) * room for name, width in zip(names, widths, strict=True)):
            names = shortened(names)
        ticks = []
        for name, at, width in zip(names, starts, widths, strict=True):
            letters = max(1, int((width + 1) * room))
            if letters > 1:
                ticks.append((at + (width + 1) / 2, ending(name, letters)))
        self._set_ticks(ticks, translate("SpectrumBars", "layers, σ₁ ≥ σ₂ ≥ … in each"))

    def _set_ticks(self, ticks: list[tuple[float, str]], name: str) -> None:
        self.plot.bottom.setTicks([ticks])
        if self.plot.x_label != name:
            self.plot.name_bottom(name)

    def restyle(self, colors: Colors) -> None:
        """Take up the colours in force."""
        self.plot.restyle(colors)
        nothing = pg.mkPen(None)
        self.bars.setOpts(brush=colors.adapter, pen=nothing)
        self.cut_bars.setOpts(brush=colors.raw, pen=nothing)
        self.zeros.setOpts(brush=colors.frozen, pen=nothing)
        self.true_ticks.setPen(pen(colors.validation, 2))
        self.cut_lines.setPen(pen(colors.warn, 1, Qt.PenStyle.DashLine))
        self.edge_lines.setPen(pen(colors.text, 1, Qt.PenStyle.DashLine))
        for other, item in zip(self._others, self._levels, strict=True):
            item.setPen(other.run.pen(2))
        for text in self.zero_texts:
            text.setColor(colors.muted)
            text.setFont(theme.font(0.92))
