"""Which layers are adapted: a list of all that could be, to search and to tick.

Nothing is done here: `targets` is what was ticked, for a run that is begun with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QSortFilterProxyModel, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPushButton,
    QTableView,
    QWidget,
)

from lora_lab.records import TargetInfo
from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import counted, shape_words
from lora_lab.ui.widgets.dialogs import button_row, dialog_column, resize_within
from lora_lab.ui.widgets.table import Ticks, dress

Role = Qt.ItemDataRole
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
NAME, KIND, SHAPE = range(3)


class TargetsModel(QAbstractTableModel):
    """Layers with a tick each."""

    ticked_changed = Signal()

    def __init__(self, layers: Sequence[TargetInfo], ticked: Iterable[str]) -> None:
        super().__init__()
        self.layers = tuple(layers)
        self.ticked = set(ticked)
        self._heads = (self.tr("Layer"), self.tr("Kind"), self.tr("out × in"))

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.layers)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._heads)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:
        if role == Role.DisplayRole and orientation is Qt.Orientation.Horizontal:
            return self._heads[section]
        if role == Role.TextAlignmentRole and section == SHAPE:
            return RIGHT
        return None

    def data(self, index: QModelIndex, role: int = Role.DisplayRole) -> Any:
        layer, column = self.layers[index.row()], index.column()
        if role == Role.DisplayRole:
            return (layer.name, layer.kind.replace("_", " "), shape_words(layer.shape))[column]
        if role == Role.CheckStateRole and column == NAME:
            on = layer.name in self.ticked
            return Qt.CheckState.Checked if on else Qt.CheckState.Unchecked
        if role == Role.TextAlignmentRole and column == SHAPE:
            return RIGHT
        if role == Role.ToolTipRole and column == NAME:
            return layer.name
        return None

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        flags = super().flags(index)
        return flags | Qt.ItemFlag.ItemIsUserCheckable if index.column() == NAME else flags

    def setData(self, index: QModelIndex, value: Any, role: int = Role.EditRole) -> bool:
        if role != Role.CheckStateRole or index.column() != NAME:
            return False
        self.tick([self.layers[index.row()].name], Qt.CheckState(value) is Qt.CheckState.Checked)
        return True

    def tick(self, names: Iterable[str], on: bool = True) -> None:
        """Tick these layers, or take their ticks away."""
        self.ticked = self.ticked | set(names) if on else self.ticked - set(names)
        self._tell()

    def tick_only(self, names: Iterable[str]) -> None:
        """Tick these layers and no other."""
        self.ticked = set(names)
        self._tell()

    def _tell(self) -> None:
        if self.layers:
            ends = self.index(0, NAME), self.index(len(self.layers) - 1, NAME)
            self.dataChanged.emit(*ends, [Role.CheckStateRole])
        self.ticked_changed.emit()


class LayerList(QTableView):
    """Space ticks or unticks every row that is selected, as the first of them was not."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        rows = self.selectionModel().selectedRows(NAME)
        if event.key() == Qt.Key.Key_Space and rows:
            on = rows[0].data(Role.CheckStateRole) != Qt.CheckState.Checked
            source = self.model().sourceModel()
            source.tick([row.data() for row in rows], on)
            return
        super().keyPressEvent(event)


class TargetsDialog(QDialog):
    """The picker; `targets` is () for all linear layers, else the paths that are ticked."""

    def __init__(
        self,
        layers: Sequence[TargetInfo],
        ticked: Iterable[str],
        linear: Iterable[str],
        targets: tuple[str, ...],
        parent: QWidget | None = None,
    ) -> None:
        """`linear`: what "all linear" stands for; `targets`: what is targeted now, in its words."""
        super().__init__(parent)
        self.setWindowTitle(self.tr("Targets"))
        self._linear = frozenset(linear)
        self._before, self._given = frozenset(ticked), targets
        self.model = TargetsModel(layers, ticked)
        self._shown = QSortFilterProxyModel(self)
        self._shown.setSourceModel(self.model)
        self._shown.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self._shown.setFilterKeyColumn(-1)  # name, kind and shape

        intro = QLabel(self.tr("An adapter stands beside each layer that is ticked."))
        intro.setProperty("role", "muted")
        self.search = QLineEdit()
        self.search.setPlaceholderText(self.tr("Search by name, kind or shape"))
        self.search.setAccessibleName(self.tr("Search the layers"))
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._on_searched)
        self.table = LayerList()
        self.table.setModel(self._shown)
        self.table.setAccessibleName(self.tr("Layers that can be adapted"))
        dress(self.table)
        self._ticks = Ticks(self.table)
        self.table.setItemDelegateForColumn(NAME, self._ticks)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        metrics = self.fontMetrics()
        widest = max((shape_words(layer.shape) for layer in layers), key=len, default="")
        header.resizeSection(KIND, metrics.horizontalAdvance("conv1d linear") + 28)
        shapes = widest, self.tr("out × in")
        header.resizeSection(SHAPE, max(map(metrics.horizontalAdvance, shapes)) + 30)
        self.linear_button = QPushButton(self.tr("All &linear"))
        self.linear_button.clicked.connect(lambda: self.model.tick_only(self._linear))
        self.none_button = QPushButton(self.tr("&None"))
        self.none_button.clicked.connect(lambda: self.model.tick_only(()))
        self.found_button = QPushButton(self.tr("Tick what is &found"))
        self.found_button.clicked.connect(self._tick_found)
        self._count = QLabel()
        self._count.setProperty("role", "muted")

        above, below = QHBoxLayout(), QHBoxLayout()
        above.addWidget(self.search, 1)
        above.addWidget(self.found_button)
        below.addWidget(self.linear_button)
        below.addWidget(self.none_button)
        below.addStretch(1)
        below.addWidget(self._count)
        kinds = QDialogButtonBox.StandardButton
        buttons = button_row(self, kinds.Ok | kinds.Cancel)
        self.ok_button = buttons.button(kinds.Ok)
        self.ok_button.setProperty("role", "primary")
        column = dialog_column(self, 10)
        column.addWidget(intro)
        column.addLayout(above)
        column.addWidget(self.table, 1)
        column.addLayout(below)
        column.addWidget(buttons)
        em = metrics.horizontalAdvance("m")
        resize_within(self, 46 * em, min(44, 17 + len(layers)) * metrics.height())
        self.model.ticked_changed.connect(self._tell)
        self._on_searched("")
        self._tell()

    @property
    def targets(self) -> tuple[str, ...]:
        """What is chosen, as a run's settings name it."""
        ticked = self.model.ticked
        if ticked == self._before:
            return self._given
        if ticked == self._linear:
            return ()
        return tuple(layer.name for layer in self.model.layers if layer.name in ticked)

    def _on_searched(self, text: str) -> None:
        self._shown.setFilterFixedString(text.strip())
        self.found_button.setEnabled(bool(text.strip()) and self._shown.rowCount() > 0)

    def _tick_found(self) -> None:
        rows = range(self._shown.rowCount())
        self.model.tick(self._shown.index(row, NAME).data() for row in rows)

    def _tell(self) -> None:
        chosen, known = len(self.model.ticked), len(self.model.layers)
        if self.model.ticked == self._linear:
            words = self.tr("all linear: {} of {}").format(chosen, counted(known, self.tr("layer")))
        else:
            words = self.tr("{} of {}").format(chosen, counted(known, self.tr("layer")))
        self._count.setText(words)
        theme.set_role(self._count, "muted" if chosen else "warn")
        self.ok_button.setEnabled(chosen > 0)
        self.ok_button.setToolTip("" if chosen else self.tr("Tick one layer at least."))
