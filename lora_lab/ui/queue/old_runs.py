"""The runs that were made before, to take the settings of one: into the docks, or to the queue."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QVBoxLayout, QWidget

from lora_lab.runs.listing import RunSummary
from lora_lab.ui.style import theme
from lora_lab.ui.widgets.dialogs import button_row
from lora_lab.ui.widgets.figure_table import LayerTable
from lora_lab.ui.widgets.labels import TextLabel
from lora_lab.ui.widgets.plot import number
from lora_lab.ui.widgets.table import select_row


class OldRunsDialog(QDialog):
    """A table of runs and what can be done with the settings of one."""

    open_requested = Signal(str)  # path of a run
    add_requested = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        tr = self.tr
        self.setWindowTitle(tr("Settings of old runs"))
        self.runs: tuple[RunSummary, ...] = ()
        self.table = LayerTable(
            tr("Old runs"),
            (tr("Run"), tr("Task"), tr("Adapter"), "r", "α", tr("Steps"), tr("Best loss")),
            ("text_classification", "rslora", "000", "00.0", "000,000", "0.0000"),
        )
        self.table.chosen.connect(lambda _: self._update())
        self.table.doubleClicked.connect(lambda _: self.open_button.click())
        self.message = TextLabel()
        self.message.setWordWrap(True)
        buttons = button_row(self)
        action = QDialogButtonBox.ButtonRole.ActionRole
        self.open_button = buttons.addButton(tr("Open in the &docks"), action)
        self.add_button = buttons.addButton(tr("&Add to the queue"), action)
        self.open_button.clicked.connect(lambda: self._emit(self.open_requested))
        self.add_button.clicked.connect(lambda: self._emit(self.add_requested))
        column = QVBoxLayout(self)
        column.addWidget(self.table, 1)
        column.addWidget(self.message)
        column.addWidget(buttons)
        width, height = self.fontMetrics().averageCharWidth(), self.fontMetrics().height()
        self.resize(130 * width, 24 * height)
        self._update()

    def wait(self) -> None:
        """Say that the runs are being read."""
        self.say(self.tr("Reading the runs…"))

    def show_runs(self, runs: Sequence[RunSummary]) -> None:
        """Show these, the newest first."""
        self.runs = tuple(runs)
        self.table.show_rows(
            [
                (run.label or run.name, run.title, run.variant, str(run.rank), f"{run.alpha:g}",
                 f"{run.step:,}", number(run.best))
                for run in self.runs
            ]
        )  # fmt: skip
        if self.runs:
            select_row(self.table, 0)
        if self.message.text() == self.tr("Reading the runs…"):  # else why one was refused
            self.say("" if self.runs else self.tr("No runs yet."))
        self._update()

    def say(self, words: str, role: str = "muted") -> None:
        """What is to be said below the table; nothing hides the line."""
        theme.set_role(self.message, role)
        self.message.setText(words)
        self.message.setVisible(bool(words))

    def _chosen(self) -> RunSummary | None:
        rows = self.table.selectionModel().selectedRows()
        return self.runs[rows[0].row()] if rows and rows[0].row() < len(self.runs) else None

    def _update(self) -> None:
        for button in (self.open_button, self.add_button):
            button.setEnabled(self._chosen() is not None)

    def _emit(self, request: Signal) -> None:
        if (run := self._chosen()) is not None:
            request.emit(run.path)
