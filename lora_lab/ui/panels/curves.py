"""Further curves of a run: loss, gradient norm, update to weight, pace, memory, over four axes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QWidget

from lora_lab.opening_records import DataRecord, LoadedRecord
from lora_lab.records import PaceRecord, Record, ResumedRecord, StepRecord
from lora_lab.rules import steps_per_epoch
from lora_lab.ui.panels.panel import Columns, Panel
from lora_lab.ui.style import theme
from lora_lab.ui.style.theme import Colors
from lora_lab.ui.widgets.controls import Combo, Slider
from lora_lab.ui.widgets.labels import label
from lora_lab.ui.widgets.plot import Plot, number, pen
from lora_lab.ui.widgets.series import Series
from lora_lab.ui.widgets.smoothing import averaged

translate = QCoreApplication.translate
TOP = 99  # of the slider: the last shown value counts 1 % then

# key → what it is called; those of STEPS have a value at every step, the others when measured
CURVES = {
    "loss": QT_TRANSLATE_NOOP("CurvesPanel", "Training loss"),
    "rate": QT_TRANSLATE_NOOP("CurvesPanel", "Learning rate"),
    "gradient": QT_TRANSLATE_NOOP("CurvesPanel", "Gradient norm"),
    "update": QT_TRANSLATE_NOOP("CurvesPanel", "Update / weight"),
    "steps": QT_TRANSLATE_NOOP("CurvesPanel", "Steps per second"),
    "tokens": QT_TRANSLATE_NOOP("CurvesPanel", "Tokens per second"),
    "memory": QT_TRANSLATE_NOOP("CurvesPanel", "Memory, GB"),
}
STEPS = ("loss", "rate")
LINEAR = ("rate", "steps", "tokens", "memory")
AXES = {
    "step": QT_TRANSLATE_NOOP("CurvesPanel", "step"),
    "time": QT_TRANSLATE_NOOP("CurvesPanel", "minutes"),
    "epoch": QT_TRANSLATE_NOOP("CurvesPanel", "epoch"),
    "tokens": QT_TRANSLATE_NOOP("CurvesPanel", "million tokens"),
}


class CurvesPanel(Panel):
    """One curve at a time, smoothed as far as the slider says; closed until it is asked for."""

    key = "curves"
    name = QT_TRANSLATE_NOOP("Panel", "Curves")
    folded = True

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.curve_combo = self._combo(CURVES, self.tr("Curve"))
        self.axis_combo = self._combo(AXES, self.tr("Horizontal axis"))
        self.smooth_slider = Slider()
        self.smooth_slider.setRange(0, TOP)
        self.smooth_slider.setAccessibleName(self.tr("Smoothing"))
        self.smooth_slider.setToolTip(
            self.tr("Smoothing: share of the average before at each step; 0: as measured")
        )
        self.smooth_slider.setMinimumWidth(70)
        self.smooth_slider.setMaximumWidth(160)
        self.smooth_slider.valueChanged.connect(self._changed)
        self.head.addWidget(self.curve_combo)
        self.head.addWidget(self.axis_combo)
        self._smooth_name = label(self.tr("Smoothing"), "small")
        self.head.addWidget(self._smooth_name)
        self.head.addWidget(self.smooth_slider, 1)
        self.head.addStretch(1)
        self.plot = Plot(self.tr("One curve of the training"), self.tr("step"), log_y=True)
        self.body.addWidget(self.plot)
        self._raw = pg.PlotCurveItem(connect="finite", name="measured")
        self._smooth = pg.PlotCurveItem(connect="finite", name="smoothed")
        for item in (self._raw, self._smooth):
            self.plot.addItem(item, ignoreBounds=True)
        self.plot.curve_words = {
            "smoothed": self.tr("smoothed"), "measured": self.tr("measured"),
        }  # fmt: skip
        self.plot.moved_by_hand.connect(self.redraw)
        self.plot.follow_requested.connect(self._fit_now)
        self._clear()
        self.restyle(theme.current())

    def _combo(self, words: dict[str, str], name: str) -> Combo:
        combo = Combo()
        combo.setAccessibleName(name)
        for key, text in words.items():
            combo.addItem(translate("CurvesPanel", text), key)
        combo.currentIndexChanged.connect(self._changed)
        return combo

    # -- collecting ------------------------------------------------------------------------------

    def _clear(self) -> None:
        self._curves = {key: Series() for key in CURVES}
        self._seconds, self._tokens = Series(), Series()
        self._last: PaceRecord | None = None
        self._known_epoch = 0  # steps of an epoch, where the rows do not say it
        self._rows = 0  # of training, in an epoch; 0: not known, or without end

    def reset(self, loaded: LoadedRecord) -> None:
        self._clear()
        self.plot.following = True
        self.dirty = True

    def receive(self, records: Sequence[Record]) -> None:
        steps: list[StepRecord] = []
        for record in records:
            if isinstance(record, StepRecord):
                steps.append(record)
                continue
            if isinstance(record, ResumedRecord):
                self._take(steps)
                steps = []
                for series in (*self._curves.values(), self._seconds, self._tokens):
                    series.cut(record.step)
                self._last = None
            elif isinstance(record, PaceRecord):
                self._pace(record)
            elif isinstance(record, DataRecord):
                self._rows, self._known_epoch = record.train_rows, record.epoch_steps
            else:
                continue
            self.dirty = True
        self._take(steps)

    def _take(self, steps: Sequence[StepRecord]) -> None:
        if steps:
            at = [record.step for record in steps]
            self._curves["loss"].extend(at, [record.loss for record in steps])
            self._curves["rate"].extend(at, [record.learning_rate for record in steps])
            self._seconds.extend(at, [record.seconds for record in steps])
            self.dirty = True

    def _pace(self, record: PaceRecord) -> None:
        last, self._last = self._last, record
        at = [record.step]
        self._curves["gradient"].extend(at, [record.gradient_norm])
        self._curves["update"].extend(at, [record.update_ratio])
        self._curves["memory"].extend(at, [record.memory / 1e9 if record.memory else math.nan])
        if record.tokens:
            self._tokens.extend(at, [record.tokens])
        passed = record.seconds - last.seconds if last is not None else 0.0
        if passed > 0 and last is not None:
            self._curves["steps"].extend(at, [(record.step - last.step) / passed])
            if record.tokens:
                self._curves["tokens"].extend(at, [(record.tokens - last.tokens) / passed])

    # -- drawing ---------------------------------------------------------------------------------

    @property
    def curve(self) -> str:
        return self.curve_combo.currentData()

    @property
    def axis(self) -> str:
        return self.axis_combo.currentData()

    def redraw(self) -> None:
        self.dirty = False
        series = self._curves[self.curve]
        if not len(series):
            self.say(self._why_empty())
            return
        if reason := self._no_axis():
            self.say(reason)
            return
        self.say("")
        log = self.curve not in LINEAR
        self.plot.set_log(log)
        words = translate("CurvesPanel", AXES[self.axis])
        if self.plot.x_label != words:
            self.plot.bottom.whole = self.axis == "step"
            self.plot.name_bottom(words)
        if self.plot.following:
            self._fit()
        (x0, x1), _ = self.plot.view.viewRange()
        first, last = self._steps_of(np.array([x0, x1]))
        steps, y = series.window(first, last, self.plot.columns() // 2)
        x = self.placed(steps)
        self._raw.setData(x, self._scaled(y, log))
        share = self.smooth_slider.value() / 100
        if share:
            self._smooth.setData(x, self._scaled(averaged(y, share), log))
        else:
            self._smooth.clear()
        self._raw.setPen(pen(theme.current().raw if share else theme.current().smoothed))

    def placed(self, steps: np.ndarray) -> np.ndarray:
        """Where these steps lie on the axis that is chosen."""
        if self.axis == "time":
            return np.interp(steps, *self._known(self._seconds)) / 60
        if self.axis == "epoch":
            return np.asarray(steps, float) / self._epoch
        if self.axis == "tokens":
            return np.interp(steps, *self._known(self._tokens)) / 1e6
        return np.asarray(steps, float)

    def _steps_of(self, x: np.ndarray) -> tuple[float, float]:
        """The steps between two places of the axis."""
        if self.axis == "step":
            low, high = x
        elif self.axis == "epoch":
            low, high = x * self._epoch
        else:
            scale, series = (60, self._seconds) if self.axis == "time" else (1e6, self._tokens)
            at, values = self._known(series)
            low, high = np.interp(x * scale, values, at)
        return float(low), float(high)

    @staticmethod
    def _known(series: Series) -> tuple[np.ndarray, np.ndarray]:
        """Steps and values, from nothing at step 0 where the run began in sight."""
        at, values = series.window(-1, (series.last_step or 0) + 1, 2000)
        return np.concatenate([[0.0], at]), np.maximum.accumulate(np.concatenate([[0.0], values]))

    @property
    def _epoch(self) -> int:
        """Steps of an epoch, as the number of steps is made of epochs."""
        config = self.standing.config
        size = config.batch_size if config is not None else 1
        return self._known_epoch or steps_per_epoch(self._rows, size)

    def _no_axis(self) -> str:
        if self.axis == "epoch" and not self._rows:
            return self.tr("These data have no epochs: their rows are drawn without end.")
        if self.axis == "tokens" and not len(self._tokens):
            return self.tr("No tokens are counted: this task does not read text, or the run was "
                           "recorded before they were.")  # fmt: skip
        if self.axis == "time" and not len(self._seconds):
            return self.tr("No step yet.")
        return ""

    def _why_empty(self) -> str:
        if not len(self._curves["loss"]):
            return self.tr("No step yet. Train (Space) is available once the model has loaded.")
        return self.tr("Not recorded yet: this task does not read text, or the run was recorded "
                       "before this was.")  # fmt: skip

    @staticmethod
    def _scaled(y: np.ndarray, log: bool) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(y > 0, np.log10(y), np.nan) if log else y

    def _fit(self) -> None:
        series, log = self._curves[self.curve], self.curve not in LINEAR
        steps, y = series.window(-1, (series.last_step or 0) + 1, 400)
        y = self._scaled(y, log)
        y = y[np.isfinite(y)]
        if not len(y):
            return
        low, high = float(y.min()), float(y.max())
        if not log:
            low = min(0.0, low)
        room = max(0.08 * (high - low), 0.05 if log else 0.02 * abs(high) + 1e-12)
        end = float(self.placed(steps[-1:])[0]) or 1.0
        self.plot.show_range((0, end), (low - room * log, high + room))

    def _fit_now(self) -> None:
        self._fit()
        self.redraw()

    def _changed(self, _index: int = 0) -> None:
        self.plot.following = True
        self.plot.follow_button.hide()
        self.plot.cursor_lines.clear()
        self.dirty = True
        if self.isVisible():
            self.redraw()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        row = (self.curve_combo, self.axis_combo, self._smooth_name)
        need = sum(w.sizeHint().width() + self.head.spacing() for w in row)
        around = self.layout().contentsMargins()
        room = self.width() - self.head.contentsMargins().right() - around.left() - around.right()
        self._smooth_name.setVisible(need + self.smooth_slider.minimumWidth() + 12 <= room)

    def restyle(self, colors: Colors) -> None:
        self.plot.restyle(colors)
        self._smooth.setPen(pen(colors.smoothed, 2))
        self.dirty = True

    def figure_data(self) -> Columns:
        series = self._curves[self.curve]
        if not len(series) or self._no_axis():
            return {}
        steps, y = series.points
        words = translate("CurvesPanel", AXES[self.axis])
        columns = {"step": steps.copy(), self.curve_combo.currentText(): y.astype(float)}
        return columns if self.axis == "step" else {words: self.placed(steps), **columns}

    def summary(self) -> str:
        series = self._curves[self.curve]
        if not len(series):
            return self._why_empty()
        words = self.tr("{}: {} at step {:,}.")
        return words.format(
            self.curve_combo.currentText(), number(series.last_value), series.last_step
        )
