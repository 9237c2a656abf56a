"""How much of ΔW's energy Σσ² the first singular values hold, and a cut to be dragged over it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from lora_lab.rules import discarded, energy_tails
from lora_lab.ui.panels.spectrum.figures import is_finite
from lora_lab.ui.panels.spectrum.scene import Other, Range, Scene
from lora_lab.ui.style import theme
from lora_lab.ui.style.theme import Colors
from lora_lab.ui.widgets.controls import Whole
from lora_lab.ui.widgets.labels import label, show
from lora_lab.ui.widgets.plot import Plot, pen

_LEAST = 1e-12  # a share below it is the rounding of float32 squares
_LONGEST = (
    "r 16 → 12 keeps 99.9999 % of ΔW’s energy, worst layer 99.9999 %; 95 % needs r 12"
    " – a hint: energy"
)
_BESIDE = 3
_NAMED_SHARE = 0.95  # the rank that holds so much is told


class SpectrumEnergy(QWidget):
    """The energy kept at every rank, or what is discarded where the axis is logarithmic."""

    rank_requested = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.widget = self
        self.picture = self.plot = plot = Plot(
            self.tr("Energy (Σσ²) of ΔW by the rank kept"), self.tr("rank kept")
        )
        self.plots = (plot,)
        self._lines = {name: pg.PlotCurveItem(name=name) for name in ("least", "all", "true")}
        self._dots = pg.ScatterPlotItem(size=5, pxMode=True)
        self._others: Sequence[Other] = ()
        self._other_lines: list[pg.PlotCurveItem] = []
        self.line = pg.InfiniteLine(movable=True, angle=90)
        self._line_text = pg.InfLineLabel(self.line, "", position=0.06, anchors=[(0, 1), (1, 1)])
        for z, item in enumerate((*self._lines.values(), self._dots, self.line), start=10):
            item.setZValue(z)
            plot.addItem(item, ignoreBounds=True)
        self.line.sigDragged.connect(self._drag)
        self.rank = Whole(1, 1)
        self.rank.setAccessibleName(self.tr("Rank at the cut"))
        self.rank.setPrefix("r ")
        self.rank.valueChanged.connect(self._type)
        self.button = QPushButton(self.tr("Set rank"))
        self.button.clicked.connect(lambda: self.rank_requested.emit(self.rank.value()))
        self.message = label("", "small")
        self.message.setWordWrap(True)
        below = QHBoxLayout()
        below.setContentsMargins(0, 0, 0, 0)
        below.setSpacing(8)
        below.addWidget(self.message, 1)
        below.addWidget(self.rank)
        below.addWidget(self.button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(plot, 1)
        column.addLayout(below)
        self.range = Range()
        self._scene: Scene | None = None
        self._lost = self._least = np.ones(1)
        self._placed = False  # by a person; until then the cut stands where the rank is requested
        self.restyle(theme.current())

    def clear(self) -> None:
        """Another model, or another layer: the cut stands at its rank."""
        self._placed = False

    def draw(self, scene: Scene) -> None:
        """Show the chosen layer, or all together with the one that keeps least."""
        self._scene = scene
        rows = [la.sigma for la in scene.shown if is_finite(la) and la.sigma.any()]
        tails = energy_tails(rows)
        self._lost = lost = discarded(tails.sum(axis=0))
        self._least = discarded(tails).max(axis=0)  # where least is kept
        self._take_others(scene.others)
        names = [layer.name for layer in scene.shown]
        others = [together([other.of(name) for name in names]) for other in scene.others]
        # A full fine-tuning beside a small rank is seen up to a few times that rank.
        most = max(len(lost), min(max(map(len, others), default=0), _BESIDE * len(lost)))
        plot = self.plot
        plot.set_log(scene.log)
        if plot.following:
            low = max(_LEAST, min(float(lost[lost > 0].min(initial=1.0)), 0.01))
            ends = (math.floor(math.log10(low)), 0.3) if scene.log else (0.0, 104.0)
            plot.show_range((0, most - 1 + 0.04 * most), ends)
        truth = together([scene.true]) if len(scene.true) else np.empty(0)
        several = len(rows) > 1
        for name, line in (("all", lost), ("least", self._least if several else truth[:0])):
            self._lines[name].setData(np.arange(len(line)), self._heights(line))
        self._lines["true"].setData(np.arange(len(truth)), self._heights(truth))
        for item, line in zip(self._other_lines, others, strict=True):
            item.setData(np.arange(len(line)), self._heights(line))
        few = most * 9 < plot.columns()
        self._dots.setData(np.arange(len(lost)) if few else [], self._heights(lost[: few * most]))
        self._place_cut(len(lost) - 1)
        self._show_words()

    def _heights(self, lost: np.ndarray) -> np.ndarray:
        if self._scene.log:
            return np.log10(np.maximum(lost, _LEAST))
        return 100 * (1 - lost)

    def _place_cut(self, most: int) -> None:
        shown = self._scene.shown
        blocked = QSignalBlocker(self.rank)
        self.rank.setMaximum(max(1, most))
        if not self._placed:
            cuts = [self._scene.cuts.get(layer.name) or layer.rank for layer in shown]
            self.rank.setValue(max(cuts))
        del blocked
        self.line.setBounds((1, max(1, most)))
        if not self.line.moving:
            self.line.setValue(self.rank.value())

    def _drag(self) -> None:
        self.rank.setValue(round(self.line.value()))
        self.line.setValue(self.rank.value())  # from rank to rank, nothing between

    def _type(self, rank: int) -> None:
        self._placed = True
        if not self.line.moving:
            self.line.setValue(rank)
        if self._scene is not None:
            self._show_words()

    def kept(self, rank: int) -> tuple[float, float]:
        """The share kept at `rank`: of all shown together, and of the worst layer."""
        at = min(rank, len(self._lost) - 1)
        return 1 - float(self._lost[at]), 1 - float(self._least[at])

    def words(self) -> str:
        """What the cut would keep, and what that is worth."""
        scene, rank = self._scene, self.rank.value()
        present = sorted({layer.rank for layer in scene.shown})
        now = str(present[0]) if len(present) == 1 else f"{present[0]} – {present[-1]}"
        change = f"r {now}" if present[-1] == rank else f"r {now} → {rank}"  # the same: no cut
        all_kept, least_kept = self.kept(rank)
        message = self.tr("{} keeps {} of ΔW’s energy").format(change, share(all_kept))
        if len(scene.shown) > 1:
            message += self.tr(", worst layer {}").format(share(least_kept))
        needed = int(np.argmax(1 - self._lost >= _NAMED_SHARE))
        message += self.tr("; {:.0f} % needs r {}").format(100 * _NAMED_SHARE, max(1, needed))
        if not scene.energy_known:
            return message + self.tr(" – a hint: σ(ΔW) is not what truncating the factors removes")
        return message + self.tr(" – a hint: energy is not loss")

    def _show_words(self) -> None:
        # A number stays beside its unit where the line breaks.
        show(self.message, re.sub(r" (?=%)|(?<=\br) (?=\d)", "\u00a0", self.words()))
        rank, locked = self.rank.value(), self._scene.rank_locked
        self._line_text.setText(f" r = {rank} ")
        one = len(self._scene.layers) > 1 and len(self._scene.shown) == 1
        where = self.tr("this layer") if one else self.tr("all layers")
        tip = self.tr("Request rank {} for {}, like the slider").format(rank, where)
        self.button.setToolTip(locked or tip)
        self.button.setEnabled(not locked)

    def _take_others(self, others: Sequence[Other]) -> None:
        if others is self._others:
            return
        for item in self._other_lines:
            self.plot.removeItem(item)
        self._others = others
        self._other_lines = [pg.PlotCurveItem(name=other.run.name) for other in others]
        for item, other in zip(self._other_lines, others, strict=True):
            item.setZValue(9)
            item.setPen(other.run.pen())
            self.plot.addItem(item, ignoreBounds=True)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        # Lines for the longest words that can come: the plot must not jump while the cut moves.
        room = max(1, self.width() - self.rank.sizeHint().width() - self.button.sizeHint().width())
        metrics = self.message.fontMetrics()
        lines = 1 + int(1.25 * metrics.horizontalAdvance(_LONGEST) / room)
        self.message.setFixedHeight(lines * metrics.lineSpacing())

    def restyle(self, colors: Colors) -> None:
        """Take up the colours in force."""
        self.plot.restyle(colors)
        self._lines["all"].setPen(pen(colors.adapter, 2))
        self._lines["least"].setPen(pen(colors.muted, 1.4, Qt.PenStyle.DotLine))
        self._lines["true"].setPen(pen(colors.validation, 1.6, Qt.PenStyle.DashLine))
        self._dots.setBrush(colors.adapter)
        self._dots.setPen(pen(colors.panel))
        self.line.setPen(pen(colors.warn, 1.4))
        self.line.setHoverPen(pen(colors.warn, 3))
        self._line_text.setColor(colors.warn)
        self._line_text.setFont(theme.font(0.92))
        for other, item in zip(self._others, self._other_lines, strict=True):
            item.setPen(other.run.pen())


def together(rows: Sequence[np.ndarray]) -> np.ndarray:
    """The share of Σσ² of all rows that a cut of each after its first k values discards."""
    return discarded(energy_tails(rows).sum(axis=0))


def share(kept: float) -> str:
    """A share as per cent; never 100 % where something is lost."""
    lost = 1 - kept
    if kept != kept:
        return "—"
    if lost < 1e-9:
        return "100 %"
    digits = 1 if lost > 0.002 else min(6, math.ceil(-math.log10(100 * lost) - 1e-6) + 1)
    return f"{100 * kept:.{digits}f} %"
