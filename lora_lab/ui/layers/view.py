"""The view of the tree of modules: keys that reach every cell, a menu, and what is in view.

Right and Left go over the cells of a row as well as into and out of it; Return opens the rank, or
ticks in a column of ticks; Space ticks; the menu key and Shift+F10 open the menu.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import (
    QEvent,
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QPoint,
    Qt,
    Signal,
)
from PySide6.QtGui import QContextMenuEvent, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTreeView, QWidget

from lora_lab.ui.layers.cells import Names, RankEditor
from lora_lab.ui.layers.facts import (
    EFFECTIVE,
    NAME,
    PARAMETERS,
    RANK,
    ROUNDING,
    SHAPE,
    SIZE,
    TRAINS,
)  # fmt: skip
from lora_lab.ui.layers.model import LIVE, LayersModel
from lora_lab.ui.layers.tree import Node
from lora_lab.ui.widgets.heat_cells import HeatCells
from lora_lab.ui.widgets.table import Ticks, dress_tree

CHECK = Qt.ItemDataRole.CheckStateRole
NAME_EMS = 13  # names that need more are cut rather than that shapes give way; letters m


class LayersView(QTreeView):
    """A tree whose rows are selected whole, and whose cells can all be reached with keys."""

    menu_requested = Signal(QPoint)  # in the screen's coordinates

    def __init__(self, model: LayersModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shape_width = self._names_need = 0  # pixels that they would fill
        self.setModel(model)
        dress_tree(self)
        header = self.header()
        header.setSectionsClickable(True)
        header.setSortIndicatorClearable(True)  # the third press: the model's order again
        header.setSortIndicatorShown(True)
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        header.sortIndicatorChanged.connect(model.sort)
        self.setIndentation(11)
        self.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked
            | QAbstractItemView.EditTrigger.EditKeyPressed
            | QAbstractItemView.EditTrigger.AnyKeyPressed
        )
        self._names, self._ranks = Names(self), RankEditor(self)
        self._ticks, self._cells = Ticks(self), HeatCells(self)
        self.setItemDelegate(self._cells)
        self.setItemDelegateForColumn(NAME, self._names)
        self.setItemDelegateForColumn(RANK, self._ranks)
        self.setItemDelegateForColumn(TRAINS, self._ticks)

    def nodes_in_view(self) -> list[Node]:
        """The rows that can be seen now."""
        model, height = self.model(), self.viewport().height()
        first = self.indexAt(QPoint(0, 0))
        step = self.rowHeight(first) if first.isValid() else 0
        result = []
        for y in range(0, height + step, step) if step > 0 else ():
            index = self.indexAt(QPoint(0, min(y, height - 1)))
            if not index.isValid():
                break
            node = model.node(index)
            if not result or result[-1] is not node:
                result.append(node)
        return result

    def selected(self) -> list[Node]:
        """The rows that are selected, from above to below as they were."""
        return [self.model().node(index) for index in self.selectionModel().selectedRows(NAME)]

    def select(self, nodes: Sequence[Node]) -> None:
        """Select these rows and no other, and open what hides them."""
        if not nodes:
            return
        model, selection = self.model(), QItemSelection()
        for node in nodes:
            selection.select(model.index_of(node), model.index_of(node, ROUNDING))
            above = node.parent
            while above is not None and above is not model.root:
                self.setExpanded(model.index_of(above), True)
                above = above.parent
        flags = QItemSelectionModel.SelectionFlag
        self.selectionModel().setCurrentIndex(model.index_of(nodes[0]), flags.NoUpdate)
        self.selectionModel().select(selection, flags.ClearAndSelect)

    def select_alike(self) -> None:
        """Select every module that is like one of those selected, and open what hides them."""
        likes = {(m.like, m.kind) for node in self.selected() for m in node.leaves}

        def alike(node: Node) -> bool:
            own = [node.module] if node.module else [] if node.shown else node.leaves
            return bool(own) and all((m.like, m.kind) in likes for m in own)

        self.select([node for node in self.model().shown() if alike(node)])

    def fit_columns(self, shapes: Sequence[str]) -> None:
        """Columns as wide as what they hold at most; names take the rest."""
        header, width = self.header(), self.fontMetrics().horizontalAdvance
        for column, widest, margins in (  # a cell's own are wider than a head's
            (SHAPE, max((*shapes, self.tr("out × in")), key=width), 16),
            (RANK, "16→32", 13),
            (TRAINS, self.tr("Trainable"), 11),
            (PARAMETERS, max(("000,000", self.tr("Parameters")), key=width), 14),
            (SIZE, "‖ΔW‖/‖W‖", 11),
            (EFFECTIVE, self.tr("Eff. r"), 11),
            (ROUNDING, self.tr("Rounding"), 11),
        ):
            header.resizeSection(column, width(widest) + margins)
        self.setColumnHidden(ROUNDING, not self.model().facts.packed)
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)

    def fit_names(self) -> None:
        """Take note how much room the names want that can be seen without opening more."""
        model = self.model()
        opened = {model.root: True}  # each is asked once: it may have thousands of rows
        rows = []
        for node in model.shown():
            if node.parent not in opened:
                opened[node.parent] = self._is_open(node.parent)
            if opened[node.parent]:
                rows.append(node)
        longest = max((model.facts.fact(n, NAME).text for n in rows), key=len, default="")
        self._names_need = self.fontMetrics().horizontalAdvance(longest) + 48
        self.give_way()

    @property
    def column(self) -> int:
        """The column of the cell that has the keys."""
        return max(self._here().column(), NAME)

    def sort_by(self, column: int) -> None:
        """Sort by a column, figures downwards; -1: the model's order."""
        across, initial = Qt.Orientation.Horizontal, Qt.ItemDataRole.InitialSortOrderRole
        order = self.model().headerData(column, across, initial)
        self.header().setSortIndicator(column, order or Qt.SortOrder.AscendingOrder)

    def edit_rank(self) -> None:
        """Open the rank of the current row, where it can be edited."""
        rank = self._here().siblingAtColumn(RANK)
        if rank.flags() & Qt.ItemFlag.ItemIsEditable:
            self._stand_at(rank)
            self.edit(rank)

    def _stand_at(self, index: QModelIndex) -> None:
        """Move the cell that has the keys, and leave what is selected."""
        flags = self.selectionModel().SelectionFlag
        self.selectionModel().setCurrentIndex(index, flags.NoUpdate)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        index, key = self._here(), event.key()
        # The Return that closes an editor comes by here as well.
        busy = not index.isValid() or self.state() == self.State.EditingState
        if busy:
            super().keyPressEvent(event)
        elif key == Qt.Key.Key_F10 and event.modifiers() == Qt.KeyboardModifier.ShiftModifier:
            self._open_menu_at(index)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._on_return(index)
        elif key in (Qt.Key.Key_Right, Qt.Key.Key_Left) and self._go(index, key):
            event.accept()
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if event.reason() == QContextMenuEvent.Reason.Keyboard:
            self._open_menu_at(self._here())
        elif self.indexAt(event.pos()).isValid():
            self.menu_requested.emit(event.globalPos())

    def dataChanged(self, first: QModelIndex, last: QModelIndex, roles: Sequence[int] = ()) -> None:
        if first == last and first.column() in LIVE:
            self.viewport().update(self.visualRect(first))  # no editor, and no other height
        else:
            super().dataChanged(first, last, roles)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.give_way()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self.give_way()

    def give_way(self) -> None:
        """Where names have little room, shapes are left to their tips."""
        header = self.header()
        if not header.count():
            return
        others = (header.sectionSize(c) for c in range(1, header.count()) if c != SHAPE)
        hidden = header.isSectionHidden(SHAPE)
        if not hidden:
            self._shape_width = header.sectionSize(SHAPE)
        left = self.viewport().width() - sum(others) - self._shape_width
        most = NAME_EMS * self.fontMetrics().horizontalAdvance("m")
        narrow = left < min(most, self._names_need)
        if narrow != hidden:
            header.setSectionHidden(SHAPE, narrow)

    def _is_open(self, node: Node) -> bool:
        return self.isExpanded(self.model().index_of(node))

    def _here(self) -> QModelIndex:
        """The cell that has the keys; where none has, the first row that is selected."""
        chosen = self.selectionModel().selectedRows(NAME)
        current = self.currentIndex()
        return current if current.isValid() or not chosen else chosen[0]

    def _on_return(self, index: QModelIndex) -> None:
        ticked = index.column() == TRAINS or not self.model().node(index).layers
        if not ticked:
            self.edit_rank()
            return
        box = index if index.column() == TRAINS else index.siblingAtColumn(NAME)
        if box.flags() & Qt.ItemFlag.ItemIsUserCheckable:
            on = box.data(CHECK) == Qt.CheckState.Checked
            state = Qt.CheckState.Unchecked if on else Qt.CheckState.Checked
            self.model().setData(box, state, CHECK)

    def _go(self, index: QModelIndex, key: Qt.Key) -> bool:
        """Move to the cell beside; False where Right opens the row and Left closes or leaves it."""
        right = key == Qt.Key.Key_Right
        row = index.siblingAtColumn(NAME)
        if right and self.model().hasChildren(row) and not self.isExpanded(row):
            return False
        header, visual = self.header(), self.header().visualIndex(index.column())
        step = 1 if right else -1
        visual += step
        while 0 <= visual < header.count() and header.isSectionHidden(header.logicalIndex(visual)):
            visual += step
        if not 0 <= visual < header.count():
            return right  # at the right end there is nowhere to go
        self._stand_at(index.siblingAtColumn(header.logicalIndex(visual)))
        return True

    def _open_menu_at(self, index: QModelIndex) -> None:
        if index.isValid():
            below = self.visualRect(index.siblingAtColumn(NAME)).bottomLeft()
            self.menu_requested.emit(self.viewport().mapToGlobal(below + QPoint(24, 0)))
