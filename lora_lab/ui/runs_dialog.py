"""The runs there are: how far each is, and what can be done with it. It reads two small files each.

A run that was cut off stands first; it can be resumed where it was, its adapter looked at, or moved
to the trash. Nothing is ever deleted here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QFile, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QPushButton, QVBoxLayout, QWidget

from lora_lab.runs.listing import RunSummary, resumable
from lora_lab.ui import theme
from lora_lab.ui.questions import ask
from lora_lab.ui.status import clock
from lora_lab.ui.widgets.figure_table import LayerTable
from lora_lab.ui.widgets.plot import number


class RunsDialog(QDialog):
    """A table of runs and three buttons; stays open beside the window."""

    resume_wished = Signal(str)  # path of a run
    adapter_wished = Signal(str)  # path of an adapter
    refresh_wished = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        tr = self.tr
        self.setWindowTitle(tr("Runs"))
        self.may_discard: Callable[[RunSummary], bool] = self._ask_to_discard
        self.runs: tuple[RunSummary, ...] = ()
        self.table = LayerTable(
            tr("Runs"),
            (tr("Run"), tr("state"), tr("what"), "r", "α", tr("step"), tr("loss"), tr("best"),
             tr("time")),
            ("interrupted", "text_classification", "000", "00.0", "000,000 / 000,000", "0.0000",
             "0.0000", "0:00:00"),
        )  # fmt: skip
        self.table.chosen.connect(lambda _: self._follow())
        self.table.doubleClicked.connect(lambda _: self.resume_button.click())
        self.told = QLabel()
        self.told.setWordWrap(True)
        self.told.setProperty("role", "muted")
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        action = QDialogButtonBox.ButtonRole.ActionRole
        self.resume_button = buttons.addButton(tr("&Resume"), action)
        self.resume_button.setProperty("role", "primary")
        self.adapter_button = buttons.addButton(tr("Look at its &adapter"), action)
        self.discard_button = buttons.addButton(tr("Move to &trash"), action)
        self.refresh_button = buttons.addButton(tr("Re&fresh"), action)
        self.resume_button.clicked.connect(self._resume)
        self.adapter_button.clicked.connect(self._look)
        self.discard_button.clicked.connect(self._discard)
        self.refresh_button.clicked.connect(self.refresh_wished)
        buttons.rejected.connect(self.reject)
        buttons.button(QDialogButtonBox.StandardButton.Close).setIcon(QIcon())
        for button in buttons.buttons():
            if isinstance(button, QPushButton):
                button.setAutoDefault(False)
        column = QVBoxLayout(self)
        column.addWidget(self.table, 1)
        column.addWidget(self.told)
        column.addWidget(buttons)
        width = self.fontMetrics().averageCharWidth()
        self.resize(min(180 * width, 1180), 30 * self.fontMetrics().height())
        self._follow()

    def show_runs(self, runs: Sequence[RunSummary]) -> None:
        """Show these, those that were cut off first."""
        self.runs = tuple(sorted(runs, key=lambda run: not run.interrupted))
        self.table.show_rows([self._row(run) for run in self.runs])
        if self.runs:
            self.table.selectRow(0)
        self._follow()

    def chosen(self) -> RunSummary | None:
        """The run whose row is selected."""
        rows = self.table.selectionModel().selectedRows()
        return self.runs[rows[0].row()] if rows and rows[0].row() < len(self.runs) else None

    def refuse(self, message: str) -> None:
        """Say what could not be done."""
        theme.set_role(self.told, "error")
        self.told.setText(message)

    def _row(self, run: RunSummary) -> tuple[str, ...]:
        return (
            run.name,
            run.state or "—",
            run.title,
            str(run.rank),
            f"{run.alpha:g}",
            f"{run.step:,} / {run.max_steps:,}",
            number(run.loss),
            number(run.best),
            "—" if run.seconds != run.seconds else clock(run.seconds),
        )

    def _follow(self) -> None:
        run = self.chosen()
        step = resumable(Path(run.path)) if run is not None else None
        living = run is not None and run.state in ("running", "paused", "loading")
        ended = run is not None and step is not None and step >= run.max_steps
        self.resume_button.setEnabled(step is not None and not living and not ended)
        there = run is not None and (Path(run.path) / "adapter").is_dir()
        self.adapter_button.setEnabled(there)
        self.discard_button.setEnabled(run is not None and not living)
        theme.set_role(self.told, "muted")
        self.told.setText(self._words(run, step, living, ended))

    def _words(self, run: RunSummary | None, step: int | None, living: bool, ended: bool) -> str:
        if run is None:
            return self.tr("No runs yet: the first step of a training makes one.")
        if living:
            return self.tr("This run is open, here or in another window.")
        if ended:
            return self.tr("{} has come to its end.").format(run.name)
        if step is None:
            return self.tr("{} has no checkpoint, so it cannot be resumed.").format(run.name)
        lost = run.step - step
        words = self.tr("{} goes on at step {:,}, to the bit on this machine.").format(
            run.name, step
        )
        if run.interrupted and lost > 0:
            words += self.tr(" The {:,} steps after it were not saved and are made again.").format(
                lost
            )
        return words

    def _resume(self) -> None:
        if (run := self.chosen()) is not None and self.resume_button.isEnabled():
            self.resume_wished.emit(run.path)

    def _look(self) -> None:
        if (run := self.chosen()) is not None:
            self.adapter_wished.emit(str(Path(run.path) / "adapter"))

    def _discard(self) -> None:
        run = self.chosen()
        if run is None or not self.may_discard(run):
            return
        moved = QFile.moveToTrash(run.path)
        if not (moved if isinstance(moved, bool) else moved[0]):
            self.refuse(self.tr("{} could not be moved to the trash.").format(run.path))
            return
        self.show_runs([other for other in self.runs if other.path != run.path])

    def _ask_to_discard(self, run: RunSummary) -> bool:
        return ask(
            self,
            self.tr("Move this run to the trash?"),
            run.path,
            self.tr("&Move it"),
            self.tr("Keep it"),
        )
