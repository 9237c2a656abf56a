"""The queue as a window beside the lab: the form above, the table and the plot, buttons below."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from lora_lab.config import RunConfig
from lora_lab.runs.queue import FAILED, WAITING, Item, pareto, seconds_left
from lora_lab.ui.queue.builder import Builder
from lora_lab.ui.queue.pareto_plot import ParetoPlot
from lora_lab.ui.queue.table import QueueTable
from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import clock
from lora_lab.ui.widgets.dialogs import resize_within
from lora_lab.ui.widgets.labels import TextLabel
from lora_lab.ui.widgets.table import select_row


class QueueDialog(QDialog):
    """Stays open beside the training window; closing it leaves the queue as it is."""

    start_requested = Signal()
    pause_requested = Signal()
    abort_requested = Signal()
    remove_requested = Signal(list)  # ids
    move_requested = Signal(str, int)  # id, and the row that it should stand before
    reuse_requested = Signal(object)  # RunConfig
    old_runs_requested = Signal()
    end_search_requested = Signal()
    cluster_requested = Signal()
    activated = Signal()  # the person has come to this window: the docks may have moved meanwhile

    def __init__(
        self, step_seconds: Callable[[RunConfig], float], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        tr = self.tr
        self.setWindowTitle(tr("Queue"))
        self._step_seconds = step_seconds
        self._items: tuple[Item, ...] = ()
        self._running: Item | None = None
        self._on = False
        self._to_choose = 0  # runs that a search has still to choose
        self.builder = Builder(step_seconds)
        self.table = QueueTable()
        self.table.chosen.connect(lambda _: self._update())
        self.table.selectionModel().selectionChanged.connect(lambda *_: self._update())
        self.table.queue.move_requested.connect(self.move_requested)
        self.plot = ParetoPlot()
        self.plot.chosen.connect(self._on_mark)
        self.status = TextLabel()
        self.status.setAccessibleName(tr("State of the queue"))
        self.status.setWordWrap(True)
        self.start_button = self._button("", self._switch)
        self.start_button.setProperty("role", "primary")
        self.place_button = self._button(tr("Run on"), lambda: None)
        self.place_button.setToolTip(tr("Where the waiting runs are trained"))
        places = QMenu(self.place_button)
        places.addAction(tr("This machine"), self.start_requested.emit)
        places.addAction(tr("Cluster…"), self.cluster_requested.emit)
        self.place_button.setMenu(places)
        self.abort_button = self._button(tr("A&bort this run"), self.abort_requested.emit)
        self.up_button = self._button(tr("&Up"), lambda: self._move(-1), "Alt+Up")
        self.down_button = self._button(tr("Do&wn"), lambda: self._move(+1), "Alt+Down")
        self.remove_button = self._button(tr("Remo&ve"), self._remove, "Del")
        self.clear_button = self._button(tr("Clear f&inished"), self._clear)
        self.reuse_button = self._button(tr("Reuse sett&ings"), self._reuse)
        self.old_button = self._button(tr("From &old runs…"), self.old_runs_requested.emit)
        self.end_search_button = self._button(tr("End the s&earch"), self.end_search_requested.emit)
        self.end_search_button.setToolTip(tr("No further runs are chosen; those made are kept"))
        self.close_button = self._button(tr("Close"), self.reject)
        self.abort_button.setToolTip(
            tr("Ends the run at this step and saves it; the next one starts")
        )
        self.clear_button.setToolTip(tr("Remove finished runs from the list; the runs are kept"))
        self.reuse_button.setToolTip(tr("Open the settings of the selected run in the docks"))
        self.old_button.setToolTip(tr("Settings of a run that is not in this queue"))
        for key, button in (("Alt+Up", self.up_button), ("Alt+Down", self.down_button),
                            ("Del", self.remove_button)):  # fmt: skip
            QShortcut(
                QKeySequence(key), self.table, button.click,
                context=Qt.ShortcutContext.WidgetShortcut,
            )  # fmt: skip
        self._lay_out()
        self.show_queue((), None, False)

    def show_queue(self, items: Sequence[Item], running: Item | None, on: bool) -> None:
        """Show the items, the one that runs, and whether another one follows it."""
        self._items, self._running, self._on = tuple(items), running, on
        self.table.show_items(items, pareto(items))
        self._update()

    def show_search(self, to_choose: int, importances: Mapping[str, float]) -> None:
        """How many runs a search has still to choose, and what each setting accounts for."""
        self._to_choose = to_choose
        self.plot.show_importances(importances)
        self._update()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.ActivationChange and self.isActiveWindow():
            self.activated.emit()

    def _update(self) -> None:
        tr, chosen = self.tr, self.table.current
        self.plot.show_items(self._items, chosen.id if chosen is not None else "")
        waiting = [item for item in self._items if item.state == WAITING]
        self.start_button.setText(tr("Pause the &queue") if self._on else tr("Start the &queue"))
        self.start_button.setToolTip(
            tr("The current run finishes; no other is started")
            if self._on
            else tr("One run after another, in the order of the table")
        )
        self.start_button.setEnabled(self._on or bool(waiting or self._to_choose))
        self.end_search_button.setVisible(self._to_choose > 0)
        self.abort_button.setEnabled(self._running is not None)
        movable = chosen is not None and chosen.state == WAITING
        place = waiting.index(chosen) if movable else 0
        self.up_button.setEnabled(movable and place > 0)
        self.down_button.setEnabled(movable and place < len(waiting) - 1)
        selected = self.table.selected
        self.remove_button.setEnabled(any(i.state == WAITING or i.ended for i in selected))
        self.clear_button.setEnabled(any(item.ended for item in self._items))
        self.reuse_button.setEnabled(chosen is not None)
        failed = chosen is not None and chosen.state == FAILED
        theme.set_role(self.status, "error" if failed else "muted")
        self.status.setText(chosen.message if failed else self._words(len(waiting)))

    def _words(self, waiting: int) -> str:
        tr = self.tr
        if not self._items and self._to_choose:
            return tr("{:,} runs are still to be chosen, one after another").format(self._to_choose)
        if not self._items:
            return tr("The queue is empty. Enter values above and add runs.")
        ended = sum(item.ended for item in self._items)
        words = tr("{} of {} finished").format(ended, len(self._items))
        left = seconds_left(self._items, self._step_seconds)
        if self._running is not None or waiting:
            words += tr(" · time left {}").format("—" if math.isnan(left) else f"≈ {clock(left)}")
        if self._to_choose:
            words += tr(" · {:,} still to be chosen").format(self._to_choose)
        if not self._on and waiting:
            words += tr(" · {} pending until the queue is started").format(waiting)
        return words

    def _switch(self) -> None:
        (self.pause_requested if self._on else self.start_requested).emit()

    def _move(self, by: int) -> None:
        item = self.table.current
        if item is None:
            return
        row = self.table.queue.row_of(item.id)
        self.move_requested.emit(item.id, row - 1 if by < 0 else row + 2)
        self.table.choose(item.id)

    def _remove(self) -> None:
        row = self.table.currentIndex().row()
        self.remove_requested.emit([item.id for item in self.table.selected])
        if self._items:
            select_row(self.table, min(row, len(self._items) - 1))

    def _clear(self) -> None:
        self.remove_requested.emit([item.id for item in self._items if item.ended])

    def _reuse(self) -> None:
        if (item := self.table.current) is not None:
            self.reuse_requested.emit(item.config)

    def _on_mark(self, id: str) -> None:
        self.table.choose(id)
        self.table.setFocus()

    def _button(self, text: str, on_click: Callable[[], None], keys: str = "") -> QPushButton:
        button = QPushButton(text)
        button.setAutoDefault(False)
        button.clicked.connect(lambda _=False: on_click())
        if keys:
            button.setToolTip(f"{text.replace('&', '')} ({keys})")
        return button

    def _lay_out(self) -> None:
        both = QSplitter(Qt.Orientation.Horizontal)
        both.setChildrenCollapsible(False)
        both.addWidget(self.table)
        both.addWidget(self.plot)
        both.setStretchFactor(0, 3)
        both.setStretchFactor(1, 2)
        said = QHBoxLayout()
        said.addWidget(self.status, 1)
        said.addWidget(self.place_button)
        row = QHBoxLayout()
        row.addWidget(self.start_button)
        row.addWidget(self.abort_button)
        row.addSpacing(12)
        for button in (self.up_button, self.down_button, self.remove_button, self.clear_button):
            row.addWidget(button)
        row.addWidget(self.end_search_button)
        row.addStretch(1)
        for button in (self.old_button, self.reuse_button, self.close_button):
            row.addWidget(button)
        column = QVBoxLayout(self)
        column.setSpacing(9)
        column.addWidget(self.builder)
        column.addSpacing(6)
        column.addLayout(said)
        column.addWidget(both, 1)
        column.addLayout(row)
        width, height = self.fontMetrics().averageCharWidth(), self.fontMetrics().height()
        lab = self.parentWidget()
        wide, high = (lab.width(), lab.height()) if lab is not None else (1280, 800)
        wide, high = max(150 * width, round(0.86 * wide)), max(38 * height, round(0.78 * high))
        resize_within(self, wide, high)
        both.setSizes([58 * self.width() // 100, 42 * self.width() // 100])
