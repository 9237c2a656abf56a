"""A page with one measurement: its price before, its progress, Stop, and what was found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtWidgets import QProgressBar, QWidget

from lora_lab.config import RunConfig
from lora_lab.progress import Report
from lora_lab.ui.learn.learn_page import LearnPage
from lora_lab.ui.widgets.controls import Combo, Whole


class MeasuringPage(LearnPage):
    """Opens a measurement, which has a `plan` with `notes`, and a `run` that yields what it finds.

    A subclass adds its own knobs, and shows what is found.
    """

    def __init__(
        self, title: str, page: str, config: Callable[[], RunConfig | None], parent: QWidget | None
    ) -> None:
        super().__init__(title, self.tr("&Measure it here"), page, config, parent)
        self._training, self._opening = False, False
        self._prepared: Any = None
        self._about: tuple[Any, ...] = ()  # what is prepared, or being opened
        self.progress = QProgressBar(textVisible=False)
        self.progress.setAccessibleName(self.tr("Progress of the measurement"))
        self.progress.setFixedHeight(6)
        self.measure_box = Combo()
        self.measure_box.addItem(self.tr("by accuracy"), False)
        self.measure_box.addItem(self.tr("by the validation loss"), True)
        self.measure_box.setAccessibleName(self.tr("Measure by"))
        self.measure_box.activated.connect(self.prepare)
        self.seeds = Whole(1, 20)
        self.seeds.setValue(3)
        self.seeds.count_in(self.tr(" seed"), self.tr(" seeds"))
        self.seeds.setAccessibleName(self.tr("Seeds"))
        self.seeds.editingFinished.connect(self.prepare)
        self.knobs: tuple[QWidget, ...] = ()

    @property
    def training(self) -> bool:
        """Whether runs are being trained."""
        return self._training

    def _asked(self) -> tuple[Any, ...]:
        """The config, or None, and the settings of what is to be measured."""
        raise NotImplementedError

    def _opened(self, about: tuple[Any, ...]) -> Callable[[Report], Any]:
        """The work that opens what `_asked` said; it runs on another thread."""
        raise NotImplementedError

    def _priced(self, plan: Any) -> str:
        """What it costs, in words, once it is known."""
        raise NotImplementedError

    def _begin(self, plan: Any) -> None:
        """The runs begin: what was found before goes."""
        raise NotImplementedError

    def _rest(self) -> None:
        """No run is trained any more."""
        raise NotImplementedError

    def _take(self, item: object) -> None:
        """Something was found; with the last, `_end`."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Open the task and try some steps, so that the price can be said before."""
        about = self._asked()
        there = self._opening or self._prepared is not None
        if self._training or (there and about == self._about):
            return
        self._about, self._prepared = about, None
        self._works.cancel()
        self._opening = about[0] is not None
        if not self._opening:
            self._refuse(self.tr("Open a model first."))
            return
        self._show_button()
        self._say(self.tr("Opening the task to say what it costs…"))
        self._works.start(self._opened(about), self._on_prepared, self._refuse, self._refuse)

    def stop(self) -> None:
        """End the runs; what was measured so far stays in the picture."""
        self._works.cancel()
        self._opening = False
        if self._training:
            self._end()
            self._say(self.tr("Stopped. What was measured so far stays in the picture."))
        self._show_button()

    def reject(self) -> None:
        """Escape stops what runs first, and closes then."""
        if self._training:
            self.stop()
        else:
            super().reject()

    def _on_prepared(self, measurement: Any) -> None:
        self._prepared, self._opening = measurement, False
        notes = (f"{note[0].upper()}{note[1:]}." for note in measurement.plan.notes)
        self._say(" ".join((self._priced(measurement.plan), *notes)))
        self._show_button()

    def _on_button(self) -> None:
        if self._training:
            self.stop()
            return
        self._training = True
        self.progress.setRange(0, 1000)
        self.progress.setValue(0)
        self._begin(self._prepared.plan)
        self._show_button()
        self._works.start(
            self._prepared.run, lambda _: None, self._refuse, self._refuse, item=self._take
        )

    def _end(self) -> None:
        self._training = False
        self._rest()
        self._show_button()

    def _refuse(self, message: str) -> None:
        self._prepared, self._opening = None, False
        self._end()
        self._say(message, "error")

    def _show_button(self) -> None:
        self.button.setText(self.tr("&Stop") if self._training else self.tr("&Measure it here"))
        self.button.setEnabled(self._training or self._prepared is not None)
        for knob in self.knobs:
            knob.setEnabled(not self._training)
        self.progress.setVisible(self._training)
