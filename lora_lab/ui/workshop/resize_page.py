"""Inspect an adapter, cut it where the curve says, and write it in any format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QPushButton, QVBoxLayout

from lora_lab import paths
from lora_lab.measured import CutRecord
from lora_lab.names import brief
from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import layer_words, rounded_percent, shape_words, size_words
from lora_lab.ui.style.theme import Colors
from lora_lab.ui.widgets.busy import Busy
from lora_lab.ui.widgets.controls import Whole
from lora_lab.ui.widgets.figure_table import LayerTable
from lora_lab.ui.widgets.plot import Plot, number, pen
from lora_lab.ui.workshop.fields import DeliveryField, SourceField
from lora_lab.ui.workshop.page import Page
from lora_lab.workshop.requests import Delivery, Source

if TYPE_CHECKING:
    from lora_lab.workshop.files import AdapterCard

LONGEST_PATH = 4096  # letters: no system has longer ones, and a field lays out all that it holds


class ResizePage(Page):
    """`cut_requested` asks for the validation loss at the cut, where a model and data are open."""

    cut_requested = Signal(str, object, object)  # path, ranks, α or None

    def __init__(self, formats: list[tuple[str, str, bool, str]]) -> None:
        super().__init__()
        tr = self.tr
        self.card: AdapterCard | None = None
        self.ranks: tuple[int, ...] = ()
        self.source = SourceField(tr("Adapter"))
        self.source.requested.connect(self.look_at)
        self.title = self.label("")
        self.title.setText(tr("Choose an adapter: all common formats are read."))
        self._notes = self.label()
        self.busy = Busy(tr("Progress of opening the adapter"))
        self.busy.cancelled.connect(self._on_opening_cancelled)
        self.table = LayerTable(
            tr("Layers of the adapter"),
            (tr("Layer"), tr("out × in"), "r", "s", "‖ΔW‖", tr("Stable")),
            ("0,000 × 0,000", "000", "0.00", "0.00000", "00.00"),
        )
        self.table.chosen.connect(lambda _: self._draw())
        self.plot = Plot(tr("Energy kept against rank"), tr("rank"))
        self._curve = pg.PlotCurveItem()
        self._one = pg.PlotCurveItem()
        self.cut_line = pg.InfiniteLine(angle=90, movable=True)
        self.cut_line.setCursor(Qt.CursorShape.SizeHorCursor)
        self.cut_line.sigPositionChanged.connect(self._on_dragged)
        for item in (self._curve, self._one, self.cut_line):
            self.plot.addItem(item)
        self.rank_box = Whole(0, 99)
        self.rank_box.setPrefix(tr("rank "))
        self.rank_box.setAccessibleName(tr("Target rank"))
        self.rank_box.setToolTip(tr("The line in the plot, by key"))
        self.rank_box.valueChanged.connect(lambda rank: self.cut_line.setValue(rank))
        self.per_layer = QCheckBox(tr("Allocate rank per layer by energy"))
        self.per_layer.setToolTip(tr("Same number of parameters as this rank in every layer"))
        self.per_layer.toggled.connect(self._update)
        self.kept = self.label("")
        self._legend = self.label()
        self._legend.setText(
            tr("Energy (Σσ²) kept in %, all layers; dashed: the selected one. Drag the line.")
        )
        self.loss_button = QPushButton(tr("Validation &loss here"))
        self.loss_button.setToolTip(tr("Measured in the model and data that are open"))
        self.loss_button.clicked.connect(self._ask_loss)
        self.loss = self.label()
        self.delivery = DeliveryField(formats, tr("&Save"), base=True)
        self.delivery.requested.connect(self._save)
        self.delivery.cancelled.connect(self._on_cancelled)

        below = QHBoxLayout()
        below.addWidget(self.rank_box)
        below.addWidget(self.per_layer)
        below.addStretch(1)
        asked = QHBoxLayout()  # of its own: beside the rest it would take the room of the names
        asked.addWidget(self.loss_button)
        asked.addWidget(self.loss, 1)
        right = QVBoxLayout()
        right.addWidget(self.plot, 1)
        right.addWidget(self._legend)
        right.addWidget(self.kept)
        right.addLayout(below)
        right.addLayout(asked)
        middle = QHBoxLayout()
        middle.addWidget(self.table, 8)
        middle.addLayout(right, 5)
        column = QVBoxLayout(self)
        column.addWidget(self.source)
        column.addWidget(self.title)
        column.addWidget(self.busy)
        column.addWidget(self._notes)
        column.addLayout(middle, 1)
        column.addWidget(self.delivery)
        self._shown(False)

    def look_at(self, source: Source) -> None:
        """Open and measure an adapter; what was shown stays until it is whole."""

        def work(report):
            from lora_lab.workshop.files import card_of

            card = card_of(source, report)
            _ = card.spectra.curve  # in this thread: it goes over every layer
            return card

        self.title.setText(self.tr("Opening {}…").format(source.path))
        theme.set_role(self.title, "muted")
        self.delivery.set_busy(False)  # what was being written is cancelled
        self.delivery.set_ready(False)
        self.busy.begin(self.tr("Opening"))
        self.run(work, self._show_card, self._refuse, self.busy.show_progress)

    def show_cut(self, record: CutRecord) -> None:
        """The validation loss that was asked for."""
        if self.card is None or record.path != self.card.source.path:
            return
        shown = self.tr("validation loss with these ranks: {}").format(number(record.loss, 4))
        if record.accuracy is not None:
            shown += self.tr(", accuracy {}").format(rounded_percent(record.accuracy))
        self._show_loss(shown, "good")

    def refuse_cut(self, message: str) -> None:
        if self.loss.text() == self.tr("Measuring…"):
            self._show_loss(message, "error")

    def restyle(self, colors: Colors) -> None:
        self.plot.restyle(colors)
        self._curve.setPen(pen(colors.accent, 2))
        self._one.setPen(pen(colors.validation, 1.5, Qt.PenStyle.DashLine))
        self.cut_line.setPen(pen(colors.marker, 2))
        self.cut_line.setHoverPen(pen(colors.accent, 3))

    def _on_opening_cancelled(self) -> None:
        self.cancel()
        self.title.setText(self.tr("Cancelled."))
        self.delivery.set_ready(self.card is not None)

    def _show_card(self, card: AdapterCard) -> None:
        self.busy.end()
        self.card = card
        ranks = sorted({layer.rank for layer in card.layers})
        rank = self._rank_words(ranks[0], ranks[-1])
        theme.set_role(self.title, "title")
        layers = layer_words(len(card.layers))
        words = [card.title, card.variant, layers, rank, size_words(card.bytes)]
        if card.base:
            words.append(self.tr("base {}").format(brief(card.base)))
        self.title.setText(" · ".join(words))
        self._notes.setText("\n".join(card.notes))
        self.table.show_rows(
            [
                (x.name, shape_words(x.shape), str(x.rank), f"{x.scaling:.4g}",
                 number(x.delta_norm), f"{x.stable_rank:.2f}")
                for x in card.layers
            ]
        )  # fmt: skip
        with QSignalBlocker(self.rank_box):
            self.rank_box.setRange(1, card.spectra.most)
        self.cut_line.setBounds((1, card.spectra.most))
        self.cut_line.setValue(card.spectra.most)
        if len(card.base) < LONGEST_PATH and card.base and not self.delivery.base.path:
            self.delivery.base.edit.setText(card.base)
        self._shown(True)
        kept = np.concatenate([[0.0], card.spectra.curve])
        self._curve.setData(np.arange(len(kept)), 100 * kept)
        self._draw()
        self._update()

    def _refuse(self, message: str) -> None:
        self.busy.end()
        theme.set_role(self.title, "error")
        self.title.setText(message)
        self.delivery.set_ready(self.card is not None)

    def _draw(self) -> None:
        if self.card is None:
            return
        spectra = self.card.spectra
        rows = self.table.selectionModel().selectedRows()
        if rows:
            energy = spectra.sigma[rows[0].row()] ** 2
            share = np.concatenate([[0.0], np.cumsum(energy) / max(energy.sum(), 1e-300)])
            self._one.setData(np.arange(len(share)), 100 * share)
        self._one.setVisible(bool(rows))
        self.plot.getPlotItem().setRange(
            xRange=(0, spectra.most), yRange=(0, 102), padding=0.03, disableAutoRange=True
        )

    def _on_dragged(self) -> None:
        whole = round(self.cut_line.value())
        if abs(self.cut_line.value() - whole) > 1e-9:
            self.cut_line.setValue(whole)  # comes back here, once
        else:
            self._update()

    def _rank_words(self, low: int, high: int) -> str:
        if low == high:
            return self.tr("rank {}").format(low)
        return self.tr("ranks {} to {}").format(low, high)

    def _update(self, *_: object) -> None:
        if self.card is None:
            return
        from lora_lab.workshop.ranks import by_rank

        spectra, rank = self.card.spectra, max(1, round(self.cut_line.value()))
        with QSignalBlocker(self.rank_box):
            self.rank_box.setValue(rank)
        self.ranks = by_rank(spectra, rank, self.per_layer.isChecked() and rank < spectra.most)
        low, high = min(self.ranks), max(self.ranks)
        words = self._rank_words(low, high)
        lost = spectra.lost(self.ranks)
        worst = int(lost.argmax())
        whole = spectra.uniform(spectra.most)
        text = self.tr("{}: {:.2f} % of the energy kept, {} of {}").format(
            words, 100 * spectra.kept(self.ranks), size_words(spectra.bytes(self.ranks)),
            size_words(spectra.bytes(whole)),
        )  # fmt: skip
        if lost[worst] > 1e-12:
            text += self.tr("; at worst {:.1f} % of ‖ΔW‖ is lost, {}").format(
                100 * float(lost[worst]) ** 0.5, brief(spectra.names[worst])
            )
        self.kept.setText(text)
        self.loss.setText("")
        self.delivery.forget_outcome()  # it was of another cut
        self.delivery.suggest(paths.user_data() / "exports" / f"{self._name()}-r{rank}")

    def _name(self) -> str:
        """What the adapter is called: a run keeps it in a folder that is called so."""
        path = Path(self.card.source.path)
        named = path.stem if path.is_file() else path.name
        return path.parent.name if named in ("adapter", "adapter_model") else named

    def _ask_loss(self) -> None:
        if self.card is not None:
            self._show_loss(self.tr("Measuring…"), "muted")
            self.cut_requested.emit(self.card.source.path, self.ranks, self.card.source.alpha)

    def _show_loss(self, text: str, role: str) -> None:
        theme.set_role(self.loss, role)
        self.loss.setText(text)

    def _save(self, delivery: Delivery) -> None:
        source, ranks = self.card.source, self.ranks

        def work(report):
            from lora_lab.workshop.files import save_cut

            return save_cut(source, ranks, delivery, report)

        self.busy.end()  # what was being opened is cancelled
        self.delivery.set_busy(True)
        self.run(
            work,
            self.delivery.show_outcome,
            self.delivery.show_refusal,
            self.delivery.show_progress,
        )

    def _on_cancelled(self) -> None:
        self.cancel()
        self.delivery.show_refusal(self.tr("Cancelled; nothing was written."))

    def _shown(self, ready: bool) -> None:
        for widget in (self.plot, self.rank_box, self.per_layer, self.loss_button):
            widget.setEnabled(ready)
        self._notes.setVisible(ready and bool(self._notes.text()))
        self.delivery.set_ready(ready)
