"""Open a model and data of one's own: what is in it is seen before anything of it is trusted.

The card is read from headers on a thread of its own. Nothing is built here: `requested` carries the
settings of a run, and the session opens it beside what is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from lora_lab.config import DType, RunConfig
from lora_lab.errors import LabError
from lora_lab.presets import starting_config
from lora_lab.task_info import TASKS, own_tasks
from lora_lab.ui.open.bits import BitsCombo
from lora_lab.ui.open.reader import ModelReader
from lora_lab.ui.open.source import ModelSource
from lora_lab.ui.open.tensors import TensorTable
from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import in_words, plain_tip, size_words
from lora_lab.ui.widgets.busy import Busy
from lora_lab.ui.widgets.consent import agrees_to_run
from lora_lab.ui.widgets.controls import Combo
from lora_lab.ui.widgets.dialogs import Button, button_row, dialog_column, resize_within
from lora_lab.ui.widgets.form import Form, data_files
from lora_lab.ui.widgets.labels import TextLabel, label

if TYPE_CHECKING:
    from lora_lab.models.inspect import ModelCard
    from lora_lab.training.devices import DeviceChoice


class OpenDialog(QDialog):
    """Source, card, task, data, device and type; `requested` is emitted once all of it fits."""

    requested = Signal(object)  # RunConfig
    adapter_requested = Signal(str)  # what was chosen is no model; the workshop opens it

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Open a model and data"))
        self.agrees: Callable[[str], bool] = partial(
            agrees_to_run, self
        )  # asked before somebody's code is run
        self.reader = ModelReader(self)
        self.source = ModelSource()
        self.source.chosen.connect(self.look_at)
        self.busy = Busy(self.tr("Inspection progress"))
        self.busy.cancelled.connect(self._on_cancelled)
        card = self._make_card()
        self._make_form()
        buttons = button_row(self, Button.Open | Button.Cancel)
        buttons.accepted.disconnect()
        buttons.accepted.connect(self._on_open)
        self.open_button = buttons.button(Button.Open)
        self.open_button.setProperty("role", "primary")
        reader = self.reader
        reader.begun.connect(self.busy.begin)
        reader.progress.connect(self.busy.show_progress)
        reader.ended.connect(self.busy.end)
        reader.read.connect(self._on_read)
        reader.refused.connect(self._on_refused)
        reader.sigma_read.connect(self._on_sigma_read)

        column = dialog_column(self, 9)
        column.addWidget(self.source)
        column.addLayout(card, 1)
        column.addWidget(self.busy)
        column.addLayout(self._form)
        column.addWidget(buttons)
        em = self.fontMetrics().horizontalAdvance("m")
        resize_within(self, 56 * em, 46 * self.fontMetrics().height())
        self._update()

    def _make_card(self) -> QVBoxLayout:
        """What is in the model: a headline, details, notes, and a table of its tensors."""
        tr = self.tr
        self.title = TextLabel(
            tr("Choose a model: its contents are shown, and nothing in it is executed. Then "
               "choose the training data. An adapter alone opens in the workshop."),
            wordWrap=True,
        )  # fmt: skip
        self._details, self._notes, self.sigma = label(role="muted"), label(role="warn"), label()
        for words in (self._details, self._notes):
            words.setWordWrap(True)
        theme.set_role(self.sigma, "muted")
        self.sigma.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.workshop_button = QPushButton(tr("Open it in the &workshop"))
        self.workshop_button.clicked.connect(self._on_workshop)
        self.search = QLineEdit(placeholderText=tr("Search the tensors"), clearButtonEnabled=True)
        self.search.setAccessibleName(tr("Search the tensors"))
        self.table = TensorTable()
        self.search.textChanged.connect(self.table.search)
        self.sigma_button = QPushButton(tr("Singular &values"))
        self.sigma_button.setToolTip(tr("of the tensor that is selected"))
        self.sigma_button.clicked.connect(self._on_sigma)
        self.table.selectionModel().selectionChanged.connect(self._update)
        self._card_widgets = (self.search, self.sigma_button, self.table)
        row = QHBoxLayout()
        row.addWidget(self.search, 1)
        row.addWidget(self.sigma_button)
        column = QVBoxLayout(spacing=9)
        column.addWidget(self.title)
        column.addWidget(self._details)
        column.addWidget(self._notes)
        column.addWidget(self.workshop_button, 0, Qt.AlignmentFlag.AlignLeft)
        column.addLayout(row)
        column.addWidget(self.table, 1)
        column.addWidget(self.sigma)
        column.addStretch(0)  # while there is no table, words stand at the top
        return column

    def _make_form(self) -> None:
        """What is to be trained with it."""
        tr = self.tr
        self.task_combo = Combo()
        for task in own_tasks():
            self.task_combo.addItem(in_words(TASKS[task].title), task)
        self.task_combo.currentIndexChanged.connect(self._update)
        self.data_edit = QLineEdit()
        self.data_edit.setAccessibleName(tr("Data"))
        self.data_edit.textChanged.connect(self._update)
        browse = QPushButton(tr("&Browse…"))
        browse.clicked.connect(self._browse_data)
        self._quick: dict[str, str] = {}  # device → the dtype that it computes blocks in
        self.device_combo = Combo()
        self.device_combo.addItem("CPU", "cpu")  # which is always there; others may be offered
        self.dtype_combo = Combo()
        self.dtype_combo.setAccessibleName(tr("dtype of the base model"))
        for name in get_args(DType):
            self.dtype_combo.addItem(name, name)
        self.dtype_combo.currentIndexChanged.connect(self._update)
        self.bits_combo = BitsCombo()
        self.bits_combo.currentIndexChanged.connect(self._on_bits)
        self._memory = TextLabel(wordWrap=True)
        self.factory_edit = QLineEdit()
        self.factory_edit.setPlaceholderText(tr("module:function, for custom architectures"))
        self.factory_edit.textChanged.connect(self._update)
        self.reading_edit = QLineEdit()
        self.reading_edit.setPlaceholderText(tr("of a plain net; the readings that fit are listed"))
        self._form = Form(widest=tr("Device"))
        self._form.add(tr("&Task"), self.task_combo)
        self._form.add(tr("D&ata"), self.data_edit, browse)
        self._form.add(tr("De&vice"), self.device_combo, self.dtype_combo)
        self._form.add(tr("Base &in"), self.bits_combo)
        self._form.add(tr("Model fac&tory"), self.factory_edit)
        self._form.add(tr("&Reading"), self.reading_edit)
        self._form.add("", self._memory)
        self.data_edit.setMinimumWidth(30 * self.fontMetrics().averageCharWidth())

    @property
    def card(self) -> ModelCard | None:
        """What is in the model that was chosen, once it is read."""
        return self.reader.card

    def look_at(self, path: str) -> None:
        """Read the card of what lies at `path`, beside the window."""
        self._show_title(self.tr("Inspecting {}…").format(Path(path).name), "muted")
        self.sigma.clear()
        self.table.show_tensors(())
        self.reader.open(path)
        self._update()

    def offer_devices(self, choices: Iterable[DeviceChoice]) -> None:
        """Let one of these be chosen; what was chosen before stays where it is among them."""
        chosen = self.device_combo.currentData()
        self.device_combo.clear()
        for choice in choices:
            if choice.available:
                self._quick[choice.name] = choice.quick
                self.device_combo.addItem(choice.label, choice.name)
        self.device_combo.setCurrentIndex(max(0, self.device_combo.findData(chosen)))

    def show_config(self, config: RunConfig) -> None:
        """Begin with the model and data of a run of one's own."""
        if config.model and config.task in own_tasks():
            self.source.show_path(config.model)
            self.task_combo.setCurrentIndex(self.task_combo.findData(config.task))
            self.data_edit.setText(config.data or "")
            self.bits_combo.choose(config.base_bits)
            self.dtype_combo.setCurrentText(config.dtype)
            self.factory_edit.setText(config.factory)
            self.reading_edit.setText(config.reading)

    def finish(self) -> None:
        """End what runs beside the window."""
        self.reader.finish()
        self.source.finish()

    def closeEvent(self, event: QCloseEvent) -> None:
        self.source.cancel()
        super().closeEvent(event)

    def _on_cancelled(self) -> None:
        """What was shown before stays."""
        self.reader.cancel()
        self.sigma.clear()
        if self.card is None:
            self._show_title(self.tr("Cancelled. Choose a model."), "muted")
        self._update()

    def _on_read(self) -> None:
        card, name = self.card, self.reader.name
        if card is None:
            words = self.tr("{} is an adapter, not a model. The workshop inspects, resizes, "
                            "merges and converts it.")  # fmt: skip
            self._show_title(words.format(name), "warn")
            self._update()
            return
        self._show_title(
            self.tr("{}: {:,} parameters in {:,} tensors, {}, {}").format(
                name, card.parameters, len(card.tensors), size_words(card.bytes), card.kind
            ),
            "title",
        )
        self._details.setText(" · ".join(f"{label} {value}" for label, value in card.details))
        self._notes.setText("\n".join(card.notes))
        self.table.show_tensors(card.tensors)
        if card.tasks:
            self.task_combo.setCurrentIndex(self.task_combo.findData(card.tasks[0]))
        self._update()

    def _on_refused(self, message: str) -> None:
        self._show_title(message, "error")
        self._update()

    def _show_title(self, words: str, role: str) -> None:
        self.title.setText(words)
        self.title.setToolTip(plain_tip(words))  # a long name may be cut
        theme.set_role(self.title, role)
        self._details.clear()
        self._notes.clear()

    def _on_sigma(self) -> None:
        if (tensor := self.table.chosen()) is not None:
            self.sigma.setText(self.tr("Computing…"))
            self._update()
            self.reader.measure_sigma(tensor.name)

    def _on_sigma_read(self, words: str) -> None:
        self.sigma.setText(words)
        self._update()

    def _update(self, *_: object) -> None:
        """Bring what can be pressed in line with what was chosen."""
        card, task = self.card, self.task_combo.currentData()
        for widget in self._card_widgets:
            widget.setVisible(card is not None)
        self.workshop_button.setVisible(self.reader.is_adapter)
        for words in (self._details, self._notes, self.sigma):
            words.setVisible(bool(words.text()))
        items = self.task_combo.model()
        for row in range(self.task_combo.count()):
            able = card is None or self.task_combo.itemData(row) in card.tasks
            items.item(row).setEnabled(able)  # what this model cannot be opened for stays grey
        self.sigma_button.setEnabled(card is not None and self.table.chosen() is not None)
        single = card is not None and card.kind in (
            "safetensors",
            "PyTorch archive",
            "NumPy archive",
        )
        self._form.setRowVisible(self.factory_edit, single)
        self._form.setRowVisible(self.reading_edit, single)
        self._form.setRowVisible(self.bits_combo, card is not None and not single)
        self.bits_combo.offer(card.kind if card is not None else "")
        fits = card is not None and (task in card.tasks)
        self.open_button.setEnabled(fits and bool(self.data_edit.text().strip()))
        self.data_edit.setPlaceholderText(in_words(TASKS[task].wants))
        words, tight = self._memory_words(fits)
        self._memory.setText(words)
        theme.set_role(self._memory, "warn" if tight else "muted")

    def _memory_words(self, fits: bool) -> tuple[str, bool]:
        """What is still missing, or the memory that it takes; and whether that is tight."""
        if self.card is None:
            return "", False
        if not fits:
            return self.tr("{} cannot be opened for this task.").format(self.reader.name), False
        if not self.data_edit.text().strip():
            return self.tr("Now choose the training data."), False
        return self.reader.memory_words(self.dtype_combo.currentData(), self._bits())

    def _bits(self) -> str:
        """How the base is to be held; a net of one file has no choice."""
        return self.bits_combo.bits if self.bits_combo.isVisibleTo(self) else "auto"

    def _on_bits(self) -> None:
        """A base in blocks is computed in bfloat16 where this machine is quick in it."""
        if self.bits_combo.packs and (best := self._quick.get(self.device_combo.currentData())):
            self.dtype_combo.setCurrentText(best)
        self._update()

    def _browse_data(self) -> None:
        if TASKS[self.task_combo.currentData()].data == "images":
            chosen = QFileDialog.getExistingDirectory(self, self.tr("Folder of the images"))
        else:
            title, start = self.tr("Training data"), self.data_edit.text() or str(Path.home())
            chosen, _ = QFileDialog.getOpenFileName(self, title, start, data_files())
        if chosen:
            self.data_edit.setText(chosen)

    def _on_workshop(self) -> None:
        self.accept()
        self.adapter_requested.emit(self.reader.path)

    def _on_open(self) -> None:
        task = self.task_combo.currentData()
        single = self.factory_edit.isVisibleTo(self)
        factory = self.factory_edit.text().strip() if single else ""
        try:
            if not self.agrees(factory):
                return
            config = starting_config(
                task,
                model=self.reader.path,
                data=str(Path(self.data_edit.text().strip()).expanduser()),
                device=self.device_combo.currentData(),
                dtype=self.dtype_combo.currentData(),
                base_bits=self._bits(),
                factory=factory,
                reading=self.reading_edit.text().strip() if single else "",
            )
        except LabError as error:
            self._show_title(str(error), "error")
            return
        self.accept()
        self.requested.emit(config)
