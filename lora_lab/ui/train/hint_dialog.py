"""Suggested ranks: what keeps 95 % and 99 % of ΔW's energy, and the held-out loss of each cut."""

from __future__ import annotations

import statistics

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFrame,
    QGridLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from lora_lab.records import RankHintRecord
from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import counted
from lora_lab.ui.widgets.plot import number

RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
PAGE = "choosing-a-rank#the-energy-curve"


class HintDialog(QDialog):
    """A row for the adapter as it is, and one for each cut."""

    measure_wished = Signal()
    rank_wished = Signal(int)
    help_wished = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Suggest a rank"))
        self.busy = False
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.progress = QProgressBar()
        self.progress.setAccessibleName(self.tr("Progress of the measuring"))
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(6)
        self.progress.setRange(0, 0)
        self.lines = QFrame()
        self._grid = QGridLayout(self.lines)
        self._grid.setContentsMargins(0, 4, 0, 4)
        self._grid.setHorizontalSpacing(22)
        self._grid.setVerticalSpacing(6)
        self._grid.setColumnStretch(0, 1)
        self.use_buttons: list[QPushButton] = []
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.button(QDialogButtonBox.StandardButton.Close).setIcon(QIcon())
        self.again_button = buttons.addButton(
            self.tr("&Measure again"), QDialogButtonBox.ButtonRole.ActionRole
        )
        self.help_button = buttons.addButton(  # in this role at the left on every desktop
            self.tr("&How it works"), QDialogButtonBox.ButtonRole.ResetRole
        )
        self.again_button.clicked.connect(self.measure_wished)
        self.help_button.clicked.connect(lambda: self.help_wished.emit(PAGE))
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(18, 14, 18, 14)
        column.setSpacing(8)
        column.addWidget(self.words)
        column.addWidget(self.progress)
        column.addWidget(self.lines)
        column.addStretch(1)
        column.addWidget(buttons)
        em = self.fontMetrics().horizontalAdvance("m")
        self.resize(44 * em, 15 * self.fontMetrics().height())

    def wait(self) -> None:
        """Figures are on their way."""
        self.busy = True
        self.lines.hide()
        self._settle(
            "muted", self.tr("Measuring the held-out loss at each cut, between two steps…")
        )

    def refuse(self, message: str) -> None:
        """The figures could not be had."""
        self.busy = False
        self._settle("error", message)

    def show_record(self, record: RankHintRecord) -> None:
        """The figures of one step."""
        self.busy = False
        said = self.tr("A hint, as of step {:,}: energy is not importance, so look at the loss. ")
        if all(hint.rank == record.present for hint in record.hints):
            said += self.tr("ΔW uses all of its rank {:,}; a larger one may find more.")
        else:
            said += self.tr("ΔW was trained at rank {:,} and cannot ask for more than that.")
        self._settle("", said.format(record.step, record.present))
        while item := self._grid.takeAt(0):
            item.widget().deleteLater()
        self.use_buttons = []
        heads = (
            self.tr("Keeps of ‖ΔW‖²"), self.tr("Rank"), self.tr("Median of layers"),
            self.tr("Held-out loss"),
        )  # fmt: skip
        accuracies = record.accuracy is not None
        for column, head in enumerate((*heads, self.tr("Accuracy")) if accuracies else heads):
            self._put(0, column, head, "small")
        now = (self.tr("as it is"), f"{record.present:,}", "")
        self._row(1, now, record.loss, record.accuracy, "muted")
        for row, hint in enumerate(record.hints, 2):
            median = f"{statistics.median(hint.ranks):g}"
            several = len(hint.ranks) > 1
            told = (f"{100 * hint.share:.3g} %", f"{hint.rank:,}", median if several else "")
            self._row(row, told, hint.loss, hint.accuracy, "")
            use = QPushButton(self.tr("Use {:,}").format(hint.rank))
            use.setAutoDefault(False)
            use.setEnabled(hint.rank != record.present)
            use.setToolTip(
                self.tr("Make it the common rank; of {}, none needs more to keep this share.")
                .format(counted(len(hint.ranks), self.tr("layer")))
            )  # fmt: skip
            use.clicked.connect(lambda _=False, rank=hint.rank: self.rank_wished.emit(rank))
            self._grid.addWidget(use, row, 5)
            self.use_buttons.append(use)
        self.lines.show()

    def summary(self) -> str:
        """The rows in words."""
        told = []
        for index in range(self._grid.count()):
            widget = self._grid.itemAt(index).widget()
            if isinstance(widget, QLabel) and widget.text():
                told.append(widget.text())
        return ", ".join(told)

    def _row(
        self, row: int, told: tuple[str, ...], loss: float, accuracy: float | None, role: str
    ) -> None:
        figures = [*told, number(loss, 4)]
        if accuracy is not None:
            figures.append(f"{100 * accuracy:.1f} %")
        for column, text in enumerate(figures):
            self._put(row, column, text, role)

    def _put(self, row: int, column: int, text: str, role: str) -> None:
        label = QLabel(text)
        label.setProperty("role", role)
        label.setFont(theme.font())
        self._grid.addWidget(label, row, column, RIGHT if column else Qt.AlignmentFlag.AlignLeft)

    def _settle(self, role: str, words: str) -> None:
        self.progress.setVisible(self.busy)
        self.again_button.setEnabled(not self.busy)
        theme.set_role(self.words, role)
        self.words.setText(words)
