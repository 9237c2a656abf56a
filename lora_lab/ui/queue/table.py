"""The items of a queue as a table: settings, progress, what came of each; rows can be dragged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QMimeData, QModelIndex, QRect, Qt, Signal
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
)

from lora_lab.runs.grid import describe, kind_words
from lora_lab.runs.queue import ABORTED, DONE, FAILED, RUNNING, WAITING, Item
from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import clock, plain_number
from lora_lab.ui.widgets.plot import number
from lora_lab.ui.widgets.table import dress, select_row
from lora_lab.variants import PLAIN, VARIANTS

Role = Qt.ItemDataRole
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
STAR, RANK, ALPHA, RATE, KIND, STATE, PARAMETERS, BEST, TIME = range(9)
SHARE = Role.UserRole  # how far a run is, 0 to 1
MIME = "application/x-lora-lab-queue-item"


class QueueModel(QAbstractTableModel):
    """Shows items; a drop is told as a wish, and the rows move when the queue says so."""

    move_wished = Signal(str, int)  # id, and the row that it should stand before

    def __init__(self) -> None:
        super().__init__()
        tr = self.tr
        self.items: tuple[Item, ...] = ()
        self._front: frozenset[str] = frozenset()
        self._heads = (
            "★", "r", "α", tr("Rate"), tr("Adapter"), tr("State"), tr("Parameters"),
            tr("Best loss"), tr("Time"),
        )  # fmt: skip
        self._states = {
            WAITING: tr("waiting"), RUNNING: tr("running"), DONE: tr("done"),
            FAILED: tr("failed"), ABORTED: tr("aborted"),
        }  # fmt: skip

    def show(self, items: Sequence[Item], front: Sequence[str]) -> None:
        """Show these, the ones in `front` with a star; rows that stay keep their selection."""
        before, starred = self.items, self._front
        same = [item.id for item in before] == [item.id for item in items]
        if not same:
            self.beginResetModel()
        self.items, self._front = tuple(items), frozenset(front)
        if not same:
            self.endResetModel()
            return
        moved = starred ^ self._front
        for row, (old, new) in enumerate(zip(before, self.items, strict=True)):
            if old is not new or new.id in moved:
                self.dataChanged.emit(self.index(row, 0), self.index(row, TIME))

    def row_of(self, id: str) -> int:
        """Where an item stands; -1: nowhere."""
        return next((row for row, item in enumerate(self.items) if item.id == id), -1)

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.items)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._heads)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:
        if orientation is not Qt.Orientation.Horizontal:
            return None
        if role == Role.DisplayRole:
            return self._heads[section]
        if role == Role.ToolTipRole and section == STAR:
            return self.tr("No other run has both fewer parameters and a lower loss")
        return self._alignment(section) if role == Role.TextAlignmentRole else None

    def data(self, index: QModelIndex, role: int = Role.DisplayRole) -> Any:
        item, column = self.items[index.row()], index.column()
        if role == Role.DisplayRole:
            return self._text(item, column)
        if role == Role.ToolTipRole:
            return f"{describe(item.config)}\n{item.message or item.run}".strip()
        if role == Role.TextAlignmentRole:
            return self._alignment(column)
        if role == Role.ForegroundRole and column == STATE and item.state == FAILED:
            return QColor(theme.current().error)
        if role == SHARE and column == STATE and item.step and item.state != DONE:
            return min(1.0, item.step / item.max_steps) if item.max_steps else 0.0
        return None

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        flags = super().flags(index) & ~Qt.ItemFlag.ItemIsDropEnabled
        if not index.isValid():
            return Qt.ItemFlag.ItemIsDropEnabled  # between two rows
        waits = self.items[index.row()].state == WAITING
        return flags | Qt.ItemFlag.ItemIsDragEnabled if waits else flags

    def supportedDropActions(self) -> Qt.DropAction:
        return Qt.DropAction.MoveAction

    def mimeTypes(self) -> list[str]:
        return [MIME]

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:
        data = QMimeData()
        data.setData(MIME, self.items[indexes[0].row()].id.encode())
        return data

    def dropMimeData(
        self, data: QMimeData, action: Qt.DropAction, row: int, column: int, parent: QModelIndex
    ) -> bool:
        if data.hasFormat(MIME):
            place = row if row >= 0 else len(self.items)
            self.move_wished.emit(bytes(data.data(MIME).data()).decode(), place)
        return False  # the view takes no row out: the queue has moved it

    def _text(self, item: Item, column: int) -> str:
        hyper, full = item.config.hyper, not VARIANTS[item.config.variant].factored
        match column:
            case 0:
                return "★" if item.id in self._front else ""
            case 1:
                return "—" if full else f"{hyper.rank:,}"
            case 2:
                return "—" if full else f"{hyper.alpha:g}"
            case 3:
                return plain_number(hyper.learning_rate)
            case 4:
                return ", ".join(kind_words(item.config)) or VARIANTS[PLAIN].title
            case 5:
                return self._state(item)
            case 6:
                return f"{item.parameters:,}" if item.parameters else "—"
            case 7:
                return number(item.best, 4)
            case _:
                return clock(item.seconds) if item.seconds else "—"

    def _state(self, item: Item) -> str:
        words = self._states[item.state]
        if item.state == RUNNING and item.max_steps:
            return f"{words} {100 * min(1.0, item.step / item.max_steps):.0f} %"
        if item.step and item.state in (WAITING, ABORTED):
            return self.tr("{} at {:,}").format(words, item.step)
        return words

    @staticmethod
    def _alignment(column: int) -> Qt.AlignmentFlag:
        return LEFT if column in (STAR, KIND, STATE) else RIGHT


class Progress(QStyledItemDelegate):
    """A bar behind the words, as far as the run has come."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        share = index.data(SHARE)
        if share is not None:
            box, colors = option.rect.adjusted(2, 3, -4, -3), theme.current()
            painter.fillRect(box, QColor(colors.raised))
            done = QRect(box.topLeft(), box.size())
            done.setWidth(round(box.width() * share))
            painter.fillRect(done, QColor(colors.raw))
        super().paint(painter, option, index)


class QueueTable(QTableView):
    """One row per item; a waiting one is dragged to its place."""

    chosen = Signal(str)  # id of the row that the keys stand on; "": none

    def __init__(self) -> None:
        super().__init__()
        self.queue = QueueModel()
        self.setModel(self.queue)
        dress(self)
        self.setAccessibleName(self.tr("Runs of the queue"))
        self.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
        self.setDragDropOverwriteMode(False)
        self._progress = Progress(self)
        self.setItemDelegateForColumn(STATE, self._progress)
        header = self.horizontalHeader()
        widest = {
            STAR: "★", RANK: "0000", ALPHA: "00.0", RATE: "0.00e-00", KIND: "rsLoRA, pissa",
            STATE: "aborted at 00,000", PARAMETERS: "Parameters", BEST: "Best loss 0",
            TIME: "0:00:00",
        }  # fmt: skip
        for column, text in widest.items():
            header.resizeSection(column, self.fontMetrics().horizontalAdvance(text) + 18)
        header.setSectionResizeMode(KIND, QHeaderView.ResizeMode.Stretch)
        self.setMinimumWidth(header.length() + self.fontMetrics().averageCharWidth() * 2)
        self.selectionModel().currentRowChanged.connect(self._tell)

    @property
    def current(self) -> Item | None:
        """The item that the keys stand on."""
        row = self.currentIndex().row()
        return self.queue.items[row] if 0 <= row < len(self.queue.items) else None

    @property
    def selected(self) -> list[Item]:
        """Every item whose row is selected."""
        return [self.queue.items[i.row()] for i in self.selectionModel().selectedRows()]

    def show_items(self, items: Sequence[Item], front: Sequence[str]) -> None:
        """Show these; what was selected stays selected where it is still there."""
        chosen = self.current
        self.queue.show(items, front)
        if chosen is not None and self.current is None:
            self.choose(chosen.id)

    def choose(self, id: str) -> None:
        """Select an item's row, and show it."""
        row = self.queue.row_of(id)
        if row >= 0:
            select_row(self, row)
            self.scrollTo(self.queue.index(row, 0))

    def _tell(self, *_: object) -> None:
        item = self.current
        self.chosen.emit(item.id if item is not None else "")
