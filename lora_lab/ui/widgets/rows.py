"""One model for every plain table: rows of any kind, and columns that say how each is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt

from lora_lab.ui.style.figures import entry, plain_tip

Role = Qt.ItemDataRole
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


@dataclass(frozen=True)
class Column:
    """A head, and what of a row stands under it; figures are aligned at the right."""

    title: str
    text: Callable[[Any], str]
    figure: bool = False
    tip: str = ""  # of the head
    roles: Mapping[int, Callable[[Any], Any]] = field(default_factory=dict)  # beyond the text


class RowsModel(QAbstractTableModel):
    """Shows rows through columns; what a person may change is a matter of the subclass."""

    def __init__(self, columns: Sequence[Column], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.columns = tuple(columns)
        self.rows: tuple[Any, ...] = ()

    def set_columns(self, columns: Iterable[Column]) -> None:
        """Other columns, and no rows as yet."""
        self.beginResetModel()
        self.columns, self.rows = tuple(columns), ()
        self.endResetModel()

    def show_rows(self, rows: Sequence[Any]) -> None:
        """Other rows, or another number of them."""
        self.beginResetModel()
        self.rows = tuple(rows)
        self.endResetModel()

    def refresh(self, column: int, *roles: int) -> None:
        """What a column says of the same rows has changed."""
        if self.rows:
            last = self.index(len(self.rows) - 1, column)
            self.dataChanged.emit(self.index(0, column), last, list(roles))

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.columns)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:
        if orientation is not Qt.Orientation.Horizontal:
            return None
        column = self.columns[section]
        if role == Role.DisplayRole:
            return entry(column.title)
        if role == Role.ToolTipRole:
            return column.tip
        return RIGHT if role == Role.TextAlignmentRole and column.figure else None

    def data(self, index: QModelIndex, role: int = Role.DisplayRole) -> Any:
        column = self.columns[index.column()]
        if role == Role.DisplayRole:
            return entry(column.text(self.rows[index.row()]))
        if role == Role.TextAlignmentRole:
            return RIGHT if column.figure else None
        read = column.roles.get(role)
        value = read(self.rows[index.row()]) if read is not None else None
        return plain_tip(value) if role == Role.ToolTipRole and value else value
