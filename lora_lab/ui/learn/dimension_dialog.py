"""How many numbers?: one button measures d90 on the model and data at hand, and says it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from PySide6.QtWidgets import QWidget

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
from lora_lab.ui.learn.measuring_page import MeasuringPage
from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import duration
from lora_lab.ui.style.theme import Colors
from lora_lab.ui.widgets.controls import Combo
from lora_lab.ui.widgets.legend import Legend

PAGE = "random-subspace#measuring-d90"


class DimensionDialog(MeasuringPage):
    """The picture of accuracy over the size of a random subspace, and d90 in a sentence."""

    def __init__(
        self, config: Callable[[], RunConfig | None], parent: QWidget | None = None
    ) -> None:
        """`config`: the model and data at hand, with the settings of the docks."""
        super().__init__(self.tr("How many numbers?"), PAGE, config, parent)
        self.plot = DimensionPlot()
        self.legend = Legend()
        self.start_box = Combo()
        for name, words in (
            ("", self.tr("from the base and from random weights")),
            (BASE, self.tr("from the base")), (RANDOM, self.tr("from random weights")),
        ):  # fmt: skip
            self.start_box.addItem(words, name)
        self.start_box.setAccessibleName(self.tr("Weights to start from"))
        self.start_box.activated.connect(self.prepare)
        self.knobs = (self.start_box, self.measure_box, self.seeds)
        rows = (self.sentence, 0), (self.details, 0), (self.legend, 0), (self.plot, 1)
        self._lay_out((*rows, (self.progress, 0)), (*self.knobs, None), (46, 36))
        self.sentence.setText(
            self.tr("How few numbers, thrown at random into all weights, can learn this task?")
        )
        self._show_legend()
        self._show_button()

    def restyle(self, colors: Colors) -> None:
        self.plot.restyle(colors)
        self._show_legend()

    def _asked(self) -> tuple[Any, ...]:
        settings = self.start_box.currentData(), self.measure_box.currentData(), self.seeds.value()
        return self._config(), *settings

    def _opened(self, about: tuple[Any, ...]) -> Callable[[Report], Any]:
        return partial(_opened, *about)

    def _priced(self, plan: Plan) -> str:
        if not self.plot.points:
            self.plot.clear_runs(plan.weights, plan.loss)
        return self.tr("About {}: {:,} runs of {:,} steps over {:,} weights.").format(
            duration(plan.seconds), plan.runs, plan.steps, plan.weights
        )

    def _begin(self, plan: Plan) -> None:
        self.plot.clear_runs(plan.weights, plan.loss)
        self.sentence.setText(self.tr("Training random subspaces of growing size…"))
        self._show_details("")

    def _rest(self) -> None:
        self.plot.set_training(0)

    def _take(self, item: object) -> None:
        if isinstance(item, Training):
            self.plot.set_training(item.dimension)
            self.progress.setValue(round(1000 * item.share))
        elif isinstance(item, Point):
            self.plot.add(item)
        elif isinstance(item, Result):
            self._end()
            self.plot.show_result(item)
            self.sentence.setText(item.sentence())
            notes = [f"{IN_WORDS[m.start]}: {note}." for m in item.measured for note in m.notes]
            self._show_details(" ".join((item.gains(), *notes)).strip())

    def _show_legend(self) -> None:
        colors = theme.current()
        self.legend.show_rows((
            ("●", self.plot.color(BASE, colors), self.tr("from the base")),
            ("●", self.plot.color(RANDOM, colors), self.tr("from random weights")),
            ("—", colors.muted, self.tr("full training")),
            ("- -", colors.muted, self.tr("90 % of it")),
        ))  # fmt: skip


def _opened(config: RunConfig, start: str, by_loss: bool, seeds: int, report: Report) -> Any:
    from lora_lab.intrinsic.measure import Measurement, Settings

    starts = (start,) if start else STARTS
    return Measurement(config, Settings(starts=starts, seeds=seeds, by_loss=by_loss), report)
