"""A table of names and figures, as of layers or runs: plain cells, figures at the right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, Qt, Signal
from PySide6.QtWidgets import QHeaderView, QTableView

from lora_lab.ui.widgets.table import dress

Role = Qt.ItemDataRole
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class _Cells(QAbstractTableModel):
    def __init__(self, heads: Sequence[str]) -> None:
        super().__init__()
        self.heads = tuple(heads)
        self.rows: list[tuple[str, ...]] = []

    def show(self, rows: Sequence[tuple[str, ...]]) -> None:
        self.beginResetModel()
        self.rows = list(rows)
        self.endResetModel()

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.heads)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:
        if role == Role.DisplayRole and orientation is Qt.Orientation.Horizontal:
            return self.heads[section]
        return RIGHT if role == Role.TextAlignmentRole and section else None

    def data(self, index: QModelIndex, role: int = Role.DisplayRole) -> Any:
        if role in (Role.DisplayRole, Role.ToolTipRole):
            return self.rows[index.row()][index.column()]
        return RIGHT if role == Role.TextAlignmentRole and index.column() else None


class LayerTable(QTableView):
    """Names first, then figures."""

    chosen = Signal(int)  # the row that is selected; -1: none

    def __init__(self, name: str, heads: Sequence[str], widest: Sequence[str]) -> None:
        super().__init__()
        self.cells = _Cells(heads)
        self.setModel(self.cells)
        dress(self)
        self.setSelectionMode(self.SelectionMode.SingleSelection)
        self.setAccessibleName(name)
        header = self.horizontalHeader()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column, text in enumerate(widest, 1):
            wide = max(text, heads[column], key=len)
            header.resizeSection(column, self.fontMetrics().horizontalAdvance(wide) + 18)
        self.selectionModel().selectionChanged.connect(self._tell)

    def show_rows(self, rows: Sequence[tuple[str, ...]]) -> None:
        self.cells.show(rows)

    def _tell(self, *_: object) -> None:
        rows = self.selectionModel().selectedRows()
        self.chosen.emit(rows[0].row() if rows else -1)
