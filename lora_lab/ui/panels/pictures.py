"""Images of the data in rows: those that were read, or those that the model gets wrong."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QListView, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from lora_lab.measured import WrongRecord
from lora_lab.opening_records import DataRow
from lora_lab.ui.panels.data_row import THUMB, thumbnail
from lora_lab.ui.style.figures import entry, plain_tip
from lora_lab.ui.widgets.controls import Combo
from lora_lab.ui.widgets.labels import label, show


class Pictures(QListWidget):
    """Small images, each with its words below."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setIconSize(QSize(THUMB, THUMB))
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMovement(QListView.Movement.Static)
        self.setSpacing(4)

    def show_rows(self, rows: Sequence[DataRow]) -> None:
        self.clear()
        for row in rows:
            if row.image is not None:
                item = QListWidgetItem(QIcon(thumbnail(row.image)), entry(row.label))
                tip = self.tr("image {:,}, {}").format(row.number, row.label)
                item.setToolTip(plain_tip(tip))
                self.addItem(item)


class WrongPictures(QWidget):
    """The misclassified ones, of all classes or of one."""

    def __init__(self) -> None:
        super().__init__()
        self._record: WrongRecord | None = None
        self.class_combo = Combo()
        self.class_combo.setAccessibleName(self.tr("Class of the images"))
        self.class_combo.setSizeAdjustPolicy(Combo.SizeAdjustPolicy.AdjustToContents)
        self.class_combo.currentIndexChanged.connect(self._show)
        self.words = label(role="small")
        self.words.setWordWrap(True)
        self.pictures = Pictures(self.tr("Misclassified images"))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.class_combo)
        column.addWidget(self.words)
        column.addWidget(self.pictures, 1)
        self.reset()

    def reset(self) -> None:
        """Nothing is known yet, or no longer."""
        self._record = None
        self.class_combo.hide()
        self.pictures.clear()
        show(self.words, self.tr("Asking the model…"))

    def show_wrong(self, record: WrongRecord) -> None:
        """These from now on; the class that is chosen stays chosen."""
        chosen = self.class_combo.currentData()
        self._record = record
        self.class_combo.blockSignals(True)
        self.class_combo.clear()
        self.class_combo.addItem(self.tr("all classes ({:,} wrong)").format(sum(record.counts)), -1)
        rows = zip(record.classes, record.counts, record.total, strict=True)
        for place, (name, wrong, total) in enumerate(rows):
            words = self.tr("{}: {:,} of {:,} wrong").format(name, wrong, total)
            self.class_combo.addItem(words, place)
        self.class_combo.setCurrentIndex(max(0, self.class_combo.findData(chosen)))
        self.class_combo.blockSignals(False)
        self.class_combo.show()
        self._show()

    def refuse(self, message: str) -> None:
        """It could not be found out."""
        self.reset()
        show(self.words, message)

    def _show(self) -> None:
        record = self._record
        if record is None:
            return
        chosen = self.class_combo.currentData()
        rows = [row for row, of in zip(record.rows, record.of, strict=True) if chosen in (-1, of)]
        self.pictures.show_rows(rows)
        on = self.tr("adapter on") if record.enabled else self.tr("adapter off")
        words = self.tr("Validation images, true class → predicted, {} at step {:,}; the surest "
                        "mistakes of each class first.")  # fmt: skip
        show(self.words, words.format(on, record.step))
