"""Suggested ranks: what keeps 95 % and 99 % of ΔW's energy, and the validation loss of each cut."""

from __future__ import annotations

import statistics
from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QPushButton, QWidget

from lora_lab.measured import RankHintRecord
from lora_lab.training.commands import SuggestRank
from lora_lab.ui.style.figures import layer_words, rounded_percent
from lora_lab.ui.widgets.ask_dialog import AskDialog
from lora_lab.ui.widgets.dialogs import resize_to_text
from lora_lab.ui.widgets.figure_table import FigureGrid
from lora_lab.ui.widgets.plot import number
from lora_lab.ui.widgets.rows import RIGHT

PAGE = "choosing-a-rank#the-energy-curve"


class HintDialog(AskDialog):
    """A row for the adapter as it is, and one for each cut."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(self.tr("Suggest a rank"), self.tr("&Measure again"), parent, page=PAGE)
        self.lines = FigureGrid((22, 6))
        self.lines.grid.setColumnStretch(0, 1)
        self.lines.hide()
        self.use_buttons: list[QPushButton] = []
        self.body.addWidget(self.lines)
        self.body.addStretch(1)
        resize_to_text(self, 44, 15)

    def command(self) -> SuggestRank:
        return SuggestRank()

    def begin(self) -> None:
        self.lines.hide()
        words = self.tr("Measuring the validation loss at each cut, between two steps…")
        self.say("muted", words, busy=True)

    def show_result(self, record: RankHintRecord) -> None:
        """The figures of one step."""
        words = self.tr("A hint, as of step {:,}: energy is not importance, so look at the loss. ")
        if all(hint.rank == record.present for hint in record.hints):
            words += self.tr("ΔW uses all of its rank {:,}; a larger rank may help.")
        else:
            words += self.tr("ΔW was trained at rank {:,} and cannot indicate a larger one.")
        self.say("", words.format(record.step, record.present), busy=False)
        self.lines.clear()
        self.use_buttons = []
        heads = (
            self.tr("Energy kept"), self.tr("Rank"), self.tr("Median of layers"),
            self.tr("Validation loss"),
        )  # fmt: skip
        accuracies = record.accuracy is not None
        for column, head in enumerate((*heads, self.tr("Accuracy")) if accuracies else heads):
            self._put(0, column, head, "small")
        now = (self.tr("unchanged"), f"{record.present:,}", "")
        self._row(1, now, record.loss, record.accuracy, "muted")
        for row, hint in enumerate(record.hints, 2):
            median = f"{statistics.median(hint.ranks):g}"
            several = len(hint.ranks) > 1
            cells = (f"{100 * hint.share:.3g} %", f"{hint.rank:,}", median if several else "")
            self._row(row, cells, hint.loss, hint.accuracy, "")
            use = QPushButton(self.tr("Use {:,}").format(hint.rank))
            use.setAutoDefault(False)
            use.setEnabled(hint.rank != record.present)
            use.setToolTip(
                self.tr("Make it the default rank; none of {} needs more to keep this share.")
                .format(layer_words(len(hint.ranks)))
            )  # fmt: skip
            use.clicked.connect(partial(self.value_chosen.emit, "rank", hint.rank))
            self.lines.grid.addWidget(use, row, 5)
            self.use_buttons.append(use)
        self.lines.show()

    def summary(self) -> str:
        """The rows in words."""
        labels = (self.lines.grid.itemAt(at).widget() for at in range(self.lines.grid.count()))
        return ", ".join(w.text() for w in labels if isinstance(w, QLabel) and w.text())

    def _row(
        self, row: int, cells: tuple[str, ...], loss: float, accuracy: float | None, role: str
    ) -> None:
        figures = [*cells, number(loss, 4)]
        if accuracy is not None:
            figures.append(rounded_percent(accuracy))
        for column, text in enumerate(figures):
            self._put(row, column, text, role)

    def _put(self, row: int, column: int, text: str, role: str) -> None:
        self.lines.put(row, column, text, role, RIGHT if column else Qt.AlignmentFlag.AlignLeft)
