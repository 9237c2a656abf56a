"""Which layers are adapted: a list of all that could be, to search and to tick.

Nothing is done here: `targets` is what was ticked, for a run that is begun with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from PySide6.QtCore import QModelIndex, QSortFilterProxyModel, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QPushButton,
    QTableView,
    QWidget,
)

from lora_lab.opening_records import TargetInfo
from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import layer_words, shape_words
from lora_lab.ui.widgets.dialogs import button_row, dialog_column, resize_within
from lora_lab.ui.widgets.labels import TextLabel
from lora_lab.ui.widgets.rows import Column, Role, RowsModel
from lora_lab.ui.widgets.table import Ticks, dress

NAME, KIND, SHAPE = range(3)


class TargetsModel(RowsModel):
    """Layers with a tick each."""

    ticked_changed = Signal()

    def __init__(self, layers: Sequence[TargetInfo], ticked: Iterable[str]) -> None:
        self.ticked = set(ticked)
        name = {Role.ToolTipRole: _tip, Role.CheckStateRole: self._tick_of}
        super().__init__(
            [
                Column(self.tr("Layer"), lambda layer: layer.name, roles=name),
                Column(self.tr("Type"), lambda layer: layer.kind.replace("_", " ")),
                Column(self.tr("out × in"), lambda layer: shape_words(layer.shape), figure=True),
            ]
        )
        self.show_rows(layers)

    def _tick_of(self, layer: TargetInfo) -> Qt.CheckState:
        return Qt.CheckState.Checked if layer.name in self.ticked else Qt.CheckState.Unchecked

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        flags = super().flags(index)
        return flags | Qt.ItemFlag.ItemIsUserCheckable if index.column() == NAME else flags

    def setData(self, index: QModelIndex, value: Any, role: int = Role.EditRole) -> bool:
        if role != Role.CheckStateRole or index.column() != NAME:
            return False
        self.tick([self.rows[index.row()].name], Qt.CheckState(value) is Qt.CheckState.Checked)
        return True

    def tick(self, names: Iterable[str], on: bool = True) -> None:
        """Tick these layers, or take their ticks away."""
        self.ticked = self.ticked | set(names) if on else self.ticked - set(names)
        self._on_ticked()

    def tick_only(self, names: Iterable[str]) -> None:
        """Tick these layers and no other."""
        self.ticked = set(names)
        self._on_ticked()

    def _on_ticked(self) -> None:
        self.refresh(NAME, Role.CheckStateRole)
        self.ticked_changed.emit()


def _tip(layer: TargetInfo) -> str:
    return f"{layer.name}: {layer.left_out}" if layer.left_out else layer.name


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

        intro = TextLabel(self.tr("Each ticked layer gets an adapter."))
        intro.setProperty("role", "muted")
        self.search = QLineEdit()
        self.search.setPlaceholderText(self.tr("Search by name, type or shape"))
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
        self.tick_button = QPushButton(self.tr("Tick what is &found"))
        self.tick_button.clicked.connect(self._tick_listed)
        self._count = TextLabel()
        self._count.setProperty("role", "muted")

        above, below = QHBoxLayout(), QHBoxLayout()
        above.addWidget(self.search, 1)
        above.addWidget(self.tick_button)
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
        self.model.ticked_changed.connect(self._update)
        self._on_searched("")
        self._update()

    @property
    def targets(self) -> tuple[str, ...]:
        """What is chosen, as a run's settings name it."""
        ticked = self.model.ticked
        if ticked == self._before:
            return self._given
        if ticked == self._linear:
            return ()
        return tuple(layer.name for layer in self.model.rows if layer.name in ticked)

    def _on_searched(self, text: str) -> None:
        self._shown.setFilterFixedString(text.strip())
        self.tick_button.setEnabled(bool(text.strip()) and self._shown.rowCount() > 0)

    def _tick_listed(self) -> None:
        rows = range(self._shown.rowCount())
        self.model.tick(self._shown.index(row, NAME).data() for row in rows)

    def _update(self) -> None:
        chosen, known = len(self.model.ticked), len(self.model.rows)
        if self.model.ticked == self._linear:
            words = self.tr("all linear: {} of {}").format(chosen, layer_words(known))
        else:
            words = self.tr("{} of {}").format(chosen, layer_words(known))
        self._count.setText(words)
        theme.set_role(self._count, "muted" if chosen else "warn")
        self.ok_button.setEnabled(chosen > 0)
        self.ok_button.setToolTip("" if chosen else self.tr("Tick at least one layer."))
