"""A table of a checkpoint's tensors: name, shape, type, size; to search, and to ask for spectra."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QSortFilterProxyModel, Qt
from PySide6.QtWidgets import QHeaderView, QTableView

from lora_lab.ui.style.figures import shape_words, size_words
from lora_lab.ui.widgets.rows import Column, RowsModel
from lora_lab.ui.widgets.table import dress

if TYPE_CHECKING:
    from lora_lab.models.inspect import TensorInfo

NAME, SHAPE, DTYPE, SIZE = range(4)
NAME_LETTERS = 200


class TensorTable(QTableView):
    """What the headers say, behind a filter; nothing of it was loaded."""

    def __init__(self) -> None:
        super().__init__()
        tr = self.tr
        self._model = RowsModel(
            [
                Column(tr("Tensor"), _printable_name),
                Column(tr("Shape"), lambda t: shape_words(t.shape) or tr("one number"), True),
                Column(tr("Type"), lambda t: t.dtype),
                Column(tr("Size"), lambda t: size_words(t.bytes), True),
            ],
            self,
        )
        self._filter = QSortFilterProxyModel(self)
        self._filter.setSourceModel(self._model)
        self._filter.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self._filter.setFilterKeyColumn(-1)
        self.setModel(self._filter)
        dress(self)
        self.setAccessibleName(tr("Tensors of the checkpoint"))
        header = self.horizontalHeader()
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        metrics = self.fontMetrics()
        for column, widest in (
            (SHAPE, "00,000 × 00,000"),
            (DTYPE, "bfloat16"),
            (SIZE, "999 bytes"),
        ):
            header.resizeSection(column, metrics.horizontalAdvance(widest) + 26)

    def show_tensors(self, tensors: Sequence[TensorInfo]) -> None:
        self._model.show_rows(tensors)

    def search(self, text: str) -> None:
        self._filter.setFilterFixedString(text.strip())

    def chosen(self) -> TensorInfo | None:
        """The tensor whose row is selected."""
        rows = self.selectionModel().selectedRows(NAME)
        return self._model.rows[self._filter.mapToSource(rows[0]).row()] if rows else None


def _printable_name(tensor: TensorInfo) -> str:
    return "".join(c if c.isprintable() else "?" for c in tensor.name)[:NAME_LETTERS]
