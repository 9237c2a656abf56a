"""Several adapters at once: a strength for each, the loss and a text live, and interference."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QT_TRANSLATE_NOOP, QTimer
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QPushButton,
    QTextBrowser,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from lora_lab.measured import GeneratedRecord, InterferenceRecord, MixRecord
from lora_lab.opening_records import LoadedRecord
from lora_lab.records import CancelledRecord, ErrorRecord, EvalRecord, Record
from lora_lab.training.commands import Generate
from lora_lab.training.questions import EvaluateMix, MeasureInterference
from lora_lab.ui.panels.generation import answers_html
from lora_lab.ui.panels.interference import InterferenceTable
from lora_lab.ui.panels.panel import Columns, Panel
from lora_lab.ui.panels.strengths import MOST, Strength, name_of
from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import rounded_percent
from lora_lab.ui.style.theme import Colors
from lora_lab.ui.widgets.labels import label, show
from lora_lab.ui.widgets.plot import number
from lora_lab.variants import VARIANTS
from lora_lab.workshop.requests import Mix, Source

SETTLE_MS = 150  # of a slider, before the loss is asked for
TOKENS = 40


class MixPanel(Panel):
    """The adapter in training and files of others over one base; the run itself is not touched."""

    key = "mix"
    name = QT_TRANSLATE_NOOP("Panel", "Adapter mix")
    folded = True

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows: list[Strength] = []
        self._asked: EvaluateMix | None = None  # whose answer has not come
        self._again = False  # the strengths have moved meanwhile
        self._answer: MixRecord | None = None
        self._text: GeneratedRecord | None = None
        self._off: float | None = None  # validation loss of the base model
        self._settle = QTimer(
            self.body, singleShot=True, interval=SETTLE_MS, timeout=self._ask_loss
        )
        self.add_button = QToolButton()
        self.add_button.setText(self.tr("Add adapter"))
        self.add_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self.add_button)
        menu.addAction(self.tr("A folder…"), self._choose_folder)
        menu.addAction(self.tr("A file…"), self._choose_file)
        self.add_button.setMenu(menu)
        self.compare_button = QPushButton(self.tr("Interference"))
        self.compare_button.setToolTip(
            self.tr("Cosines and principal angles of the adapters, layer by layer")
        )
        self.compare_button.clicked.connect(self._ask_interference)
        self.loss = label(role="title")
        self.loss.setWordWrap(True)
        self.head.addWidget(self.compare_button)
        self.head.addStretch(1)
        self.head.addWidget(self.add_button)
        self.message = label(role="small")
        self.message.setWordWrap(True)
        self._column = QVBoxLayout()
        self._column.setSpacing(2)
        self.prompt = QLineEdit()
        self.prompt.setAccessibleName(self.tr("Prompt for the mixture"))
        self.prompt.setPlaceholderText(self.tr("A prompt for the mixture"))
        self.prompt.returnPressed.connect(self._generate)
        self.generate_button = QPushButton(self.tr("Generate"))
        self.generate_button.clicked.connect(self._generate)
        self.text = QTextBrowser()
        self.text.setOpenLinks(False)
        self.text.setAccessibleName(self.tr("Generated text, adapters off and the mixture on"))
        self.table = InterferenceTable()
        ask = QHBoxLayout()
        ask.addWidget(self.prompt, 1)
        ask.addWidget(self.generate_button)
        self.body.addLayout(self._column)
        self.body.addWidget(self.loss)
        self.body.addWidget(self.message)
        self.body.addLayout(ask)
        self.body.addWidget(self.text, 1)
        self.body.addWidget(self.table, 1)
        self.body.addStretch(0)

    # -- what takes part -------------------------------------------------------------------------

    @property
    def mix(self) -> Mix:
        """As the strengths stand."""
        own = sum(row.value for row in self.rows if row.source is None)
        terms = tuple((row.source, row.value) for row in self.rows if row.source is not None)
        return Mix(terms, own)

    def add(self, path: str) -> None:
        """One more adapter, at strength 1; what is wrong with it the engine says."""
        sources = [row.source.path for row in self.rows if row.source]
        if path in sources:
            show(self.message, self.tr("{} is here already.").format(name_of(path)))
        elif len(sources) >= MOST:
            show(self.message, self.tr("{} files at most: merge some of them.").format(MOST))
        else:
            self._add_row(Strength(Source(path), name_of(path), 1.0))
            self.table.forget()
            self._moved()

    def _add_row(self, row: Strength) -> None:
        row.moved.connect(self._moved)
        row.removed.connect(lambda: self._remove(row))
        self.rows.append(row)
        self._column.addWidget(row)
        self.dirty = True

    def _drop(self, row: Strength) -> None:
        self.rows.remove(row)
        self._column.removeWidget(row)
        row.deleteLater()

    def _remove(self, row: Strength) -> None:
        self._drop(row)
        self.table.forget()
        self._moved()

    def _choose_folder(self) -> None:
        if path := QFileDialog.getExistingDirectory(self, self.tr("Adapter")):
            self.add(path)

    def _choose_file(self) -> None:
        endings = self.tr("Adapters (*.safetensors *.gguf *.pt *.pth *.bin);;All files (*)")
        path, _ = QFileDialog.getOpenFileName(self, self.tr("Adapter"), "", endings)
        if path:
            self.add(path)

    def reset(self, loaded: LoadedRecord) -> None:
        """Another model: files of the one before may be for another base, so they go."""
        for row in list(self.rows):
            self._drop(row)
        self._asked = self._answer = self._text = self._off = None
        self._again = False
        self._settle.stop()
        if VARIANTS[loaded.variant].factored:
            self._add_row(Strength(None, self.tr("this run"), 1.0))
        self.prompt.setText(loaded.prompts[0] if loaded.prompts else "")
        self.prompt.setCursorPosition(0)
        self.table.forget()
        show(self.message, "")
        self.dirty = True

    # -- questions -------------------------------------------------------------------------------

    def _moved(self) -> None:
        self._again = True
        if self._asked is not None:
            self.command_cancelled.emit(self._asked)
        self._settle.start()
        self.dirty = True

    def _ask_loss(self) -> None:
        if self._asked is None:
            self._again = False
            self._asked = EvaluateMix(self.mix)
            self.command_asked.emit(self._asked)
            self.dirty = True

    def _ask_interference(self) -> None:
        show(self.message, self.tr("Comparing…"))
        self.command_asked.emit(MeasureInterference(self.mix))

    def _generate(self) -> None:
        prompt = self.prompt.text()
        if prompt.strip():
            self.generate_button.setEnabled(False)
            self.command_asked.emit(Generate((prompt,), TOKENS, mix=self.mix))

    def receive(self, records: Sequence[Record]) -> None:
        for record in records:
            self._take(record)

    def _take(self, record: Record) -> None:
        if isinstance(record, MixRecord) and self._asked and record.mix is self._asked.mix:
            self._answer = record
            show(self.message, self.table.words)
            self._done()
        elif isinstance(record, InterferenceRecord):
            names = [name_of(p) if p else self.tr("this run") for p in record.paths]
            self.table.show_record(record, names)
            show(self.message, self.table.words)
        elif isinstance(record, GeneratedRecord) and record.mix is not None:
            self._text = record
            self.generate_button.setEnabled(True)
            self.dirty = True
        elif isinstance(record, EvalRecord) and not record.enabled:
            self._off = record.loss
            self.dirty = True
        elif isinstance(record, CancelledRecord):
            if record.command == EvaluateMix.__name__:
                self._done()
        elif isinstance(record, ErrorRecord):
            self._refuse(record)

    def _refuse(self, record: ErrorRecord) -> None:
        ours = record.ends(EvaluateMix) and self._asked is not None
        if ours or record.ends(MeasureInterference) or record.ends(Generate):
            show(self.message, record.message)
            self.generate_button.setEnabled(True)
        if ours:
            self._answer = None
            self._done()

    def _done(self) -> None:
        self._asked = None
        self.dirty = True
        if self._again:
            self._settle.start()

    # -- drawing ---------------------------------------------------------------------------------

    def redraw(self) -> None:
        self.dirty = False
        loaded = self.standing.loaded
        if loaded is None:
            self.say(self.tr("Open a run: its base model is what adapters are mixed over."))
            return
        self.say("")
        show(self.loss, self._loss_words())
        several = len(self.rows) > 1
        self.compare_button.setVisible(several)
        self.table.setVisible(bool(self.table.words))
        for part in (self.prompt, self.generate_button):
            part.setVisible(loaded.generates)
        self.text.setVisible(loaded.generates and self._text is not None)
        if self._text is not None:
            self.text.setHtml(answers_html([self._text], theme.current(), diff=True))
        if not self.message.text() and not any(row.source for row in self.rows):
            show(self.message, self.tr("Add adapters of this base, and drag their strengths."))

    def _loss_words(self) -> str:
        if self._asked is not None:
            return self.tr("Measuring…")
        if self._answer is None:
            return ""
        words = self.tr("validation loss {}").format(number(self._answer.loss, 4))
        if self._answer.accuracy is not None:
            words += self.tr(", accuracy {}").format(rounded_percent(self._answer.accuracy))
        if self._off is not None:
            words += self.tr(" (base model {})").format(number(self._off, 4))
        return words

    def restyle(self, colors: Colors) -> None:
        self.dirty = True

    def figure_data(self) -> Columns:
        """The interference, layer by layer and pair by pair, where it was measured."""
        return self.table.figure_data()

    def summary(self) -> str:
        if self.standing.loaded is None:
            return super().summary() or self.title
        parts = [f"{row.name} {row.value:g}" for row in self.rows]
        words = "; ".join([*parts, self._loss_words(), self.table.words])
        return words or self.title
