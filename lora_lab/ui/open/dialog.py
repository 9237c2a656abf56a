"""Open a model and data of one's own: what is in it is seen before anything of it is trusted.

The card is read from headers on a thread of its own. Nothing is built here: `wished` carries the
settings of a run, and the session opens it beside what is shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QCloseEvent, QIcon
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from lora_lab.config import DType, RunConfig
from lora_lab.errors import LabError
from lora_lab.presets import STARTS, TASK_TITLES, starting_config
from lora_lab.progress import Report
from lora_lab.ui.open.recognised import recognise
from lora_lab.ui.open.source import ModelSource
from lora_lab.ui.open.tensors import TensorTable
from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import in_words, size_words
from lora_lab.ui.widgets.background import Background
from lora_lab.ui.widgets.busy import Busy
from lora_lab.ui.widgets.dialogs import ask, resize_within
from lora_lab.ui.widgets.form import Form, data_files

if TYPE_CHECKING:
    from lora_lab.models.inspect import ModelCard
    from lora_lab.training.devices import DeviceChoice

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2, "float64": 8}
SIGMAS = 6  # singular values that are written out


class OpenDialog(QDialog):
    """Source, card, task, data, device and type; `wished` is emitted once all of it fits."""

    wished = Signal(object)  # RunConfig
    adapter_wished = Signal(str)  # what was chosen is no model; the workshop opens it

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        tr = self.tr
        self.setWindowTitle(tr("Open a model and data"))
        self.card: ModelCard | None = None
        self.agrees = self._agrees  # asked before somebody's code is run
        self._path, self._is_adapter = "", False
        self._works: list[Background] = []

        self.source = ModelSource()
        self.source.chosen.connect(self.look_at)
        self.title = QLabel(
            tr("Choose a model: nothing of it is run, and what is in it is shown. Then name the "
               "data to train on. An adapter alone is opened in the workshop.")
        )  # fmt: skip
        self.title.setWordWrap(True)
        self._details = QLabel()
        self._details.setProperty("role", "muted")
        self._details.setWordWrap(True)
        self._notes = QLabel()
        self._notes.setProperty("role", "warn")
        self._notes.setWordWrap(True)
        self.workshop_button = QPushButton(tr("Open it in the &workshop"))
        self.workshop_button.clicked.connect(self._on_workshop)
        self.search = QLineEdit()
        self.search.setPlaceholderText(tr("Search the tensors"))
        self.search.setAccessibleName(tr("Search the tensors"))
        self.search.setClearButtonEnabled(True)
        self.table = TensorTable()
        self.search.textChanged.connect(self.table.search)
        self.sigma_button = QPushButton(tr("Singular &values"))
        self.sigma_button.setToolTip(tr("of the tensor that is selected"))
        self.sigma_button.clicked.connect(self._on_sigma)
        self.table.selectionModel().selectionChanged.connect(self._follow)
        self._sigma = QLabel()
        self._sigma.setProperty("role", "muted")
        self.busy = Busy(tr("Progress of looking"))
        self.busy.cancelled.connect(self._on_cancelled)
        self._sigma.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)

        self.task_combo = QComboBox()
        for task in STARTS:
            self.task_combo.addItem(in_words(TASK_TITLES[task]), task)
        self.task_combo.currentIndexChanged.connect(self._follow)
        self.data_edit = QLineEdit()
        self.data_edit.setAccessibleName(tr("Data"))
        self.data_edit.textChanged.connect(self._follow)
        browse = QPushButton(tr("&Browse…"))
        browse.clicked.connect(self._browse_data)
        self.device_combo = QComboBox()
        self.device_combo.addItem("CPU", "cpu")  # which is always there; others may be offered
        self.dtype_combo = QComboBox()
        self.dtype_combo.setAccessibleName(tr("Type of the base's numbers"))
        for name in get_args(DType):
            self.dtype_combo.addItem(name, name)
        self.dtype_combo.currentIndexChanged.connect(self._follow)
        self._memory = QLabel()
        self._memory.setProperty("role", "muted")
        self._memory.setWordWrap(True)
        self.factory_edit = QLineEdit()
        self.factory_edit.setPlaceholderText(tr("module:function, for nets that are no plain ones"))
        self.factory_edit.textChanged.connect(self._follow)
        self._form = Form(widest=tr("Device"))
        self._form.add(tr("&Task"), self.task_combo)
        self._form.add(tr("D&ata"), self.data_edit, browse)
        self._form.add(tr("De&vice"), self.device_combo, self.dtype_combo)
        self._form.add(tr("Fac&tory"), self.factory_edit)
        self._form.add("", self._memory)
        self.data_edit.setMinimumWidth(30 * self.fontMetrics().averageCharWidth())

        kinds = QDialogButtonBox.StandardButton
        buttons = QDialogButtonBox(kinds.Open | kinds.Cancel)
        self.open_button = buttons.button(kinds.Open)
        self.open_button.setProperty("role", "primary")
        for kind in (kinds.Open, kinds.Cancel):
            buttons.button(kind).setIcon(QIcon())
        buttons.accepted.connect(self._on_open)
        buttons.rejected.connect(self.reject)

        column = QVBoxLayout(self)
        column.setContentsMargins(18, 14, 18, 14)
        column.setSpacing(9)
        column.addWidget(self.source)
        column.addWidget(self.title)
        column.addWidget(self._details)
        column.addWidget(self._notes)
        column.addWidget(self.workshop_button, 0, Qt.AlignmentFlag.AlignLeft)
        row = QHBoxLayout()
        row.addWidget(self.search, 1)
        row.addWidget(self.sigma_button)
        column.addLayout(row)
        column.addWidget(self.table, 1)
        column.addWidget(self._sigma)
        column.addWidget(self.busy)
        column.addStretch(0)
        column.addLayout(self._form)
        column.addWidget(buttons)
        em = self.fontMetrics().horizontalAdvance("m")
        resize_within(self, 56 * em, 46 * self.fontMetrics().height())
        self._card_widgets = (self.search, self.sigma_button, self.table)
        self._follow()

    def look_at(self, path: str) -> None:
        """Read the card of what lies at `path`, beside the window."""
        self._path, self.card, self._is_adapter = path, None, False
        self._tell(self.tr("Looking at {}…").format(Path(path).name), "muted")
        self._sigma.clear()
        self.table.tensors.show_tensors(())

        def work(report: Report) -> Any:
            from lora_lab.models.inspect import describe

            if recognise(path).kind == "adapter":
                return path, None
            return path, describe(path, report)

        self.busy.begin(self.tr("Looking"))
        self._start(work, self._on_card, lambda message: self._on_refused(path, message))
        self._follow()

    def offer_devices(self, choices: Iterable[DeviceChoice]) -> None:
        """Let one of these be chosen; what was chosen before stays where it is among them."""
        chosen = self.device_combo.currentData()
        self.device_combo.clear()
        for choice in choices:
            if choice.available:
                self.device_combo.addItem(choice.label, choice.name)
        self.device_combo.setCurrentIndex(max(0, self.device_combo.findData(chosen)))

    def show_config(self, config: RunConfig) -> None:
        """Begin with the model and data of a run of one's own."""
        if config.model and config.task in STARTS:
            self.source.show_path(config.model)
            self.task_combo.setCurrentIndex(self.task_combo.findData(config.task))
            self.data_edit.setText(config.data or "")
            self.dtype_combo.setCurrentText(config.dtype)
            self.factory_edit.setText(config.factory)

    def finish(self) -> None:
        """End what runs beside the window."""
        for work in self._works:
            work.cancel()
        for work in self._works:
            work.join(5.0)
        self.source.finish()

    def closeEvent(self, event: QCloseEvent) -> None:
        self.source.call_off()
        super().closeEvent(event)

    def _start(self, work: Any, done: Any, failed: Any) -> None:
        made = Background(work, self)
        made.told.connect(self.busy.tell)
        made.done.connect(lambda _: self.busy.end())
        made.done.connect(done)
        for broken in (made.failed, made.broke):
            broken.connect(lambda _: self.busy.end())
            broken.connect(failed)
        for other in self._works:
            other.cancel()  # what is asked for now counts
        self._works = [other for other in self._works if not other.join(0)] + [made]
        made.start()

    def _on_cancelled(self) -> None:
        """What is being looked at, or computed, is left; what was shown stays."""
        for work in self._works:
            work.cancel()
        self._sigma.clear()
        if self.card is None:
            self._path = ""
            self._tell(self.tr("Called off. Choose a model."), "muted")
        self._follow()

    def _on_card(self, found: tuple[str, ModelCard | None]) -> None:
        path, card = found
        if path != self._path:
            return
        self.card = card
        named = Path(path).name
        if card is None:
            self._is_adapter = True
            words = self.tr("{} is an adapter, not a model. The workshop shows what is in it, cuts "
                            "it smaller, merges and converts it.")  # fmt: skip
            self._tell(words.format(named), "warn")
            self._follow()
            return
        self._tell(
            self.tr("{}: {:,} parameters in {:,} tensors, {}, {}").format(
                named, card.parameters, len(card.tensors), size_words(card.bytes), card.kind
            ),
            "title",
        )
        self._details.setText(" · ".join(f"{label} {value}" for label, value in card.details))
        self._notes.setText("\n".join(card.notes))
        self.table.tensors.show_tensors(card.tensors)
        if card.tasks:
            self.task_combo.setCurrentIndex(self.task_combo.findData(card.tasks[0]))
        self._follow()

    def _on_refused(self, path: str, message: str) -> None:
        if path == self._path:
            self._tell(message, "error")
            self._follow()

    def _tell(self, words: str, role: str) -> None:
        self.title.setText(words)
        theme.set_role(self.title, role)
        self._details.clear()
        self._notes.clear()

    def _on_sigma(self) -> None:
        tensor, path = self.table.chosen(), self._path
        if tensor is None:
            return
        self._sigma.setText(self.tr("Computing…"))
        self._follow()

        def work(report: Report) -> Any:
            from lora_lab.analysis.rank import effective_rank, stable_rank
            from lora_lab.models.inspect import singular_values

            sigma = singular_values(path, tensor.name, report)
            return sigma, stable_rank(sigma), effective_rank(sigma)

        self.busy.begin(self.tr("Singular values"))
        self._start(work, self._on_spectrum, self._sigma.setText)

    def _on_spectrum(self, found: Any) -> None:
        sigma, stable, effective = found
        listed = "  ".join(f"{value:.4g}" for value in sigma[:SIGMAS])
        more = f" … {sigma[-1]:.3g}" if len(sigma) > SIGMAS else ""
        self._sigma.setText(
            self.tr("σ {}   ({:,} values; stable rank {:.3g}, effective rank {:.4g})").format(
                listed + more, len(sigma), stable, effective
            )
        )
        self._follow()

    def _follow(self, *_: object) -> None:
        """Bring what can be pressed in line with what was chosen."""
        card, task = self.card, self.task_combo.currentData()
        for widget in self._card_widgets:
            widget.setVisible(card is not None)
        self.workshop_button.setVisible(self._is_adapter)
        for told in (self._details, self._notes, self._sigma):
            told.setVisible(bool(told.text()))
        items = self.task_combo.model()
        for row in range(self.task_combo.count()):
            able = card is None or self.task_combo.itemData(row) in card.tasks
            items.item(row).setEnabled(able)  # what this model cannot be opened for stays grey
        self.sigma_button.setEnabled(card is not None and self.table.chosen() is not None)
        single = card is not None and card.kind in ("safetensors", "PyTorch archive")
        self._form.setRowVisible(self.factory_edit, single)
        fits = card is not None and (task in card.tasks)
        self.open_button.setEnabled(fits and bool(self.data_edit.text().strip()))
        wanted = {
            "causal_lm": self.tr("text, prompts and completions, or chats: JSONL, CSV, Parquet"),
            "text_classification": self.tr("texts and labels: CSV, JSONL or Parquet"),
            "image_classification": self.tr("a folder with a folder of images per class, or IDX"),
        }[task]
        self.data_edit.setPlaceholderText(wanted)
        self._memory.setText(self._memory_words(fits))

    def _memory_words(self, fits: bool) -> str:
        card = self.card
        if card is None:
            return ""
        if not fits:
            return self.tr("{} cannot be opened for this task.").format(Path(self._path).name)
        import psutil

        if not self.data_edit.text().strip():
            theme.set_role(self._memory, "muted")
            return self.tr("Now name the data to train on.")
        dtype = self.dtype_combo.currentData()
        weights = card.parameters * BYTES[dtype]
        free = psutil.virtual_memory().available
        words = self.tr("The weights take {} as {}; {} are free here").format(
            size_words(weights), dtype, size_words(free)
        )
        theme.set_role(self._memory, "muted" if weights < 0.6 * free else "warn")
        return words + self.tr(". What a step takes is estimated once it is open.")

    def _browse_data(self) -> None:
        if self.task_combo.currentData() == "image_classification":
            found = QFileDialog.getExistingDirectory(self, self.tr("Folder of the images"))
        else:
            title, start = self.tr("Data to train on"), self.data_edit.text() or str(Path.home())
            found, _ = QFileDialog.getOpenFileName(self, title, start, data_files())
        if found:
            self.data_edit.setText(found)

    def _on_workshop(self) -> None:
        self.accept()
        self.adapter_wished.emit(self._path)

    def _on_open(self) -> None:
        task = self.task_combo.currentData()
        factory = self.factory_edit.text().strip() if self.factory_edit.isVisibleTo(self) else ""
        try:
            if factory and not self.agrees(factory):
                return
            config = starting_config(
                task,
                model=self._path,
                data=str(Path(self.data_edit.text().strip()).expanduser()),
                device=self.device_combo.currentData(),
                dtype=self.dtype_combo.currentData(),
                factory=factory,
            )
        except LabError as error:
            self._tell(str(error), "error")
            return
        self.accept()
        self.wished.emit(config)

    def _agrees(self, factory: str) -> bool:
        from lora_lab.models.factory import describe_factory

        return ask(
            self,
            self.tr("Run this code?"),
            describe_factory(factory),
            self.tr("&Run it"),
            self.tr("Cancel"),
        )
