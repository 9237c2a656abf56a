"""The look of every table and tree of layers: rows, no grid, names cut in the middle."""

from __future__ import annotations

from PySide6.QtCore import QItemSelectionModel, QModelIndex, QPersistentModelIndex, QPointF, Qt
from PySide6.QtGui import QColor, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QTreeView,
)

from lora_lab.ui.style import theme


def dress(table: QTableView) -> None:
    """Rows are selected whole and have one height: thousands of them cost nothing."""
    table.setShowGrid(False)
    table.setTabKeyNavigation(False)
    table.setWordWrap(False)
    rows = table.verticalHeader()
    rows.hide()
    rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
    rows.setDefaultSectionSize(table.fontMetrics().height() + 8)
    _dress(table, table.horizontalHeader())


def dress_tree(tree: QTreeView) -> None:
    """The same for a tree; its rows are as high as their text, and all alike."""
    tree.setUniformRowHeights(True)
    tree.setSortingEnabled(False)  # until a column is asked for
    tree.setAllColumnsShowFocus(False)
    tree.setAnimated(False)
    _dress(tree, tree.header())
    tree.header().setStretchLastSection(False)


def select_row(view: QTableView, row: int) -> None:
    """Select this row alone. The view's own `selectRow` minds the keys held down, whoever calls."""
    index = view.model().index(row, 0)
    flags = QItemSelectionModel.SelectionFlag
    view.selectionModel().setCurrentIndex(index, flags.ClearAndSelect | flags.Rows)


def _dress(view: QAbstractItemView, header: QHeaderView) -> None:
    view.setFont(theme.font())
    view.setTextElideMode(Qt.TextElideMode.ElideMiddle)  # names differ at the end
    view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    view.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
    view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
    view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    header.setHighlightSections(False)
    header.setMinimumSectionSize(24)
    header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
    header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)


class Ticks(QStyledItemDelegate):
    """Paints the tick into the box that the sheet has filled, in the colours of the scheme."""

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        super().paint(painter, option, index)
        state = index.data(Qt.ItemDataRole.CheckStateRole)
        if state not in (Qt.CheckState.Checked, Qt.CheckState.PartiallyChecked):
            return
        self.initStyleOption(option, index)
        element = QStyle.SubElement.SE_ItemViewItemCheckIndicator
        box = option.widget.style().subElementRect(element, option, option.widget)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        pen = QPen(QColor(theme.current().on_accent), 1.7)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        painter.setPen(pen)
        partly = state == Qt.CheckState.PartiallyChecked
        shape = ((0.27, 0.5), (0.73, 0.5)) if partly else ((0.25, 0.52), (0.43, 0.70), (0.76, 0.31))
        painter.drawPolyline(
            [QPointF(box.x() + x * box.width(), box.y() + y * box.height()) for x, y in shape]
        )
        painter.restore()
