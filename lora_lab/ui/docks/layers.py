"""The layers one by one: a rank of their own, frozen or not, and how large ΔW has become in each.

Edits are wished like the sliders', as part of the one snapshot of hyperparameters. An edit of a
selected row is an edit of all that are selected.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import (
    QAbstractItemModel,
    QModelIndex,
    QSortFilterProxyModel,
    Qt,
    Signal,
)
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDockWidget,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QSpinBox,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from lora_lab.config import Hyperparameters
from lora_lab.records import AppliedRecord, CountsRecord, LoadedRecord, SpectrumRecord
from lora_lab.ui import theme
from lora_lab.ui.docks.layers_model import (
    NAME,
    PARAMETERS,
    RANK,
    SHAPE,
    SIZE,
    TRAINS,
    LayersModel,
    compact_shape,
)
from lora_lab.ui.figures import counted, percent
from lora_lab.ui.ranks import cap
from lora_lab.ui.widgets.table import Ticks, dress

SEARCH_FROM = 12  # layers; fewer are found by the eye


class RankEditor(QStyledItemDelegate):
    """A spin box from 1 to the layer's limit; below 1 the layer follows the common rank."""

    def createEditor(
        self, parent: QWidget, option: QStyleOptionViewItem, index: QModelIndex
    ) -> QSpinBox:
        box = QSpinBox(parent)
        model, row = _source(index)
        box.setRange(0, cap(model.layers[row]))
        box.setSpecialValueText(self.tr("common"))
        box.setAccessibleName(self.tr("Rank of {}").format(model.layers[row].name))
        box.setAlignment(Qt.AlignmentFlag.AlignRight)
        return box

    def setEditorData(self, editor: QSpinBox, index: QModelIndex) -> None:
        editor.setValue(index.data(Qt.ItemDataRole.EditRole) or _common(index))
        editor.selectAll()

    def setModelData(self, editor: QSpinBox, model: QAbstractItemModel, index: QModelIndex) -> None:
        editor.interpretText()
        unchanged = editor.value() == (index.data(Qt.ItemDataRole.EditRole) or _common(index))
        if not unchanged:  # to look into a cell and leave it is no edit
            model.setData(index, editor.value(), Qt.ItemDataRole.EditRole)


class LayersView(QTableView):
    """Return opens the rank of the row, or ticks and unticks it in the column that trains."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        index = self.currentIndex()
        returned = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        # The Return that closes an editor comes by here as well.
        if not returned or not index.isValid() or self.state() == self.State.EditingState:
            super().keyPressEvent(event)
        elif index.column() == TRAINS:
            on = index.data(Qt.ItemDataRole.CheckStateRole) == Qt.CheckState.Checked
            state = Qt.CheckState.Unchecked if on else Qt.CheckState.Checked
            self.model().setData(index, state, Qt.ItemDataRole.CheckStateRole)
        else:
            rank = index.siblingAtColumn(RANK)
            if rank.flags() & Qt.ItemFlag.ItemIsEditable:
                self.edit(rank)


class LayersDock(QDockWidget):
    """The table of layers, a search where there are many, and the way back to one rank for all."""

    layers_wished = Signal(dict)  # layer_ranks or frozen_layers, for Hyperparameters
    layer_chosen = Signal(str)  # the one row that is selected, or ""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("layers")
        self.setWindowTitle(self.tr("Layers"))
        self.model = LayersModel(self)
        self.model.rows_meant = self._rows_meant
        self.model.wished.connect(self.layers_wished)
        self._shown = QSortFilterProxyModel(self)
        self._shown.setSourceModel(self.model)
        self._shown.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self._shown.setFilterKeyColumn(NAME)
        self._shown.setDynamicSortFilter(False)  # names never change: nothing to filter anew

        self.search = QLineEdit()
        self.search.setPlaceholderText(self.tr("Search"))
        self.search.setAccessibleName(self.tr("Search the layers"))
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(lambda text: self._shown.setFilterFixedString(text.strip()))
        self._told = QLabel()
        self._told.setProperty("role", "small")
        self.alike_button = QToolButton()
        self.alike_button.setText(self.tr("All alike"))
        self.alike_button.setProperty("role", "quiet")
        self.alike_button.setToolTip(self.tr("No rank of their own, and no layer frozen"))
        self.alike_button.clicked.connect(self._make_alike)
        self.table = LayersView()
        self.table.setModel(self._shown)
        self.table.setAccessibleName(self.tr("Adapted layers"))
        dress(self.table)
        self._editor = RankEditor(self.table)
        self.table.setItemDelegateForColumn(RANK, self._editor)
        self._ticks = Ticks(self.table)
        self.table.setItemDelegateForColumn(TRAINS, self._ticks)
        self.table.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked
            | QAbstractItemView.EditTrigger.EditKeyPressed
            | QAbstractItemView.EditTrigger.AnyKeyPressed
        )
        self.table.selectionModel().selectionChanged.connect(self._on_selected)

        self._note = QLabel()
        self._note.setProperty("role", "small")
        self._note.hide()

        head = QHBoxLayout()
        head.addWidget(self.search, 1)
        head.addWidget(self._told)
        head.addStretch(0)
        head.addWidget(self.alike_button)
        self._head = head
        page = QWidget()
        page.setAutoFillBackground(True)
        page.setBackgroundRole(page.backgroundRole().Base)
        column = QVBoxLayout(page)
        column.setContentsMargins(12, 8, 10, 6)
        column.setSpacing(6)
        column.addLayout(head)
        column.addWidget(self.table, 1)
        column.addWidget(self._note)
        em = self.fontMetrics().horizontalAdvance("m")
        page.setMinimumSize(22 * em, 12 * em)  # as the panels have it
        self.setWidget(page)
        self._fit_columns("")
        self._tell()

    def reset(self, loaded: LoadedRecord) -> None:
        """Stand on a freshly loaded model."""
        self.search.clear()
        self.search.setVisible(len(loaded.layers) >= SEARCH_FROM)
        self._head.setStretch(2, int(self.search.isHidden()))
        self.model.reset(loaded)
        self._say("")
        self._fit_columns(max(map(compact_shape, loaded.layers), key=len, default=""))
        self._tell()

    def set_wished(self, hyper: Hyperparameters) -> None:
        """Show what is asked for, without saying that the person asked."""
        self.model.set_wished(hyper)
        self._tell()

    def note_applied(self, record: AppliedRecord) -> None:
        """An edit is in force; a rank that was cut has its price."""
        self.model.set_applied(record.hyper)
        fields = {field for field, _, _ in record.changes}
        if "layer_ranks" in fields:
            lost = record.discarded_energy
            said = self.tr("discarded {} of the energy at step {:,}").format(
                percent(lost), record.step
            )
            self._say(said if lost > 0 else "")

    def set_counts(self, record: CountsRecord) -> None:
        self.model.set_counts(record)

    def set_spectrum(self, record: SpectrumRecord) -> None:
        self.model.set_spectrum(record)

    def restyle(self) -> None:
        """The scheme changed: cells take their colours when they are painted."""
        self.table.setFont(theme.font())
        self.table.viewport().update()

    def _rows_meant(self, row: int) -> Sequence[int]:
        chosen = self.table.selectionModel().selectedRows(NAME)
        rows = [self._shown.mapToSource(index).row() for index in chosen]
        return rows if row in rows else [row]

    def _on_selected(self) -> None:
        rows = self.table.selectionModel().selectedRows(NAME)
        self.layer_chosen.emit(rows[0].data() if len(rows) == 1 else "")

    def _say(self, text: str) -> None:
        self._note.setText(text)
        self._note.setVisible(bool(text))

    def _make_alike(self) -> None:
        self.layers_wished.emit({"layer_ranks": (), "frozen_layers": ()})

    def _tell(self) -> None:
        own, frozen = self.model.apart()
        said = [counted(len(self.model.layers), self.tr("layer"))]
        if own:
            said.append(self.tr("{} with a rank of their own").format(own))
        if frozen:
            said.append(self.tr("{} frozen").format(frozen))
        self._told.setText(" · ".join(said) if self.model.layers else self.tr("No model yet."))
        self.alike_button.setVisible(bool(own or frozen))

    def _fit_columns(self, shape: str) -> None:
        header, width = self.table.horizontalHeader(), self.fontMetrics().horizontalAdvance
        for column, widest in (
            (SHAPE, max(shape, "out × in", key=len)),
            (RANK, "00→000"),
            (TRAINS, self.tr("Trains")),
            (PARAMETERS, "000,000"),
            (SIZE, "‖ΔW‖/‖W‖"),
        ):
            header.resizeSection(column, width(widest) + 18)
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)


def _source(index: QModelIndex) -> tuple[LayersModel, int]:
    """The model behind the search, and the row in it."""
    proxy = index.model()
    return proxy.sourceModel(), proxy.mapToSource(index).row()


def _common(index: QModelIndex) -> int:
    """The rank that a layer has as long as it has none of its own, for the editor to begin at."""
    model, row = _source(index)
    return model.wanted_rank(row)
