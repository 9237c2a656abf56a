"""What is exported: which step of the run, in which format and dtype, merged into which base."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from lora_lab.runs.exportable import BEST, LAST, Exportable
from lora_lab.ui.widgets.component_combo import ComponentCombo
from lora_lab.ui.widgets.controls import Combo
from lora_lab.ui.widgets.plot import number
from lora_lab.workshop.requests import DTYPES, FORMATS, MERGED


class Which(QWidget):
    """A list of saves with their validation losses, and how the chosen one is to be written."""

    save_chosen = Signal()
    format_chosen = Signal()

    def __init__(self, base: str) -> None:
        """`base`: where the base model lies; "" where that is not known."""
        super().__init__()
        tr = self.tr
        self.rows: tuple[Exportable, ...] = ()
        self.save_combo = Combo()
        self.save_combo.setAccessibleName(tr("Adapter to export, by its step"))
        self.save_combo.setToolTip(
            tr("The last step, the best by validation loss, or a checkpoint of the run")
        )
        self.save_combo.currentIndexChanged.connect(self.save_chosen)
        self.format_combo = Combo()
        self.format_combo.setAccessibleName(tr("Format"))
        for name, title, _, _ in FORMATS:
            self.format_combo.addItem(title, name)
        self.format_combo.addItem(tr("merged checkpoint (base model + ΔW)"), MERGED)
        self.format_combo.currentIndexChanged.connect(self._on_format)
        self.type_combo = Combo()
        self.type_combo.setAccessibleName(tr("dtype"))
        self.type_combo.setToolTip(tr("dtype of the factors; what the cast loses is reported"))
        self.type_combo.addItem(tr("keep dtype"), "")
        for name in DTYPES:
            self.type_combo.addItem(name, name)
        self.component_combo = ComponentCombo()
        self.base_edit = QLineEdit(base)
        self.base_edit.setAccessibleName(tr("Base model"))
        self.base_edit.setPlaceholderText(tr("folder or file of the base model"))
        self.untie = QCheckBox(tr("&untie a weight that is used twice"))
        self.untie.setToolTip(
            tr("Embedding and head get a weight each, where they share one in the base")
        )
        row = QHBoxLayout()
        row.addWidget(self.format_combo, 2)
        row.addWidget(self.type_combo, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        for part in (self.save_combo, row, self.component_combo, self.base_edit, self.untie):
            if isinstance(part, QHBoxLayout):
                column.addLayout(part)
            else:
                column.addWidget(part)
        self.show_saves((Exportable(LAST, 0),))
        self._show_parts()

    @property
    def format(self) -> str:
        return self.format_combo.currentData()

    def choose_format(self, name: str) -> None:
        """Choose it as a person would."""
        self.format_combo.setCurrentIndex(self.format_combo.findData(name))

    @property
    def merged(self) -> bool:
        return self.format == MERGED

    @property
    def save(self) -> Exportable:
        """The row that is chosen."""
        return self.rows[max(0, self.save_combo.currentIndex())]

    @property
    def dtype(self) -> str:
        return "" if self.merged else self.type_combo.currentData()

    @property
    def base(self) -> str:
        """Where the base model lies, for a format that needs its weights."""
        text = self.base_edit.text().strip() if self.merged else ""
        return str(Path(text).expanduser()) if text else ""

    def show_saves(self, rows: Sequence[Exportable]) -> None:
        """List these; the one that is chosen stays chosen, or else the last step is."""
        if tuple(rows) == self.rows or self.save_combo.view().isVisible():
            return
        chosen = self.save.at if self.rows else LAST
        self.rows = tuple(rows)
        with QSignalBlocker(self.save_combo):
            self.save_combo.clear()
            for row in rows:
                self.save_combo.addItem(self._words(row), row.at)
            self.save_combo.setCurrentIndex(max(0, self.save_combo.findData(chosen)))
        self.save_chosen.emit()

    def _words(self, row: Exportable) -> str:
        kinds = {LAST: self.tr("Last step {:,}"), BEST: self.tr("Best step {:,}")}
        words = kinds.get(row.at, self.tr("Checkpoint of step {:,}")).format(row.step)
        if row.before_edit:
            words += self.tr(", before an edit")
        if row.loss == row.loss:
            words += self.tr(" · validation loss {}").format(number(row.loss, 4))
        return words

    def _on_format(self) -> None:
        self._show_parts()
        self.format_chosen.emit()

    def _show_parts(self) -> None:
        self.type_combo.setVisible(not self.merged)
        self.base_edit.setVisible(self.merged)
        self.untie.setVisible(self.merged)
        self.component_combo.follow(self.format)
