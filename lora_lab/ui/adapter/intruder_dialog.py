"""Intruder dimensions layer by layer: asked for with a threshold, counted while one looks on."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from lora_lab.records import IntruderRecord
from lora_lab.ui.style import theme
from lora_lab.ui.widgets.figure_table import LayerTable
from lora_lab.ui.widgets.form import muted


class IntruderDialog(QDialog):
    """Stays open beside the training; what was counted stays when the counting is stopped."""

    count_wished = Signal(int, float)  # strongest directions per layer, threshold of |cos|
    stop_wished = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        tr = self.tr
        self.setWindowTitle(tr("Intruder dimensions"))
        self._records: list[IntruderRecord] = []
        about = QLabel(
            tr(
                "An intruder is a strong direction of W + ΔW that resembles none of W's own "
                "(|cos| below the threshold). Full fine-tuning makes few; where a low rank makes "
                "many, more of what the base knew is forgotten (Shuttleworth et al. 2024)."
            )
        )
        about.setWordWrap(True)
        about.setProperty("role", "muted")
        self.strongest_box = QSpinBox()
        self.strongest_box.setRange(1, 1000)
        self.strongest_box.setValue(10)
        self.threshold_box = QDoubleSpinBox()
        self.threshold_box.setRange(0.05, 1.0)
        self.threshold_box.setSingleStep(0.05)
        self.threshold_box.setValue(0.5)
        for box, name in (
            (self.strongest_box, tr("Strongest directions of each layer")),
            (self.threshold_box, tr("Threshold of the cosine")),
        ):
            box.setAccessibleName(name)
            box.setToolTip(name)
            box.setKeyboardTracking(False)
        self.count_button = QPushButton(tr("Co&unt"))
        self.count_button.setProperty("role", "primary")
        self.count_button.clicked.connect(self._on_count)
        asked = QHBoxLayout()
        asked.setSpacing(8)
        asked.addWidget(muted(tr("&Strongest"), self.strongest_box))
        asked.addWidget(self.strongest_box)
        asked.addSpacing(10)
        asked.addWidget(muted(tr("&Threshold"), self.threshold_box))
        asked.addWidget(self.threshold_box)
        asked.addStretch(1)
        asked.addWidget(self.count_button)
        self.bar = QProgressBar()
        self.bar.setAccessibleName(tr("Layers that were counted"))
        self.bar.setTextVisible(False)
        self.stop_button = QPushButton(tr("Sto&p"))
        self.stop_button.clicked.connect(self._on_stop)
        self._progress = QWidget()
        row = QHBoxLayout(self._progress)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.bar, 1)
        row.addWidget(self.stop_button)
        self.verdict = QLabel()
        self.verdict.setWordWrap(True)
        self.table = LayerTable(
            tr("Intruders of each layer"),
            (tr("Layer"), tr("Intruders"), tr("Places"), tr("Least |cos|")),
            ("10 of 1000", "1, 2, 3, 4, 5, …", "0.000"),
        )
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.button(QDialogButtonBox.StandardButton.Close).setIcon(QIcon())
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(18, 14, 18, 14)
        column.setSpacing(9)
        column.addWidget(about)
        column.addLayout(asked)
        column.addWidget(self._progress)
        column.addWidget(self.verdict)
        column.addWidget(self.table, 1)
        column.addStretch(0)  # while there is no table, words stand at the top
        column.addWidget(buttons)
        self.count_button.setDefault(True)
        metrics = self.fontMetrics()
        self.resize(46 * metrics.horizontalAdvance("m"), 26 * metrics.height())
        for later in (self._progress, self.verdict, self.table):
            later.hide()

    def begin(self, layers: int) -> None:
        """So many layers are going to be counted."""
        self._records = []
        self.table.show_rows([])
        self.table.show()
        self.bar.setRange(0, layers)
        self.bar.setValue(0)
        self._progress.show()
        self._tell("muted", self.tr("Each layer takes a moment between two steps."))
        self.count_button.setEnabled(False)
        self.stop_button.setEnabled(True)

    def show_record(self, record: IntruderRecord) -> None:
        """One more layer."""
        self._records.append(record)
        self.bar.setValue(len(self._records))
        rows = sorted(self._records, key=lambda r: -len(r.places))
        self.table.show_rows([_cells(r) for r in rows])
        self._tell("muted", self._summary())

    def end(self) -> None:
        """Nothing more is going to come."""
        if self.count_button.isEnabled():
            return
        self._settle()
        found = sum(len(r.places) for r in self._records)
        words = self._summary()
        if len(self._records) < self.bar.maximum():
            words += self.tr(" Stopped after {:,} of {:,} layers.").format(
                len(self._records), self.bar.maximum()
            )
        self._tell("warn" if found else "good", words)

    def refuse(self, message: str) -> None:
        """The counting could not go on."""
        self._settle()
        self._tell("error", message)

    def _summary(self) -> str:
        counted = [r for r in self._records if not r.reason]
        found, of = sum(len(r.places) for r in counted), sum(r.checked for r in counted)
        steps = sorted({r.step for r in self._records})
        when = f"{steps[0]:,}" if len(steps) == 1 else f"{steps[0]:,}–{steps[-1]:,}"
        words = self.tr("{:,} of {:,} strong directions are intruders, at step {}.").format(
            found, of, when
        )
        if left := len(self._records) - len(counted):
            words += self.tr(" {:,} {} too large to be looked at.").format(
                left, self.tr("layer is") if left == 1 else self.tr("layers are")
            )
        return words

    def _settle(self) -> None:
        focused = self.stop_button.hasFocus()
        self._progress.hide()
        self.count_button.setEnabled(True)
        self.count_button.setText(self.tr("Co&unt again"))
        if focused:
            self.count_button.setFocus()

    def _tell(self, role: str, words: str) -> None:
        theme.set_role(self.verdict, role)
        self.verdict.setText(words)
        self.verdict.show()

    def _on_count(self) -> None:
        self.count_wished.emit(self.strongest_box.value(), self.threshold_box.value())

    def _on_stop(self) -> None:
        self.stop_button.setEnabled(False)  # the layer in hand is finished
        self.stop_wished.emit()


def _cells(record: IntruderRecord) -> tuple[str, ...]:
    if record.reason:
        return record.layer, _tr("too large"), "—", "—"
    places = ", ".join(map(str, record.places[:5])) + (", …" if len(record.places) > 5 else "")
    least = f"{min(record.similarity):.3f}" if record.similarity else "—"
    found = _tr("{} of {}").format(len(record.places), record.checked)
    return record.layer, found, places or "—", least


def _tr(text: str) -> str:
    return QCoreApplication.translate("intruders", text)
