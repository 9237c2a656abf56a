"""Two adapters layer by layer: cosine of their ΔWs, and which directions they share."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout

from lora_lab.ui.style import theme
from lora_lab.ui.style.theme import Colors
from lora_lab.ui.widgets.busy import Busy
from lora_lab.ui.widgets.figure_table import LayerTable
from lora_lab.ui.widgets.phi_map import PhiMap
from lora_lab.ui.widgets.table import select_row
from lora_lab.ui.workshop.fields import PathField, SourceField
from lora_lab.ui.workshop.page import Page

if TYPE_CHECKING:
    from lora_lab.workshop.compare import Comparison


class ComparePage(Page):
    """The table, and φ(i, j) of the layer that is selected as a picture."""

    def __init__(self) -> None:
        super().__init__()
        tr = self.tr
        self.comparison: Comparison | None = None
        self.first, self.second = (
            SourceField(tr("First adapter")),
            SourceField(tr("Second adapter")),
        )
        self.button = QPushButton(tr("&Compare"))
        self.button.setProperty("role", "primary")
        self.button.clicked.connect(self._compare)
        self.base = PathField(
            tr("Base model"), tr("base model: for DoRA, and for adapters of two programs")
        )
        for field in (self.first, self.second):
            field.where.changed.connect(self._update)
        self.message = self.label()
        self.busy = Busy(tr("Progress of the comparison"))
        self.busy.cancelled.connect(self._on_cancelled)
        self.table = LayerTable(
            tr("Layers of both"),
            (tr("Layer"), tr("Cosine"), "‖ΔW₂‖/‖ΔW₁‖", "φ", tr("Angles")),
            ("−0.000", "0.000", "0.000", "00°  00°  00°"),
        )
        self.table.chosen.connect(self._draw)
        self.plot = PhiMap(tr("φ(i, j) of the selected layer"), tr("directions of the first"))
        self.about = self.label()
        self.about.setText(
            tr(
                "Across: the first i directions of one; up: the first j of the other. φ(i, j) is 1 "
                "(bright) where one subspace contains the other, 0 where they are "
                "orthogonal (LoRA §7.2)."
            )
        )
        pressed = QHBoxLayout()
        pressed.addWidget(self.message, 1)
        pressed.addWidget(self.button)
        right = QVBoxLayout()
        right.addWidget(self.plot, 1)
        right.addWidget(self.about)
        middle = QHBoxLayout()
        middle.addWidget(self.table, 3)
        middle.addLayout(right, 2)
        column = QVBoxLayout(self)
        column.addWidget(self.first)
        column.addWidget(self.second)
        column.addWidget(self.base)
        column.addLayout(pressed)
        column.addWidget(self.busy)
        column.addLayout(middle, 1)
        self._update()

    def restyle(self, colors: Colors) -> None:
        self.plot.restyle(colors)

    def _update(self, *_: object) -> None:
        self.button.setEnabled(bool(self.first.where.path and self.second.where.path))

    def _compare(self) -> None:
        base = self.base.path
        one, two = (replace(field.source, base=base) for field in (self.first, self.second))

        def work(report):
            from lora_lab.workshop.files import compare_files

            return compare_files(one, two, report)

        theme.set_role(self.message, "muted")
        self.message.setText(self.tr("Comparing…"))
        self.button.setEnabled(False)
        self.busy.begin(self.tr("Comparing"))
        self.run(work, self._show, self._refuse, self.busy.show_progress)

    def _show(self, result: Comparison) -> None:
        self.comparison = result
        self.busy.end()
        self.button.setEnabled(True)
        rows = []
        for x in result.layers:
            angles = "  ".join(f"{a:.0f}°" for a in x.angles[::-1][:3])
            rows.append((x.name, _figure(x.cosine), _figure(x.ratio), _figure(x.overlap), angles))
        self.table.show_rows(rows)
        cosines = np.array([x.cosine for x in result.layers])
        texts = self.tr("{} layers in common, median cosine {:.3f}").format(
            len(rows), float(np.nanmedian(cosines)) if np.isfinite(cosines).any() else float("nan")
        )
        alone = len(result.only_first) + len(result.only_second)
        if alone:
            texts += self.tr("; {} layers are in one of them only").format(alone)
        self.message.setText(texts)
        if rows:
            select_row(self.table, 0)

    def _on_cancelled(self) -> None:
        self.cancel()
        self.button.setEnabled(True)
        self.message.setText(self.tr("Cancelled."))

    def _refuse(self, message: str) -> None:
        self.busy.end()
        self.button.setEnabled(True)
        theme.set_role(self.message, "error")
        self.message.setText(message)

    def _draw(self, row: int) -> None:
        if self.comparison is None or row < 0:
            return
        self.plot.show_phi(self.comparison.layers[row].phi)


def _figure(value: float) -> str:
    return "—" if value != value else f"{value:.3f}"
