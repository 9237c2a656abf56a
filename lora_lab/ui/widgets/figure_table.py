"""Tables of names and figures, as of layers or runs: long ones that scroll, and grids of labels."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QGridLayout, QHeaderView, QTableView

from lora_lab.ui.style import theme
from lora_lab.ui.widgets.labels import label
from lora_lab.ui.widgets.rows import Column, Role, RowsModel
from lora_lab.ui.widgets.table import dress


class LayerTable(QTableView):
    """Names first, then figures; a row is a tuple of what stands in its cells."""

    chosen = Signal(int)  # the row that is selected; -1: none

    def __init__(self, name: str, heads: Sequence[str], widest: Sequence[str]) -> None:
        super().__init__()
        self.cells = RowsModel(())
        self.setModel(self.cells)
        dress(self)
        self.setSelectionMode(self.SelectionMode.SingleSelection)
        self.setAccessibleName(name)
        self.set_heads(heads, widest)
        self.selectionModel().selectionChanged.connect(self._on_selected)

    def set_heads(self, heads: Sequence[str], widest: Sequence[str]) -> None:
        """Other columns; `widest`: the longest text that each but the first is going to hold."""
        read = [itemgetter(place) for place in range(len(heads))]
        self.cells.set_columns(
            Column(head, read[place], place > 0, roles={Role.ToolTipRole: read[place]})
            for place, head in enumerate(heads)
        )
        header = self.horizontalHeader()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column, text in enumerate(widest, 1):
            wide = max(text, heads[column], key=len)
            header.resizeSection(column, self.fontMetrics().horizontalAdvance(wide) + 18)

    def show_rows(self, rows: Sequence[tuple[str, ...]]) -> None:
        self.cells.show_rows(rows)

    def _on_selected(self, *_: object) -> None:
        rows = self.selectionModel().selectedRows()
        self.chosen.emit(rows[0].row() if rows else -1)


class FigureGrid(QFrame):
    """A few lines of labels under heads; a line can end in a button."""

    def __init__(self, spacing: tuple[int, int]) -> None:
        """`spacing`: between columns and between lines."""
        super().__init__()
        self.grid = QGridLayout(self)
        self.grid.setContentsMargins(0, 4, 0, 4)
        self.grid.setHorizontalSpacing(spacing[0])
        self.grid.setVerticalSpacing(spacing[1])

    def clear(self) -> None:
        while item := self.grid.takeAt(0):
            item.widget().deleteLater()

    def put(
        self, row: int, column: int, text: str, role: str, align: Qt.AlignmentFlag | None = None
    ) -> None:
        """A text in a role of the theme; without `align` it fills its cell."""
        cell = label(text, role)
        cell.setFont(theme.font())
        self.grid.addWidget(cell, row, column, align or Qt.AlignmentFlag(0))
