"""The search for a learning rate as a picture: loss over rate, and what two rules of thumb say."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, Qt, QTimer
from PySide6.QtWidgets import QGridLayout, QPushButton, QWidget

from lora_lab.hyperparameters import Hyperparameters
from lora_lab.measured import RateFoundRecord, RatePointRecord
from lora_lab.training.commands import FindRate
from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import plain_number
from lora_lab.ui.widgets.ask_dialog import AskDialog
from lora_lab.ui.widgets.dialogs import resize_to_text
from lora_lab.ui.widgets.labels import TextLabel, describe
from lora_lab.ui.widgets.plot import Plot, pen

HIGHEST = 1.25  # times the loss at the start: what the picture shows of divergence
PAGE = "learning-rate#finding-it"


def two_figures(rate: float) -> float:
    """A rate as one would set it: a rule of thumb has no more than two figures."""
    return float(f"{rate:.1e}")


class RateDialog(AskDialog):
    """Draws the points as they come, and offers two rates."""

    def __init__(self, hyper: Callable[[], Hyperparameters], parent: QWidget | None = None) -> None:
        """`hyper`: the settings that the search is going to run with."""
        super().__init__(
            self.tr("Find learning rate"),
            self.tr("&Search again"),
            parent,
            self.tr("&Cancel"),
            PAGE,
        )
        self._hyper = hyper
        self.message.setMinimumHeight(2 * self.fontMetrics().lineSpacing())
        self.rates: list[float] = []
        self.losses: list[float] = []
        self.suggestion: RateFoundRecord | None = None
        # The steps of a small net come by the dozen.
        self._draw_soon = QTimer(self, singleShot=True, interval=33, timeout=self._draw)
        self.plot = Plot(self.tr("Loss over learning rate"), self.tr("learning rate"), log_x=True)
        self._raw, self._smooth = pg.PlotCurveItem(), pg.PlotCurveItem()
        self._marks = [pg.InfiniteLine(angle=90) for _ in range(2)]
        for item in (self._raw, self._smooth, *self._marks):
            self.plot.addItem(item)
        self.plot.follow_requested.connect(self._frame)
        self._labels, self.use_buttons = [], []
        lines = QGridLayout(horizontalSpacing=10, verticalSpacing=4)
        for row in range(2):
            label, button = TextLabel(), QPushButton(autoDefault=False)
            button.clicked.connect(lambda _=False, row=row: self._use(row))
            lines.addWidget(label, row, 0)
            lines.addWidget(button, row, 1)
            self._labels.append(label)
            self.use_buttons.append(button)
        lines.setColumnStretch(2, 1)
        self.body.setSpacing(8)
        self.body.addWidget(self.plot, 1)
        self.body.addLayout(lines)
        resize_to_text(self, 52, 34)
        self._restyle()
        self._offer()

    def command(self) -> FindRate:
        return FindRate()

    def begin(self) -> None:
        self.suggestion = None
        self.rates, self.losses = [], []
        hyper = self._hyper()
        words = self.tr(
            "Trying rising learning rates with {}, on the run’s own rows. Training is paused "
            "meanwhile; afterwards everything is restored."
        ).format(f"r = {hyper.rank:,}, α = {hyper.alpha:.4g}")
        self.say("muted", words, busy=True)
        self._offer()
        self._draw()

    def show_result(self, record: RatePointRecord | RateFoundRecord) -> None:
        """One more step of the search, or what it has found."""
        if isinstance(record, RateFoundRecord):
            self._show_rates(record)
            return
        self.rates.append(record.rate)
        self.losses.append(record.loss)
        self.progress.setRange(0, record.steps)
        self.progress.setValue(record.number)
        if not self._draw_soon.isActive():
            self._draw_soon.start()

    def _show_rates(self, record: RateFoundRecord) -> None:
        self.suggestion = record
        self.rates, self.losses = list(record.rates), list(record.losses)
        role = ""
        if record.diverged:
            words = self.tr("{} steps were tried, until the loss diverged; the model is restored. ")
        else:
            words = self.tr(
                "{} steps were tried, up to the highest learning rate; the model is restored. "
            )
        words = words.format(len(record.rates))
        if record.raising:
            rate, before, after = record.raising[0]
            words += self.tr("At {} the validation loss rose from {:.3g} to {}. ").format(
                plain_number(two_figures(rate)), before,
                f"{after:.3g}" if math.isfinite(after) else self.tr("infinity"),
            )  # fmt: skip
        if math.isnan(record.steepest) and record.raising:
            role = "warn"
            words += self.tr("So it did at every lower rate that was tried: none is suggested.")
        elif math.isnan(record.steepest):
            role = "warn"
            words += self.tr(
                "The loss did not fall beyond the noise of its batches, so no learning "
                "rate is suggested: the "
                "adapter has learned what it can here, or the batches are too small to tell."
            )
        elif record.raising:
            words += self.tr("The largest rate tried that did not raise it is suggested.")
        else:
            words += self.tr("Two rules of thumb; a short trial cannot predict a long run.")
        self.say(role, words, busy=False)
        self._offer()
        self._draw()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "suggestion"):
            self._restyle()

    def _named(self) -> tuple[float, float]:
        result = self.suggestion
        if result is None:
            return math.nan, math.nan
        once = result.steepest == result.third == result.most  # one rate, and no rule's
        return result.steepest, math.nan if once else result.third

    def _names(self) -> list[str]:
        """What each of `_named` is; one that was lowered is no longer what its rule says."""
        names = [
            self.tr("falls fastest at"),
            self.tr("a third of the learning rate at the lowest point"),
        ]
        most = math.nan if self.suggestion is None else self.suggestion.most
        lowered = self.tr("largest tried that did not raise the validation loss")
        pairs = zip(names, self._named(), strict=True)
        return [lowered if rate == most else name for name, rate in pairs]

    def _use(self, row: int) -> None:
        self.value_chosen.emit("learning_rate", two_figures(self._named()[row]))

    def _offer(self) -> None:
        """A button for each rate that is known."""
        rows = zip(self._labels, self.use_buttons, self._named(), self._names(), "╌┈", strict=True)
        for label, button, rate, name, line in rows:
            label.setText(f"{line}{line}  {name}")
            known = not math.isnan(rate)
            label.setEnabled(known)
            button.setEnabled(known)
            shown = plain_number(two_figures(rate)) if known else "—"
            button.setText(self.tr("Use {}").format(shown) if known else shown)

    def _draw(self) -> None:
        x, y = np.log10(self.rates), np.array(self.losses)
        self._raw.setData(x, y, connect="finite")
        smooth = self.suggestion.smoothed if self.suggestion is not None else np.zeros(0)
        self._smooth.setData(x[: len(smooth)], smooth, connect="finite")
        for mark, rate in zip(self._marks, self._named(), strict=True):
            mark.setVisible(not math.isnan(rate))
            if not math.isnan(rate):
                mark.setValue(math.log10(rate))
        self._frame()
        describe(self.plot, self.summary())

    def summary(self) -> str:
        """The picture in words."""
        if self.suggestion is None:
            return self.tr("{} steps tried").format(len(self.rates))
        tried = self.tr("{} steps tried").format(len(self.rates))
        rates = (plain_number(two_figures(rate)) if rate == rate else "—" for rate in self._named())
        return "; ".join((tried, *map("{} {}".format, self._names(), rates)))

    def _frame(self) -> None:
        seen = np.array([loss for loss in self.losses if math.isfinite(loss)])
        if not self.plot.following or not seen.size:
            return
        top = max(HIGHEST * seen[: max(3, len(seen) // 8)].mean(), seen.min() + 1e-9)
        top = min(top, seen.max() + 0.05 * (seen.max() - seen.min()) + 1e-9)
        low = seen.min() - 0.05 * (top - seen.min())
        right = math.log10(self.rates[-1]) if not self.busy else 0.0
        self.plot.show_range((math.log10(self.rates[0]), max(right, -5.5)), (low, top))

    def _restyle(self) -> None:
        c = theme.current()
        self.plot.restyle(c)
        self._raw.setPen(pen(c.raw, 1))
        self._smooth.setPen(pen(c.smoothed, 2))
        styles = (Qt.PenStyle.DashLine, Qt.PenStyle.DotLine)
        for mark, color, style in zip(self._marks, (c.good, c.validation), styles, strict=True):
            mark.setPen(pen(color, 2, style))
        for label, color in zip(self._labels, (c.good, c.validation), strict=True):
            label.setStyleSheet(f"QLabel:enabled {{ color: {color}; }}")
