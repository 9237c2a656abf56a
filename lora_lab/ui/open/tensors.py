"""A table of a checkpoint's tensors: name, shape, type, size; to search, and to ask for spectra."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QSortFilterProxyModel, Qt
from PySide6.QtWidgets import QHeaderView, QTableView

from lora_lab.ui.style.figures import shape_words, size_words
from lora_lab.ui.widgets.table import dress

if TYPE_CHECKING:
    from lora_lab.models.inspect import TensorInfo

Role = Qt.ItemDataRole
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
NAME, SHAPE, DTYPE, SIZE = range(4)


class TensorsModel(QAbstractTableModel):
    """What the headers say; nothing of it was loaded."""

    def __init__(self, tensors: Sequence[TensorInfo] = ()) -> None:
        super().__init__()
        self.tensors = tuple(tensors)
        self._heads = (self.tr("Tensor"), self.tr("Shape"), self.tr("Type"), self.tr("Size"))

    def show_tensors(self, tensors: Sequence[TensorInfo]) -> None:
        self.beginResetModel()
        self.tensors = tuple(tensors)
        self.endResetModel()

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.tensors)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._heads)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:
        if role == Role.DisplayRole and orientation is Qt.Orientation.Horizontal:
            return self._heads[section]
        if role == Role.TextAlignmentRole and section in (SHAPE, SIZE):
            return RIGHT
        return None

    def data(self, index: QModelIndex, role: int = Role.DisplayRole) -> Any:
        tensor, column = self.tensors[index.row()], index.column()
        if role == Role.DisplayRole:
            shape = shape_words(tensor.shape) or self.tr("one number")
            name = "".join(c if c.isprintable() else "?" for c in tensor.name)[:200]
            return (name, shape, tensor.dtype, size_words(tensor.bytes))[column]
        if role == Role.TextAlignmentRole and column in (SHAPE, SIZE):
            return RIGHT
        return None


class TensorTable(QTableView):
    """The model behind a filter."""

    def __init__(self) -> None:
        super().__init__()
        self.tensors = TensorsModel()
        self._found = QSortFilterProxyModel(self)
        self._found.setSourceModel(self.tensors)
        self._found.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self._found.setFilterKeyColumn(-1)
        self.setModel(self._found)
        dress(self)
        self.setAccessibleName(self.tr("Tensors of the checkpoint"))
        header = self.horizontalHeader()
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        metrics = self.fontMetrics()
        for column, widest in ((SHAPE, "00,000 × 00,000"), (DTYPE, "bfloat16"), (SIZE, "999 MB")):
            header.resizeSection(column, metrics.horizontalAdvance(widest) + 26)

    def search(self, text: str) -> None:
        self._found.setFilterFixedString(text.strip())

    def chosen(self) -> TensorInfo | None:
        """The tensor whose row is selected."""
        rows = self.selectionModel().selectedRows(NAME)
        return self.tensors.tensors[self._found.mapToSource(rows[0]).row()] if rows else None
