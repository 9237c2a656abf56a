"""The merge preview: what W + ΔW would lose of ΔW in each dtype, in words and layer by layer."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import QCoreApplication, Qt, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QDialogButtonBox,
    QFrame,
    QGridLayout,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from lora_lab.measured import LayerMerge, MergeRecord
from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import share_or_dash
from lora_lab.ui.widgets.table import dress

NOTHING = 1e-6  # ‖ΔW‖/‖W‖ below float32's rounding of W itself: as good as no change
HARMLESS = 0.01  # a loss that nobody would notice
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


def loss_words(loss: float) -> str:
    """How much of ΔW is lost: a share, beyond the dtype's range, or nothing to lose."""
    if math.isinf(loss):
        return _tr("overflow")
    if loss > 1:
        return _tr("all of it")  # rounding made something else of it
    return share_or_dash(loss)


def worst_layer(record: MergeRecord, place: int) -> LayerMerge | None:
    """The layer that loses most in the dtype at `place`; None where none has anything to lose."""
    known = [layer for layer in record.layers if not math.isnan(layer.loss[place])]
    return max(known, key=lambda layer: layer.loss[place], default=None)


def verdict(record: MergeRecord) -> tuple[str, str]:
    """A role of the theme, and in words what a merge would do and what to do instead."""
    if any(math.isnan(layer.relative_size) for layer in record.layers):
        return "error", _tr(
            "ΔW is not finite in some layer: it cannot be merged. Lower the learning rate or α, "
            "and train on from the last good step."
        )
    if not record.relative_size > NOTHING:
        return "warn", _tr("ΔW is zero: there is nothing to merge yet. Train first.")
    first, *narrow = range(len(record.dtypes))
    bad = [place for place in narrow if not record.loss[place] <= HARMLESS]
    if not record.loss[first] <= HARMLESS:
        bad = [first, *bad]
    if not bad:
        return "good", _tr("A merge keeps ΔW in every one of these types.")
    said = []
    for place in bad:
        name, loss = record.dtypes[place], record.loss[place]
        if math.isinf(loss):
            said.append(_tr("overflow in {}").format(name))
        else:
            said.append(_tr("lose {} of ΔW in {}").format(loss_words(loss), name))
    words = _tr("A merge would {}.").format(_tr(" and ").join(said))
    keeps = [record.dtypes[place] for place in range(len(record.dtypes)) if place not in bad]
    if keeps:
        advice = _tr("Export the adapter, which keeps ΔW exactly, or merge in {}.").format(
            _tr(" or ").join(keeps)
        )
    else:
        advice = _tr("Export the adapter, which keeps ΔW exactly.")
    return "warn", f"{words} {advice}"


class MergeDialog(QDialog):
    """Stays open beside the training window; `measure_wished` asks for the figures of now."""

    measure_wished = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Merge preview"))
        self._busy = False
        self.verdict_label = QLabel()
        self.verdict_label.setWordWrap(True)
        self.about_label = QLabel()
        self.about_label.setProperty("role", "muted")
        self.about_label.setWordWrap(True)
        self.lines = QFrame()
        self._grid = QGridLayout(self.lines)
        self._grid.setContentsMargins(0, 2, 0, 4)
        self._grid.setHorizontalSpacing(26)
        self._grid.setVerticalSpacing(4)
        self._grid.setColumnStretch(3, 1)
        self.table = QTableWidget()
        self.table.setAccessibleName(self.tr("Loss of each layer"))
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)

        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.button(QDialogButtonBox.StandardButton.Close).setIcon(QIcon())
        self.again_button = buttons.addButton(
            self.tr("&Measure again"), QDialogButtonBox.ButtonRole.ActionRole
        )
        self.again_button.clicked.connect(self.measure_wished)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(18, 14, 18, 14)
        column.setSpacing(8)
        column.addWidget(self.verdict_label)
        column.addWidget(self.about_label)
        column.addWidget(self.lines)
        column.addWidget(self.table, 1)
        column.addStretch(0)  # while there is no table, words stand at the top
        column.addWidget(buttons)
        metrics = self.fontMetrics()
        self.resize(52 * metrics.horizontalAdvance("m"), 24 * metrics.height())
        self.wait()
        self._busy = False  # until somebody asks for the figures

    @property
    def busy(self) -> bool:
        """Whether figures were asked for and have not come."""
        return self._busy

    def wait(self) -> None:
        """Figures are on their way; what is shown stays until they are here."""
        self._busy = True
        self.again_button.setEnabled(False)
        if not self.about_label.text():
            theme.set_role(self.verdict_label, "muted")
            self.verdict_label.setText(self.tr("Measuring between two steps…"))
            self.lines.hide()
            self.table.hide()

    def refuse(self, message: str) -> None:
        """The figures could not be had."""
        self._settle("error", message)

    def show_record(self, record: MergeRecord) -> None:
        """The figures of one step."""
        self._settle(*verdict(record))
        size = share_or_dash(record.relative_size)
        sample = self.tr(", from {:.0%} of the entries").format(record.share)
        self.about_label.setText(
            self.tr("‖ΔW‖ / ‖W‖ = {}, at step {:,}{}").format(
                size, record.step, sample if record.share < 1 else ""
            )
        )
        something = record.relative_size > NOTHING
        self.lines.setVisible(something)
        self.table.setVisible(something)
        if something:
            self._fill_lines(record)
            self._fill_table(record)

    def _settle(self, role: str, words: str) -> None:
        self._busy = False
        self.again_button.setEnabled(True)
        theme.set_role(self.verdict_label, role)
        self.verdict_label.setText(words)

    def _fill_lines(self, record: MergeRecord) -> None:
        while item := self._grid.takeAt(0):
            item.widget().deleteLater()
        heads = (self.tr("Merged in"), self.tr("ΔW lost"), self.tr("Worst layer"))
        for column, head in enumerate(heads):
            self._put(0, column, head, "small")
        for place, name in enumerate(record.dtypes):
            worst, loss = worst_layer(record, place), record.loss[place]
            self._put(place + 1, 0, name, "title")
            self._put(place + 1, 1, loss_words(loss), "good" if loss <= HARMLESS else "warn")
            if worst is not None:
                told = f"{loss_words(worst.loss[place])}  {worst.name}"
                self._put(place + 1, 2, told, "muted")

    def _put(self, row: int, column: int, text: str, role: str) -> None:
        label = QLabel(text)
        label.setProperty("role", role)
        label.setFont(theme.font())
        self._grid.addWidget(label, row, column)

    def _fill_table(self, record: MergeRecord) -> None:
        table, heads = self.table, (self.tr("Layer"), "‖ΔW‖/‖W‖", *record.dtypes)
        table.clear()
        table.setColumnCount(len(heads))
        table.setRowCount(len(record.layers))
        table.setHorizontalHeaderLabels(heads)
        dress(table)
        header = table.horizontalHeader()
        widest = max(map(self.fontMetrics().horizontalAdvance, ("‖ΔW‖/‖W‖", "< 0.0001 %"))) + 24
        for column in range(len(heads)):
            table.horizontalHeaderItem(column).setTextAlignment(RIGHT if column else LEFT)
            header.resizeSection(column, widest)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for row, layer in enumerate(record.layers):
            self._fill_row(row, layer)

    def _fill_row(self, row: int, layer: LayerMerge) -> None:
        texts: Sequence[str] = (
            layer.name,
            share_or_dash(layer.relative_size),
            *(loss_words(loss) for loss in layer.loss),
        )
        for column, text in enumerate(texts):
            item = QTableWidgetItem(text)
            item.setTextAlignment(RIGHT if column else LEFT)
            self.table.setItem(row, column, item)
        self.table.item(row, 0).setToolTip(layer.name)


def _tr(text: str) -> str:
    return QCoreApplication.translate("merge", text)
