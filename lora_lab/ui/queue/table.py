"""The items of a queue as a table: settings, progress, what came of each; rows can be dragged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from PySide6.QtCore import QMimeData, QModelIndex, QRect, Qt, Signal
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
)

from lora_lab.runs.grid import describe, kind_words
from lora_lab.runs.queue import ABORTED, DONE, FAILED, PRUNED, RUNNING, WAITING, Item
from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import clock, plain_number
from lora_lab.ui.widgets.plot import number
from lora_lab.ui.widgets.rows import Column, Role, RowsModel
from lora_lab.ui.widgets.table import dress, select_row
from lora_lab.variants import PLAIN, VARIANTS

STAR, RANK, ALPHA, RATE, KIND, STATE, PARAMETERS, BEST, TIME = range(9)
SHARE = Role.UserRole  # how far a run is, 0 to 1
MIME = "application/x-lora-lab-queue-item"


class QueueModel(RowsModel):
    """Shows items; a drop is a request, and the rows move when the queue has moved them."""

    move_requested = Signal(str, int)  # id, and the row that it should stand before

    def __init__(self) -> None:
        tr = self.tr
        self._front: frozenset[str] = frozenset()
        self._states = {
            WAITING: tr("waiting"), RUNNING: tr("running"), DONE: tr("done"),
            FAILED: tr("failed"), ABORTED: tr("aborted"), PRUNED: tr("pruned"),
        }  # fmt: skip
        state = {Role.ForegroundRole: _state_color, SHARE: _share}
        columns = (
            Column("★", lambda item: "★" if item.id in self._front else "",
                   tip=tr("No other run has both fewer parameters and a lower loss")),
            Column("r", lambda item: _factored(item, f"{item.config.hyper.rank:,}"), True),
            Column("α", lambda item: _factored(item, f"{item.config.hyper.alpha:g}"), True),
            Column(tr("Learning rate"), lambda i: plain_number(i.config.hyper.learning_rate), True),
            Column(tr("Adapter"), _kind),
            Column(tr("State"), self._state, roles=state),
            Column(tr("Parameters"), lambda i: f"{i.parameters:,}" if i.parameters else "—", True),
            Column(tr("Best loss"), lambda item: number(item.best, 4), True),
            Column(tr("Time"), lambda item: clock(item.seconds) if item.seconds else "—", True),
        )  # fmt: skip
        super().__init__([replace(c, roles={**c.roles, Role.ToolTipRole: _tip}) for c in columns])

    def show(self, items: Sequence[Item], front: Sequence[str]) -> None:
        """Show these, the ones in `front` with a star; rows that stay keep their selection."""
        before, starred = self.rows, self._front
        self._front = frozenset(front)
        if [item.id for item in before] != [item.id for item in items]:
            self.show_rows(items)
            return
        self.rows = tuple(items)
        moved = starred ^ self._front
        for row, (old, new) in enumerate(zip(before, self.rows, strict=True)):
            if old is not new or new.id in moved:
                self.dataChanged.emit(self.index(row, 0), self.index(row, TIME))

    def row_of(self, id: str) -> int:
        """Where an item stands; -1: nowhere."""
        return next((row for row, item in enumerate(self.rows) if item.id == id), -1)

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        flags = super().flags(index) & ~Qt.ItemFlag.ItemIsDropEnabled
        if not index.isValid():
            return Qt.ItemFlag.ItemIsDropEnabled  # between two rows
        waits = self.rows[index.row()].state == WAITING
        return flags | Qt.ItemFlag.ItemIsDragEnabled if waits else flags

    def supportedDropActions(self) -> Qt.DropAction:
        return Qt.DropAction.MoveAction

    def mimeTypes(self) -> list[str]:
        return [MIME]

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:
        data = QMimeData()
        data.setData(MIME, self.rows[indexes[0].row()].id.encode())
        return data

    def dropMimeData(
        self, data: QMimeData, action: Qt.DropAction, row: int, column: int, parent: QModelIndex
    ) -> bool:
        if data.hasFormat(MIME):
            place = row if row >= 0 else len(self.rows)
            self.move_requested.emit(bytes(data.data(MIME).data()).decode(), place)
        return False  # the view takes no row out: the queue has moved it

    def _state(self, item: Item) -> str:
        words = self._states[item.state]
        if item.state == RUNNING and item.max_steps:
            return f"{words} {100 * min(1.0, item.step / item.max_steps):.0f} %"
        if item.step and item.state in (WAITING, ABORTED, PRUNED):
            return self.tr("{} at {:,}").format(words, item.step)
        return words


def _factored(item: Item, words: str) -> str:
    """A figure of the factors, which full fine-tuning does not have."""
    return words if VARIANTS[item.config.variant].factored else "—"


def _kind(item: Item) -> str:
    return ", ".join(kind_words(item.config)) or VARIANTS[PLAIN].title


def _state_color(item: Item) -> QColor | None:
    return QColor(theme.current().error) if item.state == FAILED else None


def _share(item: Item) -> float | None:
    if not item.step or item.state == DONE:
        return None
    return min(1.0, item.step / item.max_steps) if item.max_steps else 0.0


def _tip(item: Item) -> str:
    return f"{describe(item.config)}\n{item.message or item.run}".strip()


class Progress(QStyledItemDelegate):
    """A bar behind the words, as far as the run has come."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        share = index.data(SHARE)
        if share is not None:
            box, colors = option.rect.adjusted(2, 3, -4, -3), theme.current()
            painter.fillRect(box, QColor(colors.raised))
            done = QRect(box.topLeft(), box.size())
            done.setWidth(round(box.width() * share))
            painter.fillRect(done, QColor(theme.mixed(colors.panel, colors.accent, 0.3)))
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
            STAR: "★", RANK: "0000", ALPHA: "00.0", RATE: "Learning rate", KIND: "rsLoRA, pissa",
            STATE: "aborted at 00,000", PARAMETERS: "Parameters", BEST: "Best loss 0",
            TIME: "0:00:00",
        }  # fmt: skip
        for column, text in widest.items():
            header.resizeSection(column, self.fontMetrics().horizontalAdvance(text) + 18)
        header.setSectionResizeMode(KIND, QHeaderView.ResizeMode.Stretch)
        self.setMinimumWidth(header.length() + self.fontMetrics().averageCharWidth() * 2)
        self.selectionModel().currentRowChanged.connect(self._on_current)

    @property
    def current(self) -> Item | None:
        """The item that the keys stand on."""
        row = self.currentIndex().row()
        return self.queue.rows[row] if 0 <= row < len(self.queue.rows) else None

    @property
    def selected(self) -> list[Item]:
        """Every item whose row is selected."""
        return [self.queue.rows[i.row()] for i in self.selectionModel().selectedRows()]

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

    def _on_current(self, *_: object) -> None:
        item = self.current
        self.chosen.emit(item.id if item is not None else "")
