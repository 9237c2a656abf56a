"""The singular values of ΔW as bars, one layer or all side by side, with the rank measures."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from html import escape

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from lora_lab.config import Hyperparameters
from lora_lab.records import AppliedRecord, LayerSpectrum, LoadedRecord, Record, SpectrumRecord
from lora_lab.ui import theme
from lora_lab.ui.overlays import Overlay
from lora_lab.ui.panels.panel import Panel, describe, label, show
from lora_lab.ui.panels.spectrum_figures import (
    bars_of,
    is_finite,
    percent,
    shortened,
    span,
    tenth,
    two,
)
from lora_lab.ui.ranks import LayerRanks, energy_lost, scaling_formula
from lora_lab.ui.theme import Colors
from lora_lab.ui.widgets.plot import Plot, number, pen

ALL = "All layers"
_DECADES = 9.0  # drawn below the greatest value at most; less than that is zero in float32
_MOST_BARS = 2000
_ZERO_TEXTS = 8
_ZERO_ROOM = 18  # pixels of zeros below which they are not named
_MEASURES = (
    ("Numerical rank", "Singular values above rounding error"),
    ("Stable rank", "‖ΔW‖_F² / σ₁²"),
    ("Effective rank", "exp of the entropy of σ / Σσ"),
    ("‖ΔW‖", "Frobenius norm of ΔW"),
    ("‖ΔW‖ / ‖W‖", "Size of the change beside the frozen weights"),
    ("s", "The scaling that multiplies B·A"),
)


class SpectrumPanel(Panel):
    """σ(ΔW) on a log axis, σ(D) as ticks where it is known, and where a smaller rank would cut."""

    key = "spectrum"
    title = "Spectrum"

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._chooser = QComboBox()
        self._chooser.setAccessibleName("Layer whose singular values are shown")
        self._chooser.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self._chooser.setMaximumWidth(200)
        self._chooser.currentIndexChanged.connect(self._choose)
        self._legend = label()
        self._legend.setTextFormat(Qt.TextFormat.RichText)
        self._log = QToolButton()
        self._log.setText("log")
        self._log.setCheckable(True)
        self._log.setChecked(True)
        self._log.setProperty("role", "quiet")
        self._log.setToolTip("Logarithmic axis for σ")
        self._log.setAccessibleName("Logarithmic axis for singular values")
        self._log.toggled.connect(self._scale_changed)
        self.head.addWidget(self._chooser)
        self.head.addStretch(1)
        self.head.addWidget(self._legend)
        self.head.addWidget(self._log)

        self._plot = plot = Plot("Singular values of ΔW", "index i", log_y=True)
        plot.bottom.setGrid(False)
        self._bars, self._cut_bars, self._zeros = (
            pg.BarGraphItem(x=[], height=[], width=1) for _ in "123"
        )
        self._true = pg.PlotCurveItem(connect="pairs")
        self._cut_lines = pg.PlotCurveItem(connect="pairs")
        self._zero_texts = [pg.TextItem("zero", anchor=(0.5, 1)) for _ in range(_ZERO_TEXTS)]
        items = (self._bars, self._cut_bars, self._zeros, self._cut_lines, self._true)
        for z, item in enumerate((*items, *self._zero_texts), start=1):
            item.setZValue(z)
            plot.addItem(item, ignoreBounds=True)
        plot.follow_wished.connect(self._follow)

        self._figures = {}
        side = QVBoxLayout()
        side.setSpacing(0)
        side.setContentsMargins(4, 2, 0, 0)
        for name, meaning in _MEASURES:
            head, value = label(name, "small"), label("—", "", name)
            value.setFont(theme.font(1.15, theme.font().Weight.Medium))
            for widget in (head, value):
                widget.setToolTip(meaning)
                side.addWidget(widget)
            side.addSpacing(6)
            self._figures[name] = value
            self._scaling_name = head  # the last one
        side.addStretch(1)
        beside = QWidget()
        beside.setLayout(side)
        widest = QFontMetrics(theme.font(1.15, theme.font().Weight.Medium))
        beside.setFixedWidth(widest.horizontalAdvance("0.00 % – 00 %") + 10)
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(plot, 1)
        row.addWidget(beside)
        self.body.addLayout(row, 1)
        self._foot = label("", "small")
        self.body.addWidget(self._foot)

        self._overlays: list[Overlay] = []
        self._others: list[pg.PlotCurveItem] = []
        self._loaded: LoadedRecord | None = None
        self._last: SpectrumRecord | None = None
        self._ranks: LayerRanks | None = None
        self._wished = Hyperparameters()
        self._range: tuple[float, float] | None = None
        self._ranged_at = 0.0
        self.restyle(theme.current())

    # -- collecting ------------------------------------------------------------------------------

    def reset(self, loaded: LoadedRecord) -> None:
        self._loaded, self._last, self._range = loaded, None, None
        self._ranks, self._wished = LayerRanks(loaded), loaded.hyper
        show(self._scaling_name, f"s = {scaling_formula(loaded.variant)}")
        names = [layer.name for layer in loaded.layers]
        with QSignalBlocker(self._chooser):
            self._chooser.clear()
            self._chooser.addItems([ALL, *names] if len(names) != 1 else names)
        self._plot.following = True
        self._plot.follow_button.hide()
        self.dirty = True

    def receive(self, records: Sequence[Record]) -> None:
        for record in records:
            if isinstance(record, SpectrumRecord):
                self._last = record
                self.dirty = True
            elif isinstance(record, AppliedRecord):
                if self._ranks is not None:
                    if self._wished == self._ranks.applied:  # no wish of its own is waiting
                        self._wished = record.hyper
                    self._ranks.apply(record.hyper)
                self.dirty = True

    def set_wished(self, hyper: Hyperparameters) -> None:
        self.dirty = self.dirty or hyper != self._wished
        self._wished = hyper

    def choose_layer(self, name: str) -> None:
        """Show that layer alone; a name that is not there means all of them."""
        self._chooser.setCurrentIndex(max(0, self._chooser.findText(name)))

    def set_overlays(self, overlays: Sequence[Overlay]) -> None:
        for item in self._others:
            self._plot.removeItem(item)
        self._overlays = [o for o in overlays if o.spectrum is not None]
        self._others = [pg.PlotCurveItem(connect="pairs") for _ in self._overlays]
        for item in self._others:
            item.setZValue(8)
            self._plot.addItem(item, ignoreBounds=True)
        self.restyle(theme.current())

    # -- drawing ---------------------------------------------------------------------------------

    def redraw(self) -> None:
        self.dirty = False
        shown = self._shown()
        if not shown:
            self.say("No spectrum yet.")
            return
        if all(layer.numerical_rank == 0 for layer in shown):
            broken = not all(is_finite(layer) for layer in shown)
            self.say("ΔW is not finite." if broken else "ΔW is zero until the first step.")
            return
        self.say("")
        cuts = [self._cut(layer) for layer in shown]
        true = self._true_sigma(shown)
        widths = [max(len(layer.sigma), len(true)) for layer in shown]
        gap = max(1.0, 0.12 * max(widths))
        starts = np.concatenate([[0.0], np.cumsum(np.array(widths[:-1], float) + gap)])
        # Bars beyond what can be seen are thinned within each layer, so that every σ₁ stays.
        stride = max(1, -(-sum(widths) // _MOST_BARS))
        parts = [bars_of(layer, at, stride) for layer, at in zip(shown, starts, strict=True)]
        x, sigma, index, nonzero = (np.concatenate(column) for column in zip(*parts, strict=True))
        low, high = self._fit(sigma[nonzero], true, float(starts[-1] + widths[-1]))
        top = self._scaled(sigma)
        wide = 0.74 * stride
        thin = wide * self._plot.columns() < 2 * (starts[-1] + widths[-1])
        kept = [cut or math.inf for cut in cuts]
        beyond = index > np.repeat(kept, [len(part[0]) for part in parts])
        for item, chosen in ((self._bars, nonzero & ~beyond), (self._cut_bars, nonzero & beyond)):
            height = np.maximum(top[chosen] - low, 0)
            item.setOpts(x=x[chosen], y0=np.full(len(height), low), height=height, width=wide)
            # Without antialiasing a bar thinner than a pixel may vanish; an outline keeps it.
            item.setOpts(pen=pen(item.opts["brush"]) if thin else pg.mkPen(None))
        stub = np.full(int((~nonzero).sum()), 0.012 * (high - low))
        self._zeros.setOpts(x=x[~nonzero], y0=np.full(len(stub), low), height=stub, width=wide)
        self._draw_true(true, starts)
        self._draw_others(shown, starts)
        self._draw_cuts(cuts, starts, low, high)
        column = self._plot.columns() / (starts[-1] + widths[-1])
        self._name_zeros(shown, starts, low + 0.015 * (high - low), column)
        self._name_blocks(shown, starts, widths)
        self._tell(shown, bool(len(true)))

    def _shown(self) -> tuple[LayerSpectrum, ...]:
        if self._last is None:
            return ()
        name = self._chooser.currentText()
        layers = tuple(layer for layer in self._last.layers if layer.name == name)
        return layers or self._last.layers

    def _cut(self, layer: LayerSpectrum) -> int:
        """Where a smaller rank that is wished would cut that layer; 0 for nowhere."""
        return self._ranks.cut(layer, self._wished) if self._ranks is not None else 0

    def _true_sigma(self, shown: Sequence[LayerSpectrum]) -> np.ndarray:
        true = None if self._loaded is None else self._loaded.true_sigma
        if true is None or not len(true):
            return np.empty(0)
        return true[true > 1e-9 * true[0]]

    def _scaled(self, sigma: np.ndarray) -> np.ndarray:
        return np.log10(np.maximum(sigma, 1e-30)) if self._log.isChecked() else sigma

    def _fit(self, sigma: np.ndarray, true: np.ndarray, right: float) -> tuple[float, float]:
        """The y range: in wide steps, at most twice a second; bars move and the axis stands."""
        values = np.concatenate([sigma, true])
        high = float(values.max())
        if self._log.isChecked():
            high = math.log10(high)
            low = max(math.log10(float(values.min())), high - _DECADES)
            wanted = (math.floor(2 * low - 0.4) / 2, math.ceil(2 * high + 0.2) / 2)
        else:
            unit = 10 ** math.floor(math.log10(high)) / 2
            wanted = (0.0, math.ceil(1.05 * high / unit) * unit)
        clock = time.monotonic()
        if self._range is None or clock - self._ranged_at > 0.5:
            self._range, self._ranged_at = wanted, clock
        self.dirty = wanted != self._range  # withheld: drawn again in a while, if no step comes
        if self._plot.following:
            self._plot.show_range((0.3, right + 0.7), self._range)
        return self._range

    def _draw_true(self, true: np.ndarray, starts: np.ndarray) -> None:
        at = (starts[:, None] + np.arange(1, len(true) + 1)).ravel()
        ends = np.column_stack([at - 0.46, at + 0.46]).ravel()
        levels = np.repeat(np.tile(self._scaled(true), len(starts)), 2)
        self._true.setData(ends, levels, connect="pairs")

    def _draw_others(self, shown: Sequence[LayerSpectrum], starts: np.ndarray) -> None:
        """σ of the same layers in other runs, as a level across each bar."""
        for overlay, item in zip(self._overlays, self._others, strict=True):
            theirs = {layer.name: layer.sigma for layer in overlay.spectrum.layers}
            x, y = [], []
            for layer, start in zip(shown, starts, strict=True):
                sigma = theirs.get(layer.name, np.empty(0))[: max(len(layer.sigma), 64)]
                sigma = sigma[sigma > 1e-9 * sigma[0]] if len(sigma) and sigma[0] > 0 else sigma[:0]
                at = start + np.arange(1, len(sigma) + 1)
                x.append(np.column_stack([at - 0.46, at + 0.46]).ravel())
                y.append(np.repeat(self._scaled(sigma), 2))
            item.setData(np.concatenate(x), np.concatenate(y), connect="pairs")

    def _draw_cuts(self, cuts: Sequence[int], starts: np.ndarray, low: float, high: float) -> None:
        at = [start + cut + 0.5 for cut, start in zip(cuts, starts, strict=True) if cut]
        self._cut_lines.setData(np.repeat(at, 2), np.tile([low, high], len(at)), connect="pairs")

    def _name_zeros(
        self, shown: Sequence[LayerSpectrum], starts: np.ndarray, height: float, column: float
    ) -> None:
        texts = iter(self._zero_texts)
        for layer, at in zip(shown, starts, strict=True):
            zeros = len(layer.sigma) - layer.numerical_rank
            if zeros <= 0 or len(shown) > _ZERO_TEXTS or zeros * column < _ZERO_ROOM:
                continue
            item = next(texts)
            item.setText("zero" if is_finite(layer) else "not finite")
            item.setPos(at + (layer.numerical_rank + 1 + len(layer.sigma)) / 2, height)
            item.show()
        for item in texts:
            item.hide()

    def _name_blocks(
        self, shown: Sequence[LayerSpectrum], starts: np.ndarray, widths: Sequence[int]
    ) -> None:
        if len(shown) == 1:
            every = max(1, math.ceil(widths[0] * 24 / self._plot.columns()))
            every = next((n for n in (1, 2, 5, 10, 20, 50, 100) if n >= every), every)
            ticks = range(every, widths[0] + 1, every) if every > 1 else range(1, widths[0] + 1)
            self._plot.bottom.setTicks([[(i, str(i)) for i in ticks]])
            self._plot.name_bottom("index i")
            return
        names = [layer.name for layer in shown]
        room = self._plot.columns() / (starts[-1] + widths[-1]) / 6.5  # letters per unit
        if any(len(name) > (width + 1) * room for name, width in zip(names, widths, strict=True)):
            names = shortened(names)
        ticks = []
        for name, at, width in zip(names, starts, widths, strict=True):
            letters = max(1, int((width + 1) * room))
            text = name if len(name) <= letters else f"…{name[-max(1, letters - 1) :]}"
            ticks.append((at + (width + 1) / 2, text if letters > 1 else ""))
        self._plot.bottom.setTicks([ticks])
        self._plot.name_bottom("layers, σ₁ ≥ σ₂ ≥ … in each")

    def _tell(self, shown: Sequence[LayerSpectrum], true: bool) -> None:
        c = theme.current()
        norms = {layer.name: layer.weight_norm for layer in self._loaded.layers}
        ranks = [layer.numerical_rank for layer in shown]
        of = f" of {max(len(layer.sigma) for layer in shown)}"
        share = [layer.delta_norm / (norms.get(layer.name) or math.nan) for layer in shown]
        whole = self._loaded.variant == "full"  # which has no factors to scale
        scalings = [math.nan if whole else layer.scaling for layer in shown]
        told = {
            "Numerical rank": span(ranks, str) + of,
            "Stable rank": span([layer.stable_rank for layer in shown], tenth),
            "Effective rank": span([layer.effective_rank for layer in shown], tenth),
            "‖ΔW‖": span([layer.delta_norm for layer in shown], two),
            "‖ΔW‖ / ‖W‖": span(share, percent),
            "s": span(scalings, "{:.4g}".format),
        }
        for name, text in told.items():
            show(self._figures[name], text)
        entries = [f'<span style="color:{c.adapter}">■</span>&nbsp;σ(ΔW)']
        if true:
            entries.append(f'<span style="color:{c.validation}">━</span>&nbsp;true σ(D)')
        for o in self._overlays:
            entries.append(f'<span style="color:{o.color}">{o.sample}</span>&nbsp;{escape(o.name)}')
        show(self._legend, "&nbsp;&nbsp;&nbsp;".join(entries))
        told, error = self._cut_text(shown), max(layer.error for layer in shown)
        within = f", σ to within {number(error, 1)}" if error > 0 else ""
        show(self._foot, told or f"step {self._last.step:,}{within}")
        theme.set_role(self._foot, "warn" if told else "small")
        describe(self._plot, self.summary())

    def _cut_text(self, shown: Sequence[LayerSpectrum]) -> str:
        cuts = sorted({cut for layer in shown if (cut := self._cut(layer))})
        if not cuts:
            return ""
        share, worst = energy_lost(SpectrumRecord(0, tuple(filter(is_finite, shown))), self._cut)
        rank = f"rank {cuts[0]}" if len(cuts) == 1 else f"ranks {cuts[0]} – {cuts[-1]}"
        if share < 1e-12:
            return f"{rank} would discard nothing of ΔW"
        where = f", most in {worst}" if len(shown) > 1 else ""
        return f"{rank} would discard {percent(share)} of ΔW’s energy{where}"

    def _choose(self, _index: int) -> None:
        self._range = None
        self._plot.follow()

    def _scale_changed(self, log: bool) -> None:
        self._plot.left.log = log
        self._plot.left.picture = None
        self._choose(0)

    def _follow(self) -> None:
        self._range = None
        self.redraw()

    def restyle(self, colors: Colors) -> None:
        self._plot.restyle(colors)
        nothing = pg.mkPen(None)
        self._bars.setOpts(brush=colors.adapter, pen=nothing)
        self._cut_bars.setOpts(brush=colors.raw, pen=nothing)
        self._zeros.setOpts(brush=colors.frozen, pen=nothing)
        self._true.setPen(pen(colors.validation, 2))
        self._cut_lines.setPen(pen(colors.warn, 1, Qt.PenStyle.DashLine))
        for overlay, item in zip(self._overlays, self._others, strict=True):
            item.setPen(overlay.pen(2))
        for text in self._zero_texts:
            text.setColor(colors.muted)
            text.setFont(theme.font(0.92))
        self.dirty = True

    def summary(self) -> str:
        shown = self._shown()
        if not shown:
            return "No spectrum yet."
        if all(layer.numerical_rank == 0 for layer in shown):
            return "ΔW is zero." if all(map(is_finite, shown)) else "ΔW is not finite."
        ranks = span([layer.numerical_rank for layer in shown], str)
        where = shown[0].name if len(shown) == 1 else f"{len(shown)} layers"
        text = f"ΔW of {where} has numerical rank {ranks} at step {self._last.step:,}"
        first = max(float(layer.sigma[0]) for layer in shown if is_finite(layer))
        text += f", largest singular value {number(first)}"
        cut = self._cut_text(shown)
        return f"{text}; {cut}." if cut else f"{text}."
