"""The window of clusters: where the waiting runs are sent to, and how those stand that were."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, QSignalBlocker, Signal
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLineEdit, QPushButton, QWidget

from lora_lab.runs.queue import pareto
from lora_lab.ui.queue.follower import Seen
from lora_lab.ui.queue.table import QueueTable
from lora_lab.ui.style import theme
from lora_lab.ui.widgets.controls import Combo, Whole
from lora_lab.ui.widgets.dialogs import dialog_column, resize_within
from lora_lab.ui.widgets.form import Form, gives_way, muted
from lora_lab.ui.widgets.labels import TextLabel

EXAMPLE = "http://HEAD:8265"
MOST_CPUS = 4096
NAME = 18  # letters of a sweep's name


class ClusterDialog(QDialog):
    """Says what is requested; `show_…` says what is known."""

    check_requested = Signal()
    send_requested = Signal()
    follow_requested = Signal()
    stop_requested = Signal()
    restore_requested = Signal()
    run_requested = Signal(str)  # the folder of a run
    sweep_chosen = Signal(str)  # the name of a sweep
    activated = Signal()  # the person has come to this window: more may wait by now

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        tr = self.tr
        self.setWindowTitle(tr("Run on a cluster"))
        self.address = gives_way(QLineEdit(placeholderText=EXAMPLE))
        self.address.setToolTip(tr("Of the head's dashboard; from outside, of a tunnel to it"))
        self.token = gives_way(QLineEdit(echoMode=QLineEdit.EchoMode.Password))
        self.token.setPlaceholderText(tr("from LORA_LAB_CLUSTER_TOKEN or the keyring"))
        self.token.setToolTip(tr("What is typed here is written nowhere, and gone with the window"))
        self.storage = gives_way(QLineEdit(placeholderText=tr("the lab's own over there")))
        self.storage.setToolTip(tr("A folder that all of its machines see, by its whole path"))
        self.cpus = gives_way(Whole(1, MOST_CPUS))
        self.check_button = self._button(tr("C&heck"), self.check_requested.emit)
        self.check_button.setToolTip(tr("Asks the head, and its python for its version of the lab"))
        self.send_button = self._button("", self.send_requested.emit)
        self.send_button.setToolTip(
            tr(
                "What waits and has not begun. A search chooses here, one run after another: "
                "to a cluster goes a grid"
            )
        )
        self.answer = TextLabel(wordWrap=True)
        self.sweeps = Combo()
        self.sweeps.setMinimumContentsLength(NAME)
        self.sweeps.setAccessibleName(tr("Sweeps on clusters"))
        self.sweeps.currentTextChanged.connect(self.sweep_chosen)
        self.status = TextLabel(wordWrap=True)
        self.status.setAccessibleName(tr("State of the sweep"))
        self.table = QueueTable()
        self.table.setAccessibleName(tr("Runs of the sweep"))
        self.table.setDragEnabled(False)
        self.table.chosen.connect(lambda _: self._update())
        self.table.doubleClicked.connect(lambda _: self.run_button.click())
        self.follow_button = self._button(tr("&Follow"), self.follow_requested.emit)
        self.follow_button.setToolTip(tr("Asks the cluster again and again, until the sweep ends"))
        self.stop_button = self._button(tr("&Stop it there"), self.stop_requested.emit)
        self.stop_button.setToolTip(tr("Ends the job; what was saved of its runs stays there"))
        self.restore_button = self._button(tr("&Continue it there"), self.restore_requested.emit)
        self.restore_button.setToolTip(
            tr("Another job continues each run from its last checkpoint over there")
        )
        self.run_button = self._button(tr("Show the &run"), self._show_run)
        self.run_button.setToolTip(tr("In the panels of the main window, as its news come"))
        self.close_button = self._button(tr("Close"), self.reject)
        self._waiting, self._busy = 0, False
        self._seen, self._following = Seen(""), False
        self._lay_out()
        self.show_waiting(0)
        self.show_sweep(Seen(""), False)

    def show_waiting(self, count: int) -> None:
        """How many runs of the queue could be sent."""
        self._waiting = count
        self._update()

    def show_busy(self, words: str) -> None:
        """The cluster is asked something; "" where it is not any more."""
        self._busy = bool(words)
        if words:
            self.say(words)
        self._update()

    def say(self, words: str, role: str = "muted") -> None:
        """What came of a check, or of sending."""
        theme.set_role(self.answer, role)
        self.answer.setText(words)

    def show_sweeps(self, names: Sequence[str], chosen: str) -> None:
        """The sweeps there are, the newest first."""
        with QSignalBlocker(self.sweeps):
            self.sweeps.clear()
            self.sweeps.addItems(names)
            self.sweeps.setCurrentText(chosen)
        self._update()

    def show_sweep(self, seen: Seen, following: bool) -> None:
        """How the chosen sweep stands."""
        self._seen, self._following = seen, following
        self.table.show_items(seen.items, pareto(seen.items))
        self._update()

    @property
    def sweep(self) -> str:
        """The name of the chosen sweep; "": there is none."""
        return self.sweeps.currentText()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.ActivationChange and self.isActiveWindow():
            self.activated.emit()

    def _update(self) -> None:
        tr, seen = self.tr, self._seen
        self.send_button.setText(tr("Se&nd what waits ({:,})").format(self._waiting))
        self.send_button.setEnabled(bool(self._waiting) and not self._busy)
        self.check_button.setEnabled(not self._busy)
        some, ended = bool(self.sweep), bool(seen.items) and all(i.ended for i in seen.items)
        theme.set_role(self.status, "error" if seen.failed else "muted")
        self.status.setText(seen.words if some else tr("No sweep was sent to a cluster yet."))
        self.follow_button.setEnabled(some and not self._following and not ended)
        self.stop_button.setEnabled(self._following and not seen.over)
        self.run_button.setEnabled(self._run != "")
        self.restore_button.setEnabled(some and not self._following and not ended)
        for button, first in ((self.send_button, bool(self._waiting)),
                              (self.restore_button, seen.lost)):  # fmt: skip
            theme.set_role(button, "primary" if first else "")

    @property
    def _run(self) -> str:
        """The folder here of the chosen run; "": it has none yet."""
        return self.table.current.run if self.table.current is not None else ""

    def _show_run(self) -> None:
        if self._run:
            self.run_requested.emit(self._run)

    def _button(self, text: str, on_click: Callable[[], None]) -> QPushButton:
        button = QPushButton(text)
        button.setAutoDefault(False)
        button.clicked.connect(lambda _=False: on_click())
        return button

    def _lay_out(self) -> None:
        tr, form = self.tr, Form(self.tr("Folder there"))
        form.add(tr("A&ddress"), self.address, self.check_button)
        form.add(tr("&Token"), self.token)
        cores = muted(tr("CPU c&ores of each run"), self.cpus)
        form.add(tr("Folder th&ere"), self.storage, cores, self.cpus)
        sending = QHBoxLayout()
        sending.addWidget(self.answer, 1)
        sending.addWidget(self.send_button)
        choosing = QHBoxLayout()
        choosing.addWidget(muted(tr("S&weep"), self.sweeps))
        choosing.addWidget(self.sweeps)
        choosing.addWidget(self.status, 1)
        row = QHBoxLayout()
        for button in (self.follow_button, self.stop_button, self.restore_button, self.run_button):
            row.addWidget(button)
        row.addStretch(1)
        row.addWidget(self.close_button)
        column = dialog_column(self)
        column.addLayout(form)
        column.addLayout(sending)
        column.addSpacing(8)
        column.addLayout(choosing)
        column.addWidget(self.table, 1)
        column.addLayout(row)
        width, height = self.fontMetrics().averageCharWidth(), self.fontMetrics().height()
        resize_within(self, 110 * width, 30 * height)
