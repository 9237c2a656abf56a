"""Rank or numbers?: ways to train few numbers at the same count, an easy and a hard task."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from PySide6.QtCore import QEvent, Signal
from PySide6.QtGui import QCloseEvent, QKeySequence, QShortcut, QShowEvent
from PySide6.QtWidgets import QDialog, QHBoxLayout, QProgressBar, QPushButton, QVBoxLayout, QWidget

from lora_lab.config import RunConfig
from lora_lab.intrinsic.marks import Comparison, ComparisonPlan, Mark, Running, Tried
from lora_lab.intrinsic.methods import known
from lora_lab.presets import get_preset
from lora_lab.progress import Report
from lora_lab.ui.learn.numbers_plot import NumbersPlot
from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import duration
from lora_lab.ui.widgets.background import Works
from lora_lab.ui.widgets.controls import Combo, Whole
from lora_lab.ui.widgets.dialogs import resize_within
from lora_lab.ui.widgets.labels import TextLabel
from lora_lab.ui.widgets.legend import Legend

PAGE = "rank-or-numbers"
EASY, HARD, OWN = "digits", "digits-permuted", ""


class NumbersDialog(QDialog):
    """Stays open beside the window; what it trains has models of its own."""

    help_requested = Signal(str)  # a page of the handbook

    def __init__(
        self, config: Callable[[], RunConfig | None], parent: QWidget | None = None
    ) -> None:
        """`config`: the model and data at hand, with the settings of the docks."""
        super().__init__(parent)
        self.setWindowTitle(self.tr("Rank or numbers?"))
        self._config = config
        self._works = Works(self)
        self._training = False
        self._prepared: Any = None
        self._about: tuple[object, ...] = ()  # what is prepared
        self.pages: dict[str, NumbersPlot] = {}  # a picture for each task that was measured
        self._sentences: dict[str, tuple[str, str]] = {}
        tr = self.tr
        self.sentence, self.second = TextLabel(wordWrap=True), TextLabel(wordWrap=True)
        self.sentence.setProperty("role", "figure")
        self.second.setProperty("role", "muted")
        self.legend = Legend()
        self.progress = QProgressBar(textVisible=False)
        self.progress.setAccessibleName(tr("Progress of the comparison"))
        self.progress.setFixedHeight(6)
        self.price = TextLabel(wordWrap=True)
        self.price.setProperty("role", "muted")
        self.task_box = Combo()
        for name, words in (
            (EASY, tr("easy: the 9s beside the other digits")),
            (HARD, tr("hard: digits with their pixels shuffled")),
            (OWN, tr("the model and data that are open")),
        ):
            self.task_box.addItem(words, name)
        self.task_box.setAccessibleName(tr("Task"))
        self.measure_box = Combo()
        self.measure_box.addItem(tr("by accuracy"), False)
        self.measure_box.addItem(tr("by the validation loss"), True)
        self.measure_box.setAccessibleName(tr("Measure by"))
        self.seeds = Whole(1, 20)
        self.seeds.setValue(3)
        self.seeds.setSuffix(tr(" seeds"))
        self.seeds.setAccessibleName(tr("Seeds"))
        self.button = QPushButton(tr("&Measure it here"), autoDefault=True, default=True)
        self.button.setProperty("role", "primary")
        self.help_button = QPushButton(tr("&How it works"), autoDefault=False)
        self._lay_out()
        self.button.clicked.connect(self._on_button)
        self.help_button.clicked.connect(lambda: self.help_requested.emit(PAGE))
        self.task_box.activated.connect(self._on_task)
        self.measure_box.activated.connect(self.prepare)
        self.seeds.editingFinished.connect(self.prepare)
        QShortcut(QKeySequence.StandardKey.HelpContents, self, self.help_button.click)
        self._show_page()
        self._show_button()

    def _lay_out(self) -> None:
        knobs = QHBoxLayout(spacing=8)
        for widget in (self.task_box, self.measure_box, self.seeds):
            knobs.addWidget(widget)
        knobs.addStretch(1)
        bottom = QHBoxLayout(spacing=8)
        bottom.addWidget(self.help_button)
        bottom.addWidget(self.price, 1)
        bottom.addWidget(self.button)
        self._pictures = QVBoxLayout()
        column = QVBoxLayout(self)
        column.setContentsMargins(18, 16, 18, 14)
        column.setSpacing(8)
        for widget in (self.sentence, self.second, self.legend):
            column.addWidget(widget)
        column.addLayout(self._pictures, 1)
        column.addWidget(self.progress)
        column.addLayout(knobs)
        column.addLayout(bottom)
        line = self.fontMetrics().height()
        resize_within(self, 56 * line, 40 * line)

    @property
    def training(self) -> bool:
        """Whether runs are being trained."""
        return self._training

    @property
    def task(self) -> str:
        """The preset that is chosen; "": what is open."""
        return str(self.task_box.currentData())

    @property
    def plot(self) -> NumbersPlot:
        """The picture of the task that is chosen."""
        return self._page(self.task)

    def _page(self, task: str) -> NumbersPlot:
        if task not in self.pages:
            self.pages[task] = NumbersPlot()
            self._pictures.addWidget(self.pages[task], 1)
        return self.pages[task]

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.prepare()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        activated = event.type() == QEvent.Type.ActivationChange and self.isActiveWindow()
        if activated and not self.task and (self._config(),) != self._about[:1]:
            self.prepare()  # another model may have been opened meanwhile
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "button"):
            for page in self.pages.values():
                page.restyle(theme.current())
            self._show_page()

    def closeEvent(self, event: QCloseEvent) -> None:
        self.stop()
        super().closeEvent(event)

    def reject(self) -> None:
        """Escape stops what runs first, and closes then."""
        if self._training:
            self.stop()
        else:
            super().reject()

    def finish(self) -> None:
        """End what runs, and wait for it."""
        self.stop()
        self._works.finish()

    def prepare(self) -> None:
        """Open the task and try some steps, so that the price can be said before."""
        config = get_preset(self.task).config if self.task else self._config()
        about = (config, self.measure_box.currentData(), self.seeds.value())
        if self._training or (self._prepared is not None and about == self._about):
            return
        self._about, self._prepared = about, None
        self._works.cancel()
        if config is None:
            self._refuse(self.tr("Open a model first."))
            return
        self.button.setEnabled(False)
        self._say(self.tr("Opening the task to say what it costs…"))
        self._works.start(partial(_opened, *about), self._on_prepared, self._refuse, self._refuse)

    def stop(self) -> None:
        """End the runs; what was measured so far stays in the picture."""
        self._works.cancel()
        if self._training:
            self._training = False
            self.plot.set_running(None)
            self._say(self.tr("Stopped. What was measured so far stays in the picture."))
        self._show_button()

    def _on_task(self) -> None:
        self._show_page()
        self.prepare()

    def _on_prepared(self, comparison: Any) -> None:
        self._prepared = comparison
        plan: ComparisonPlan = comparison.plan
        words = self.tr("About {}: some {:,} runs of {:,} steps, each at its best learning rate.")
        words = words.format(duration(plan.seconds), plan.runs, plan.steps)
        notes = (f"{note[0].upper()}{note[1:]}." for note in plan.notes)
        self._say(" ".join((words, *notes)))
        self._show_button()

    def _on_button(self) -> None:
        if self._training:
            self.stop()
            return
        if self._prepared is None:
            self.prepare()
            return
        self._training = True
        self.plot.clear_runs(self._prepared.plan.loss)
        self._sentences.pop(self.task, None)
        self.progress.setRange(0, 1000)
        self.progress.setValue(0)
        self._show_page()
        self._show_button()
        self._works.start(
            self._prepared.run, lambda _: None, self._refuse, self._refuse, item=self._take
        )

    def _take(self, item: object) -> None:
        if isinstance(item, Running):
            self.plot.set_running(item)
            self.progress.setValue(round(1000 * item.share))
        elif isinstance(item, Tried | Mark):
            self.plot.add(item)
        elif isinstance(item, Comparison):
            self._training = False
            self.plot.show_result(item)
            self._sentences[self.task] = item.sentence(), item.at_one_count()
            self._show_page()
            self._show_button()

    def _refuse(self, message: str) -> None:
        self._training, self._prepared = False, None
        self.plot.set_running(None)
        self._say(message, "error")
        self._show_button()

    def _say(self, words: str, role: str = "muted") -> None:
        self.price.setText(words)
        theme.set_role(self.price, role)

    def _show_page(self) -> None:
        """The picture of the chosen task, and what was found there."""
        shown = self.plot
        for page in self.pages.values():
            page.setVisible(page is shown)
        if self._training:
            usual = self.tr("Training each method at growing size…")
        else:
            usual = self.tr("Is it the rank that counts, or how many numbers there are?")
        sentence, second = self._sentences.get(self.task, (usual, ""))
        self.sentence.setText(sentence)
        self.second.setText(second)
        self.legend.show_rows(shown.legend_rows(known()))

    def _show_button(self) -> None:
        self.button.setText(self.tr("&Stop") if self._training else self.tr("&Measure it here"))
        self.button.setEnabled(self._training or self._prepared is not None)
        for knob in (self.task_box, self.measure_box, self.seeds):
            knob.setEnabled(not self._training)
        self.progress.setVisible(self._training)


def _opened(config: RunConfig, by_loss: bool, seeds: int, report: Report) -> Any:
    from lora_lab.intrinsic.equal_count import ComparisonSettings, EqualCount

    return EqualCount(config, ComparisonSettings(seeds=seeds, by_loss=by_loss), report)
