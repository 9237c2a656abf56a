"""Rank or numbers?: ways to train few numbers at the same count, an easy and a hard task."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from PySide6.QtWidgets import QVBoxLayout, QWidget

from lora_lab.config import RunConfig
from lora_lab.intrinsic.marks import Comparison, ComparisonPlan, Mark, Running, Tried
from lora_lab.intrinsic.methods import known
from lora_lab.presets import get_preset
from lora_lab.progress import Report
from lora_lab.ui.learn.measuring_page import MeasuringPage
from lora_lab.ui.learn.numbers_plot import NumbersPlot
from lora_lab.ui.style.figures import duration
from lora_lab.ui.style.theme import Colors
from lora_lab.ui.widgets.controls import Combo
from lora_lab.ui.widgets.legend import Legend

PAGE = "rank-or-numbers"
EASY, HARD, OWN = "digits", "digits-permuted", ""


class NumbersDialog(MeasuringPage):
    """A picture for each task: what every method reaches at a count of numbers."""

    def __init__(
        self, config: Callable[[], RunConfig | None], parent: QWidget | None = None
    ) -> None:
        """`config`: the model and data at hand, with the settings of the docks."""
        super().__init__(self.tr("Rank or numbers?"), PAGE, config, parent)
        tr = self.tr
        self.progress.setAccessibleName(tr("Progress of the comparison"))
        self.pages: dict[str, NumbersPlot] = {}  # a picture for each task that was measured
        self._sentences: dict[str, tuple[str, str]] = {}
        self.legend = Legend()
        self.task_box = Combo()
        for name, words in (
            (EASY, tr("easy: the 9s beside the other digits")),
            (HARD, tr("hard: digits with their pixels shuffled")),
            (OWN, tr("the model and data that are open")),
        ):
            self.task_box.addItem(words, name)
        self.task_box.setAccessibleName(tr("Task"))
        self.task_box.activated.connect(self._on_task)
        self.knobs = (self.task_box, self.measure_box, self.seeds)
        self._pictures = QVBoxLayout()
        rows = (self.sentence, 0), (self.details, 0), (self.legend, 0), (self._pictures, 1)
        self._lay_out((*rows, (self.progress, 0)), (*self.knobs, None), (56, 40))
        self._show_page()
        self._show_button()

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

    def restyle(self, colors: Colors) -> None:
        for page in self.pages.values():
            page.restyle(colors)
        self._show_page()

    def _on_task(self) -> None:
        self._show_page()
        self.prepare()

    def _asked(self) -> tuple[Any, ...]:
        config = get_preset(self.task).config if self.task else self._config()
        return config, self.measure_box.currentData(), self.seeds.value()

    def _opened(self, about: tuple[Any, ...]) -> Callable[[Report], Any]:
        return partial(_opened, *about)

    def _priced(self, plan: ComparisonPlan) -> str:
        words = self.tr("About {}: some {:,} runs of {:,} steps, each at its best learning rate.")
        return words.format(duration(plan.seconds), plan.runs, plan.steps)

    def _begin(self, plan: ComparisonPlan) -> None:
        self.plot.clear_runs(plan.loss)
        self._sentences.pop(self.task, None)
        self._show_page()

    def _rest(self) -> None:
        self.plot.set_running(None)
        self._show_page()

    def _take(self, item: object) -> None:
        if isinstance(item, Running):
            self.plot.set_running(item)
            self.progress.setValue(round(1000 * item.share))
        elif isinstance(item, Tried | Mark):
            self.plot.add(item)
        elif isinstance(item, Comparison):
            self.plot.show_result(item)
            self._sentences[self.task] = item.sentence(), item.at_one_count()
            self._end()

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
        self._show_details(second)
        self.legend.show_rows(shown.legend_rows(known()))


def _opened(config: RunConfig, by_loss: bool, seeds: int, report: Report) -> Any:
    from lora_lab.intrinsic.equal_count import ComparisonSettings, EqualCount

    return EqualCount(config, ComparisonSettings(seeds=seeds, by_loss=by_loss), report)
