"""Tables 5 and 6: sets of layers or ranks, each at its best rate, and the runs behind each row."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QMenu, QPushButton, QVBoxLayout, QWidget

from lora_lab.studies.tables import Row
from lora_lab.ui.style.figures import in_words, plain_number
from lora_lab.ui.widgets.figure_table import LayerTable
from lora_lab.ui.widgets.labels import TextLabel
from lora_lab.ui.widgets.table import select_row


class FoundRows(QWidget):
    """One table; its runs are opened from a menu."""

    run_requested = Signal(str)  # a run's folder

    def __init__(self, name: str, first: str, ranked: bool) -> None:
        """`ranked`: a row is a rank, and has no column for it besides."""
        super().__init__()
        self._ranked = ranked
        tr = self.tr
        self.rows: tuple[Row, ...] = ()
        self.words = TextLabel(wordWrap=True)
        self.words.setProperty("role", "muted")
        self.table = LayerTable(
            name,
            (first, *(() if ranked else ("r",)), tr("numbers"), tr("learning rate"),
             tr("accuracy"), tr("validation loss"), tr("runs")),
            (*(() if ranked else ("000",)), "0,000,000", "0.00003 *", "0.000 ± 0.000",
             "0.0e-06 ± 0e-06", "00"),
        )  # fmt: skip
        self.runs_button = QPushButton(tr("&Runs of this row"), autoDefault=False)
        self.runs_menu = QMenu(self)
        self.runs_button.setMenu(self.runs_menu)
        self.runs_menu.triggered.connect(lambda action: self.run_requested.emit(action.data()))
        self.table.chosen.connect(self._fill_menu)
        below = QHBoxLayout()
        below.addWidget(self.words, 1)
        below.addWidget(self.runs_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.addWidget(self.table, 1)
        column.addLayout(below)
        self._fill_menu(-1)

    def show_rows(self, rows: Sequence[Row], words: str) -> None:
        """The rows, and what is to be said below them."""
        chosen = self.table.selectionModel().selectedRows()
        self.rows = tuple(rows)
        self.table.show_rows([self._texts(row) for row in rows])
        edge = any(row.at_the_edge for row in rows)
        note = self.tr("* the smallest or largest rate that was tried: others may be better.")
        self.words.setText(f"{words} {note}" if edge else words)
        if rows:
            select_row(self.table, min(chosen[0].row() if chosen else 0, len(rows) - 1))

    def _texts(self, row: Row) -> tuple[str, ...]:
        rate = "—" if math.isnan(row.rate) else plain_number(row.rate)
        numbers = f"{row.numbers:,}" if row.numbers else "—"
        return (
            in_words(row.name), *(() if self._ranked else (str(row.rank or "—"),)), numbers,
            rate + (" *" if row.at_the_edge else ""), row.accuracy.words, row.loss.words,
            str(row.loss.n),
        )  # fmt: skip

    def _fill_menu(self, row: int) -> None:
        self.runs_menu.clear()
        runs = self.rows[row].loss.runs if 0 <= row < len(self.rows) else ()
        for run in runs:
            words = self.tr("seed {}: validation loss {:.3f}").format(run.config.seed, run.loss)
            action = self.runs_menu.addAction(words)
            action.setData(str(run.path))
        self.runs_button.setEnabled(bool(runs))
