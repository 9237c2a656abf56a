"""How many numbers?: one button measures d90 on the model and data at hand, and says it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from PySide6.QtCore import QEvent, Signal
from PySide6.QtGui import QCloseEvent, QKeySequence, QShortcut, QShowEvent
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from lora_lab.config import RunConfig
from lora_lab.intrinsic.results import (
    BASE,
    IN_WORDS,
    RANDOM,
    STARTS,
    Plan,
    Point,
    Result,
    Training,
)
from lora_lab.progress import Report
from lora_lab.ui.learn.dimension_plot import DimensionPlot
from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import duration
from lora_lab.ui.widgets.background import Works
from lora_lab.ui.widgets.controls import Combo, Whole
from lora_lab.ui.widgets.dialogs import resize_within
from lora_lab.ui.widgets.labels import TextLabel
from lora_lab.ui.widgets.legend import Legend

PAGE = "random-subspace#measuring-d90"


class DimensionDialog(QDialog):
    """Stays open beside the window; what it measures has models of its own."""

    help_requested = Signal(str)  # a page of the handbook

    def __init__(
        self, config: Callable[[], RunConfig | None], parent: QWidget | None = None
    ) -> None:
        """`config`: the model and data at hand, with the settings of the docks."""
        super().__init__(parent)
        self.setWindowTitle(self.tr("How many numbers?"))
        self._config = config
        self._works = Works(self)
        self._training = False
        self._prepared: Any = None
        self._about: tuple[object, ...] = ()  # what is prepared
        self.sentence = TextLabel(wordWrap=True)
        self.sentence.setProperty("role", "figure")
        self.gains = TextLabel(wordWrap=True)
        self.gains.setProperty("role", "muted")
        self.plot = DimensionPlot()
        self.legend = Legend()
        self.progress = QProgressBar(textVisible=False)
        self.progress.setAccessibleName(self.tr("Progress of the measurement"))
        self.progress.setFixedHeight(6)
        self.price = TextLabel(wordWrap=True)
        self.price.setProperty("role", "muted")
        self.start_box = Combo()
        for name, words in (
            ("", self.tr("from the base and from random weights")),
            (BASE, self.tr("from the base")), (RANDOM, self.tr("from random weights")),
        ):  # fmt: skip
            self.start_box.addItem(words, name)
        self.measure_box = Combo()
        self.measure_box.addItem(self.tr("by accuracy"), False)
        self.measure_box.addItem(self.tr("by the validation loss"), True)
        self.seeds = Whole(1, 20)
        self.seeds.setValue(3)
        self.seeds.setSuffix(self.tr(" seeds"))
        for widget, name in (
            (self.start_box, self.tr("Weights to start from")),
            (self.measure_box, self.tr("Measure by")), (self.seeds, self.tr("Seeds")),
        ):  # fmt: skip
            widget.setAccessibleName(name)
        self.button = QPushButton(self.tr("&Measure it here"), autoDefault=True, default=True)
        self.button.setProperty("role", "primary")
        self.button.clicked.connect(self._on_button)
        self.help_button = QPushButton(self.tr("&How it works"), autoDefault=False)
        self.help_button.clicked.connect(lambda: self.help_requested.emit(PAGE))
        for box in (self.start_box, self.measure_box):
            box.activated.connect(self.prepare)
        self.seeds.editingFinished.connect(self.prepare)
        QShortcut(QKeySequence.StandardKey.HelpContents, self, self.help_button.click)
        self._lay_out()
        self.sentence.setText(
            self.tr("How few numbers, thrown at random into all weights, can learn this task?")
        )
        self._show_button()

    def _lay_out(self) -> None:
        knobs = QHBoxLayout(spacing=8)
        for widget in (self.start_box, self.measure_box, self.seeds):
            knobs.addWidget(widget)
        knobs.addStretch(1)
        bottom = QHBoxLayout(spacing=8)
        bottom.addWidget(self.help_button)
        bottom.addWidget(self.price, 1)
        bottom.addWidget(self.button)
        column = QVBoxLayout(self)
        column.setContentsMargins(18, 16, 18, 14)
        column.setSpacing(8)
        for widget in (self.sentence, self.gains):
            column.addWidget(widget)
        column.addWidget(self.legend)
        column.addWidget(self.plot, 1)
        column.addWidget(self.progress)
        column.addLayout(knobs)
        column.addLayout(bottom)
        line = self.fontMetrics().height()
        resize_within(self, 46 * line, 36 * line)
        self._show_legend()

    @property
    def training(self) -> bool:
        """Whether runs are being trained."""
        return self._training

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.prepare()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "legend"):
            self.plot.restyle(theme.current())
            self._show_legend()

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
        config = self._config()
        about = (config, *self._settings())
        if self._training or (self._prepared is not None and about == self._about):
            return
        self._about, self._prepared = about, None
        self._works.cancel()
        if config is None:
            self._refuse(self.tr("Open a model first."))
            return
        self.button.setEnabled(False)
        self._say_price(self.tr("Opening the task to say what it costs…"))
        self._works.start(partial(_opened, config, about[1:]), self._on_prepared, self._refuse)

    def stop(self) -> None:
        """End the runs; what was measured so far stays in the picture."""
        self._works.cancel()
        if self._training:
            self._training = False
            self.plot.set_training(0)
            self._say_price(self.tr("Stopped. What was measured so far stays in the picture."))
        self._show_button()

    def _settings(self) -> tuple[str, bool, int]:
        return self.start_box.currentData(), self.measure_box.currentData(), self.seeds.value()

    def _on_prepared(self, measurement: Any) -> None:
        self._prepared = measurement
        plan: Plan = measurement.plan
        words = self.tr("About {}: {:,} runs of {:,} steps over {:,} weights.").format(
            duration(plan.seconds), plan.runs, plan.steps, plan.weights
        )
        self._say_price(
            " ".join((words, *(f"{note[0].upper()}{note[1:]}." for note in plan.notes)))
        )
        self.button.setEnabled(True)
        if not self.plot.points:
            self.plot.clear_runs(plan.weights, plan.loss)

    def _on_button(self) -> None:
        if self._training:
            self.stop()
            return
        if self._prepared is None:
            self.prepare()
            return
        self._training = True
        self.plot.clear_runs(self._prepared.plan.weights, self._prepared.plan.loss)
        self.sentence.setText(self.tr("Training random subspaces of growing size…"))
        self.gains.setText("")
        self.progress.setRange(0, 1000)
        self.progress.setValue(0)
        self._show_button()
        self._works.start(
            self._prepared.run, lambda _: None, self._refuse, self._refuse, item=self._take
        )

    def _take(self, item: object) -> None:
        if isinstance(item, Training):
            self.plot.set_training(item.dimension)
            self.progress.setValue(round(1000 * item.share))
        elif isinstance(item, Point):
            self.plot.add(item)
        elif isinstance(item, Result):
            self._training = False
            self.plot.show_result(item)
            self.progress.setValue(1000)
            self.sentence.setText(item.sentence())
            notes = [f"{IN_WORDS[m.start]}: {note}." for m in item.measured for note in m.notes]
            self.gains.setText(" ".join((item.gains(), *notes)).strip())
            self._show_button()

    def _refuse(self, message: str) -> None:
        self._training, self._prepared = False, None
        self.plot.set_training(0)
        self._say_price(message, "error")
        self._show_button()
        self.button.setEnabled(False)

    def _say_price(self, words: str, role: str = "muted") -> None:
        self.price.setText(words)
        theme.set_role(self.price, role)

    def _show_button(self) -> None:
        self.button.setText(self.tr("&Stop") if self._training else self.tr("&Measure it here"))
        self.button.setEnabled(self._training or self._prepared is not None)
        for knob in (self.start_box, self.measure_box, self.seeds):
            knob.setEnabled(not self._training)
        self.progress.setVisible(self._training)

    def _show_legend(self) -> None:
        colors = theme.current()
        self.legend.show_rows((
            ("●", self.plot.color(BASE, colors), self.tr("from the base")),
            ("●", self.plot.color(RANDOM, colors), self.tr("from random weights")),
            ("—", colors.muted, self.tr("full training")),
            ("- -", colors.muted, self.tr("90 % of it")),
        ))  # fmt: skip


def _opened(config: RunConfig, settings: tuple[str, bool, int], report: Report) -> Any:
    from lora_lab.intrinsic.measure import Measurement, Settings

    start, by_loss, seeds = settings
    starts = (start,) if start else STARTS
    return Measurement(config, Settings(starts=starts, seeds=seeds, by_loss=by_loss), report)
