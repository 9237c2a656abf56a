"""The saves of the run that is shown: go back to one, or let a new run branch off from it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QPushButton, QVBoxLayout, QWidget

from lora_lab.ui.widgets.dialogs import button_row
from lora_lab.ui.widgets.figure_table import LayerTable
from lora_lab.ui.widgets.labels import TextLabel
from lora_lab.ui.widgets.table import select_row


class SavesDialog(QDialog):
    """A table of steps that can be restored, the newest first."""

    back_requested = Signal(int)  # step
    branch_requested = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        tr = self.tr
        self.setWindowTitle(tr("Revert"))
        self.steps: tuple[int, ...] = ()
        self.table = LayerTable(
            tr("Checkpoints"), (tr("Step"), tr("Saved"), tr("Reason")),
            ("00:00:00", max(tr("before an edit"), tr("earlier checkpoint"), key=len)),
        )  # fmt: skip
        self.empty = TextLabel(tr("Nothing has been saved yet. The first step will be."))
        self.about = TextLabel(
            tr(
                "Reverting drops the steps after the checkpoint from this run. A branch is a "
                "new run that starts there with the current settings; this run stays unchanged."
            )
        )
        self.about.setWordWrap(True)
        self.about.setProperty("role", "muted")
        buttons = button_row(self)
        action = QDialogButtonBox.ButtonRole.ActionRole
        self.back_button = buttons.addButton(tr("&Revert"), action)
        self.back_button.setProperty("role", "primary")
        self.branch_button = buttons.addButton(tr("&Branch"), action)
        self.back_button.clicked.connect(lambda: self._say(self.back_requested))
        self.branch_button.clicked.connect(lambda: self._say(self.branch_requested))
        for button in buttons.buttons():
            if isinstance(button, QPushButton):
                button.setAutoDefault(False)
        column = QVBoxLayout(self)
        column.addWidget(self.empty)
        column.addWidget(self.table, 1)
        column.addWidget(self.about)
        column.addWidget(buttons)
        width = self.fontMetrics().averageCharWidth()
        self.resize(70 * width, 20 * self.fontMetrics().height())
        self.show_saves([])

    def show_saves(self, saves: Sequence[tuple[int, Path]], near: int | None = None) -> None:
        """Show these (step, folder); the one nearest to step `near` is chosen, else the newest.

        A step with two is one row: it is reverted to before its edit.
        """
        by_step: dict[int, Path] = {}
        for step, path in sorted(saves, key=lambda save: save[1].name, reverse=True):
            by_step[step] = path  # at last the kept one
        newest = sorted(by_step.items(), reverse=True)
        self.steps = tuple(step for step, _ in newest)
        last = max((at for at, path in saves if not path.name.startswith("kept")), default=-1)
        rows = []
        for step, path in newest:
            try:
                clock = time.strftime("%H:%M:%S", time.localtime(path.stat().st_mtime))
            except OSError:
                clock = ""
            why = self.tr("latest checkpoint") if step == last else self.tr("earlier checkpoint")
            if path.name.startswith("kept"):
                why = self.tr("before an edit")
            rows.append((f"{step:,}", clock, why))
        self.table.show_rows(rows)
        if newest:
            far = [abs(step - (near if near is not None else newest[0][0])) for step in self.steps]
            select_row(self.table, far.index(min(far)))
        for button in (self.back_button, self.branch_button):
            button.setEnabled(bool(newest))
        self.empty.setVisible(not newest)

    def _say(self, signal) -> None:
        rows = self.table.selectionModel().selectedRows()
        if rows:
            self.hide()
            signal.emit(self.steps[rows[0].row()])
