"""The singular values of ΔW, in the view that is chosen, with rank measures and foresight."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QT_TRANSLATE_NOOP, QSignalBlocker, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QStackedWidget, QToolButton, QWidget

from lora_lab.analysis.health import layer_edge
from lora_lab.measured import ClippedRecord
from lora_lab.opening_records import LoadedRecord
from lora_lab.records import (
    AppliedRecord,
    LayerSpectrum,
    PastEditRecord,
    Record,
    ResumedRecord,
    SpectrumRecord,
)
from lora_lab.rules import energy_lost
from lora_lab.ui.panels.overlays import Overlay
from lora_lab.ui.panels.panel import Columns, Panel
from lora_lab.ui.panels.spectrum.figures import is_finite, span
from lora_lab.ui.panels.spectrum.history import MOST_VALUES, SpectrumHistory
from lora_lab.ui.panels.spectrum.measures import Measures
from lora_lab.ui.panels.spectrum.scene import Other, Scene, View
from lora_lab.ui.panels.spectrum.views import VIEWS, legend_of
from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import in_words, row_names, share_or_dash
from lora_lab.ui.style.theme import Colors
from lora_lab.ui.widgets.controls import Combo
from lora_lab.ui.widgets.labels import describe, label, show
from lora_lab.ui.widgets.legend import Legend
from lora_lab.ui.widgets.plot import number
from lora_lab.variants import VARIANTS

AUTO = "auto"
MANY = 12  # layers beyond which bars side by side are a comb that nobody can read
_LEAST_COMBO = 64
_SIDE_FROM = 36  # widths of the letter m from which the measures stand beside the picture


class SpectrumPanel(Panel):
    """Holds the newest spectrum and those before it; the view that is chosen draws them."""

    hints_requested = Signal()

    key = "spectrum"
    name = QT_TRANSLATE_NOOP("Panel", "Spectrum")

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._history = SpectrumHistory()
        self.views: dict[str, View] = {}  # made when they are shown first
        self._edits: list[AppliedRecord | PastEditRecord | ClippedRecord | ResumedRecord] = []
        self._pages = QStackedWidget()
        self._linear = {key for key, kind in VIEWS.items() if not kind.log}
        self._make_head()
        self._measures = Measures()
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(self._pages, 1)
        row.addWidget(self._measures)
        self._legend = Legend()
        self._foot = label("", "small")
        self._hints = QToolButton()
        self._hints.setProperty("role", "quiet")
        self._hints.setToolTip(
            self.tr("What the singular values of a layer hint at, and the loss at a clip")
        )
        self._hints.setAccessibleName(self.tr("Hints on the health of the spectra"))
        self._hints.clicked.connect(self.hints_requested)
        self._hints.hide()
        self.body.addWidget(self._legend)
        self.body.addLayout(row, 1)
        foot = QHBoxLayout()
        foot.addWidget(self._foot, 1)
        foot.addWidget(self._hints)
        self.body.addLayout(foot)

        self._overlays: tuple[Overlay, ...] = ()
        self._others: tuple[Other, ...] = ()
        self._last: SpectrumRecord | None = None
        self.restyle(theme.current())

    def _view(self, key: str) -> View:
        if key in self.views:
            return self.views[key]
        self.views[key] = view = VIEWS[key].make()
        self._pages.addWidget(view.widget)
        for plot in view.plots:
            plot.follow_requested.connect(self._fit_now)
        if VIEWS[key].has_rows:
            view.row_chosen.connect(self._choose_row)
        if key == "energy":
            view.rank_requested.connect(self._request_rank)
        if key == "time":
            for record in self._edits:
                view.note(record)
        return view

    def _make_head(self) -> None:
        self.view_combo = Combo()
        self.view_combo.setAccessibleName(self.tr("How the singular values are shown"))
        self.view_combo.addItem(self.tr("Auto"), AUTO)
        for key, kind in VIEWS.items():
            self.view_combo.addItem(kind.name, key)
        self.view_combo.setToolTip(self.tr("Auto: bars, or a heat map of many layers"))
        self.view_combo.currentIndexChanged.connect(self._refit)
        self._chooser = Combo()
        self._chooser.setAccessibleName(self.tr("Layer whose singular values are shown"))
        self._chooser.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self._chooser.setMaximumWidth(200)
        self._chooser.currentIndexChanged.connect(self._choose)
        for combo in (self.view_combo, self._chooser):
            combo.setMinimumWidth(_LEAST_COMBO)  # narrower than their words, in a small panel
        self._log = QToolButton()
        self._log.setText(self.tr("log"))
        self._log.setCheckable(True)
        self._log.setChecked(True)
        self._log.setProperty("role", "quiet")
        self._log.setToolTip(self.tr("Logarithmic axis"))
        self._log.setAccessibleName(self.tr("Logarithmic axis"))
        self._log.toggled.connect(self._scale_changed)
        self.head.addWidget(self.view_combo)
        self.head.addWidget(self._chooser)
        self.head.addStretch(1)
        self.head.addWidget(self._log)

    # -- collecting ------------------------------------------------------------------------------

    def reset(self, loaded: LoadedRecord) -> None:
        self._last = None
        names = [layer.name for layer in loaded.layers]
        self._history.clear(names)
        self._edits.clear()
        if time := self.views.get("time"):
            time.clear()
        self._measures.reset(loaded.variant)
        with QSignalBlocker(self._chooser):
            self._chooser.clear()
            if len(names) != 1:
                self._chooser.addItem(self.tr("All layers"), "")
            for text, name in zip(row_names(names), names, strict=True):
                self._chooser.addItem(text, name)
        self._choose()

    def receive(self, records: Sequence[Record]) -> None:
        for record in records:
            if isinstance(record, SpectrumRecord):
                self._last = record
                self._history.add(record)
            elif isinstance(record, ResumedRecord):
                self._history.cut(record.step)
            elif not isinstance(record, AppliedRecord | PastEditRecord | ClippedRecord):
                continue
            self.dirty = True
            if not isinstance(record, SpectrumRecord):
                self._edits.append(record)
                if time := self.views.get("time"):
                    time.note(record)

    def standing_changed(self) -> None:
        self.dirty = True

    def choose_layer(self, name: str) -> None:
        self._chooser.setCurrentIndex(max(0, self._chooser.findData(name)))

    def choose_view(self, key: str) -> None:
        """Show it so from now on; what is not known leaves it as it is."""
        if (place := self.view_combo.findData(key)) >= 0:
            self.view_combo.setCurrentIndex(place)

    def set_overlays(self, overlays: Sequence[Overlay]) -> None:
        self._overlays = tuple(o for o in overlays if o.spectrum is not None)
        self._others = tuple(map(Other, self._overlays))
        self._refit()

    # -- drawing ---------------------------------------------------------------------------------

    @property
    def chosen_view(self) -> str:
        """A key of VIEWS, or AUTO."""
        return self.view_combo.currentData()

    @property
    def view(self) -> str:
        """The view that is shown; AUTO has chosen one by the number of layers."""
        if self.chosen_view != AUTO:
            return self.chosen_view
        return "heat" if len(self._shown()) > MANY else "bars"

    def redraw(self) -> None:
        self.dirty = False
        shown = self._shown()
        if not shown:
            self.say(self.tr("No spectrum yet."))
            return
        if all(layer.numerical_rank == 0 for layer in shown):
            broken = not all(is_finite(layer) for layer in shown)
            zero = self.tr("ΔW is zero until the first step.")
            self.say(self.tr("ΔW is not finite.") if broken else zero)
            return
        self.say("")
        view = self._view(self.view)
        self._pages.setCurrentWidget(view.widget)
        with QSignalBlocker(self._log):
            self._log.setChecked(self.view not in self._linear)
        scene = self._scene()
        view.draw(scene)
        self.dirty = view.range.withheld  # drawn again in a while, if no step comes
        norms = {layer.name: layer.weight_norm for layer in self.standing.loaded.layers}
        self._measures.show_measures(shown, norms, VARIANTS[self.standing.variant].factored)
        self._show_words(shown, scene)

    def _scene(self) -> Scene:
        loaded = self.standing.loaded
        true = loaded.true_sigma if loaded.true_sigma is not None else np.empty(0)
        return Scene(
            step=self._last.step,
            layers=self._last.layers,
            chosen=self._chooser.currentData() or "",
            true=true[true > 1e-9 * true[0]] if len(true) else true,
            others=self._others,
            cuts=self._cuts(self._last.layers),
            log=self.view not in self._linear,
            history=self._history,
            energy_known=VARIANTS[loaded.variant].exact_sigma,
            rank_locked=in_words(dict(loaded.locked).get("rank")),
            edges=self._edges() if self.view == "bars" else {},
        )

    def _edges(self) -> dict[str, float]:
        """How high σ₁ of noise as large as each shown layer's ΔW would stand."""
        loaded = self.standing.loaded
        exact = VARIANTS[loaded.variant].exact_sigma
        shapes = {layer.name: layer.shape for layer in loaded.layers}
        shown = [layer for layer in self._shown() if len(layer.sigma) > 1 and is_finite(layer)]
        return {x.name: layer_edge(x, shapes[x.name], exact)[0] for x in shown}

    def show_hints(self, count: int) -> None:
        """Offer the hints on the health of the spectra, where there are any."""
        self._hints.setText(self.tr("{} hints…").format(count) if count > 1 else self.tr("1 hint…"))
        self._hints.setVisible(count > 0)

    def _shown(self) -> tuple[LayerSpectrum, ...]:
        if self._last is None:
            return ()
        name = self._chooser.currentData()
        layers = tuple(layer for layer in self._last.layers if layer.name == name)
        return layers or self._last.layers

    def _cuts(self, layers: Sequence[LayerSpectrum]) -> dict[str, int]:
        """Where a smaller rank that is requested would cut each layer; 0 for nowhere."""
        standing = self.standing
        hyper, ranks = standing.foreseen, standing.ranks
        if ranks is None or hyper == standing.applied:
            return {}
        return {layer.name: ranks.cut(layer, hyper) for layer in layers}

    def _show_words(self, shown: Sequence[LayerSpectrum], scene: Scene) -> None:
        self._legend.show_rows(legend_of(VIEWS[self.view], scene))
        cut, error = self._cut_text(shown), max(layer.error for layer in shown)
        more = self.tr(", σ ± {}").format(number(error, 1)) if error > 0 else ""
        if self.view == "time":
            more += self.tr(", {} snapshots kept").format(len(self._history))
            if max(len(layer.sigma) for layer in shown) > MOST_VALUES:
                more += self.tr(", the first {} σ of each").format(MOST_VALUES)
        show(self._foot, cut or self.tr("step {:,}").format(self._last.step) + more)
        theme.set_role(self._foot, "warn" if cut else "small")
        describe(self.views[self.view].picture, self.summary())

    def _cut_text(self, shown: Sequence[LayerSpectrum]) -> str:
        at = self._cuts(shown)
        cuts = sorted(set(at.values()) - {0})
        if not cuts:
            return ""
        finite = SpectrumRecord(0, tuple(filter(is_finite, shown)))
        share, worst = energy_lost(finite, lambda layer: at[layer.name])
        if len(cuts) == 1:
            rank = self.tr("rank {}").format(cuts[0])
        else:
            rank = self.tr("ranks {} – {}").format(cuts[0], cuts[-1])
        if share < 1e-12:
            return self.tr("{} would discard nothing of ΔW").format(rank)
        where = self.tr(", most in {}").format(worst) if len(shown) > 1 else ""
        lost = share_or_dash(share)
        return self.tr("{} would discard {} of ΔW’s energy{}").format(rank, lost, where)

    # -- what the person does --------------------------------------------------------------------

    def _choose(self, _index: int = 0) -> None:
        if energy := self.views.get("energy"):
            energy.clear()
        self._refit()

    def _choose_row(self, row: int) -> None:
        self.choose_layer(self._last.layers[row].name)

    def _request_rank(self, rank: int) -> None:
        """The cut of all layers is the default rank; that of one among several is its own."""
        shown = self._shown()
        if len(shown) == 1 and len(self._last.layers) > 1:
            own = {**dict(self.standing.foreseen.layer_ranks), shown[0].name: rank}
            self.requested.emit({"layer_ranks": tuple(sorted(own.items()))})
        else:
            self.requested.emit({"rank": rank})

    def _scale_changed(self, log: bool) -> None:
        (self._linear.discard if log else self._linear.add)(self.view)
        self._refit()

    def _refit(self, _index: int = 0) -> None:
        """Another picture: its axes fit at once."""
        for view in self.views.values():
            view.range.forget()
            for plot in view.plots:
                plot.following = True
                plot.follow_button.hide()
        self.dirty = True
        if self.isVisible():
            self.redraw()

    def _fit_now(self) -> None:
        self.views[self.view].range.forget()
        self.redraw()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        em = self.fontMetrics().horizontalAdvance("m")
        self._measures.setVisible(self.width() >= _SIDE_FROM * em)

    def restyle(self, colors: Colors) -> None:
        for view in self.views.values():
            view.restyle(colors)
        self.dirty = True

    def figure_data(self) -> Columns:
        if not self._shown():
            return {}
        return VIEWS[self.view].columns(self._scene())

    def summary(self) -> str:
        shown = self._shown()
        if not shown:
            return self.tr("No spectrum yet.")
        if all(layer.numerical_rank == 0 for layer in shown):
            finite = all(map(is_finite, shown))
            return self.tr("ΔW is zero.") if finite else self.tr("ΔW is not finite.")
        ranks = span([layer.numerical_rank for layer in shown], str)
        many = len(shown)
        where = shown[0].name if many == 1 else self.tr("{} layers").format(many)
        text = self.tr("ΔW of {} has numerical rank {} at step {:,}")
        text = text.format(where, ranks, self._last.step)
        first = max(float(layer.sigma[0]) for layer in shown if is_finite(layer))
        text += self.tr(", largest singular value {}").format(number(first))
        if self.view == "energy" and self._pages.currentWidget() is self._view("energy").widget:
            text += f"; {self._view('energy').words()}"
        elif self.view == "time":
            held = self._history.steps
            text += self.tr("; {} snapshots from step {:,} on").format(len(held), held[0])
        cut = self._cut_text(shown)
        return f"{text}; {cut}." if cut else f"{text}."
