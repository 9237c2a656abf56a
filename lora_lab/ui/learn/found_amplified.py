"""Table 7: how much of W lies in the directions of ΔW, of W itself, and of chance, per layer."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QTableView, QVBoxLayout, QWidget

from lora_lab.studies.found import Amplified
from lora_lab.studies.summary import ordered
from lora_lab.ui.learn.found_maps import StepSlider
from lora_lab.ui.style.figures import row_names
from lora_lab.ui.widgets.heat_cells import HEAT, HeatCells
from lora_lab.ui.widgets.labels import TextLabel
from lora_lab.ui.widgets.plot import number
from lora_lab.ui.widgets.rows import Column, Role, RowsModel
from lora_lab.ui.widgets.table import dress

Cells = tuple[int, Amplified]  # a rank, and its medians in one layer


class FoundAmplified(QWidget):
    """The table over a step slider; the ground of the three columns tells their share of ‖W‖."""

    asked = Signal()  # another step was chosen

    def __init__(self) -> None:
        super().__init__()
        tr = self.tr
        self._names: dict[str, str] = {}  # of layers, without what all have in common
        self.steps = StepSlider()
        self.steps.moved.connect(self.asked)
        self.words = TextLabel(wordWrap=True)
        self.words.setProperty("role", "muted")
        self.table = QTableView()
        self.cells = RowsModel(
            (
                Column(
                    tr("Layer"),
                    lambda row: self._names.get(row[1].layer, row[1].layer),
                    roles={Role.ToolTipRole: lambda row: row[1].layer},
                ),
                Column("r", lambda row: str(row[0]), True),
                self._share(tr("random"), "in_random"),
                self._share("ΔW", "in_delta"),
                self._share("W", "in_own"),
                Column("‖ΔW‖", _figure("delta_norm"), True),
                Column("‖W‖", _figure("weight_norm"), True),
                Column(tr("factor"), _figure("factor"), True, tr("‖ΔW‖ / ‖UᵀWV‖, of ΔW")),
                Column(tr("ΔW / random"), _figure("over_random"), True),
                Column("n", lambda row: str(len(row[1].rows)), True),
            )
        )
        self.table.setModel(self.cells)
        dress(self.table)
        self.table.setItemDelegate(HeatCells(self.table))
        self.table.setAccessibleName(tr("Table 7: amplification"))
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(0, header.ResizeMode.Stretch)
        measure = self.table.fontMetrics().horizontalAdvance
        for column in range(1, self.cells.columnCount()):
            wide = max("0.00000", self.cells.columns[column].title + " ", key=len)
            header.resizeSection(column, measure(wide if column not in (1, 9) else "00") + 18)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.addWidget(self.steps)
        column.addWidget(self.table, 1)
        column.addWidget(self.words)
        self.show_rows(())

    def show_rows(self, rows: Sequence[Cells]) -> None:
        """The medians over the runs of each layer and rank."""
        layers = list(dict.fromkeys(row.layer for _, row in rows))
        self._names = dict(zip(layers, row_names(layers), strict=True))
        self.cells.show_rows(rows)
        tr = self.tr
        about = tr(
            "‖UᵀWV‖ with the singular vectors U, V of ΔW, of W, and of random matrices: what W "
            "does in those directions (LoRA §7.3). Medians over the runs."
        )
        known = [row for _, row in rows if math.isfinite(row.middle("in_delta"))]
        if rows and not known:
            about = tr("ΔW is zero at this step: it has no directions yet.")
        elif known:
            inside = sum(ordered(row) for row in known)
            about += " " + tr("In {} of {} rows random < ΔW < W.").format(inside, len(known))
        self.words.setText(about)

    def _share(self, title: str, name: str) -> Column:
        def heat(row: Cells) -> tuple[str, float, None] | None:
            value, whole = row[1].middle(name), row[1].middle("weight_norm")
            if not math.isfinite(value):
                return None
            return number(value), value / whole if whole else 0.0, None

        return Column(title, _figure(name), True, roles={HEAT: heat})


def _figure(name: str) -> Callable[[Any], str]:
    return lambda row: number(row[1].middle(name))
