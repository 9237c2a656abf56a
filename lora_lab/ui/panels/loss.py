"""The loss: raw and smoothed, training and validation, with a mark at every edit."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from functools import partial

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QT_TRANSLATE_NOOP, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QToolButton, QWidget

from lora_lab.hyperparameters import Hyperparameters
from lora_lab.measured import ClippedRecord
from lora_lab.opening_records import LoadedRecord
from lora_lab.records import (
    AppliedRecord,
    EvalRecord,
    NonFiniteRecord,
    PastEditRecord,
    Record,
    ResumedRecord,
    StepRecord,
)
from lora_lab.ui.panels.edit_marks import EditMarks
from lora_lab.ui.panels.edit_norms import EditNorms
from lora_lab.ui.panels.loss_range import loss_range, step_end
from lora_lab.ui.panels.loss_references import References
from lora_lab.ui.panels.loss_words import columns, entries, summary
from lora_lab.ui.panels.overlay_curves import OverlayCurves
from lora_lab.ui.panels.overlays import Overlay
from lora_lab.ui.panels.panel import Columns, Panel
from lora_lab.ui.style import theme
from lora_lab.ui.style.theme import Colors
from lora_lab.ui.widgets.labels import keep_whole, label, show
from lora_lab.ui.widgets.legend import Legend, with_rest
from lora_lab.ui.widgets.plot import Plot, number, pen
from lora_lab.ui.widgets.series import Series
from lora_lab.ui.widgets.smoothing import FLOOR, Smoothing

_RANGE_SECONDS = 0.5  # axes move at most this often, so that they never jitter


class LossPanel(Panel):
    """Loss over steps. Costs the visible points, whatever the length of the run."""

    key = "loss"
    name = QT_TRANSLATE_NOOP("Panel", "Loss")

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._figure = label(role="figure", name=self.tr("Smoothed training loss"))
        self._figure_note = label(role="small")
        self._legend = Legend()
        self._legend.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._log = QToolButton()
        self._log.setText(self.tr("log"))
        self._log.setCheckable(True)
        self._log.setChecked(True)
        self._log.setProperty("role", "quiet")
        self._log.setToolTip(self.tr("Logarithmic loss axis"))
        self._log.setAccessibleName(self.tr("Logarithmic loss axis"))
        self._log.toggled.connect(self._scale_changed)
        self.head.addWidget(self._figure)
        self.head.addWidget(self._figure_note, 0, Qt.AlignmentFlag.AlignVCenter)
        self.head.addWidget(self._legend, 1)
        self.head.addWidget(self._log)

        self._plot = plot = Plot(self.tr("Loss over steps"), self.tr("step"), log_y=True)
        self.body.addWidget(plot)
        self.marks = EditMarks(plot)
        self._norms = EditNorms(plot, self.marks)
        words = self.tr("raw"), self.tr("train"), self.tr("validation")
        plot.curve_words = dict(zip(("train", "train, smoothed", "validation"), words, strict=True))
        self.references = References(plot)
        self._behind = OverlayCurves(plot)
        self._raw = pg.PlotCurveItem(connect="finite", name="train")
        self._smooth = pg.PlotCurveItem(connect="finite", name="train, smoothed")
        self._valid = pg.PlotCurveItem(connect="finite", name="validation")
        self._valid_dots = pg.ScatterPlotItem(size=6, pxMode=True)
        self._best = pg.ScatterPlotItem(size=13, symbol="star", pxMode=True, name="best")
        self._bad = pg.ScatterPlotItem(size=11, symbol="x", pxMode=True, name="not finite")
        upper = (self._smooth, self._valid, self._valid_dots, self._best, self._bad)
        for z, item in ((20, self._raw), *enumerate(upper, 23)):  # the references lie between
            item.setZValue(z)
            plot.addItem(item, ignoreBounds=True)
        plot.moved_by_hand.connect(self.redraw)
        plot.follow_requested.connect(self._fit_now)
        self._clear(())
        self.restyle(theme.current())

    # -- collecting ------------------------------------------------------------------------------

    def _clear(self, floor: tuple[float, ...], rank: int = 0) -> None:
        self._train, self._smoothed, self._validation = Series(), Series(), Series()
        self._smoothing = Smoothing()
        self._seen = 0
        self._best_at: tuple[int, float] | None = None  # of the validations after step 0
        self.references.clear(floor, rank)
        self.marks.clear()
        self._norms.clear()
        self._ranged_at = 0.0
        self._fitted = (0, 0)  # points of both curves when the axes moved last

    def reset(self, loaded: LoadedRecord) -> None:
        self._clear(loaded.loss_floor, self._lesson_rank(loaded.hyper))
        self._plot.following = True
        self._plot.follow_button.hide()
        self.dirty = True

    def receive(self, records: Sequence[Record]) -> None:
        begin = 0
        for at, record in enumerate(records):
            if isinstance(record, ResumedRecord):
                self._add(records[begin:at])
                self._go_back(record)
                begin = at + 1
        self._add(records[begin:])

    def _add(self, records: Sequence[Record]) -> None:
        steps, losses = list[int](), list[float]()
        smooth_steps, smooth = list[int](), list[float]()
        for record in records:
            self._norms.take(record)
            if isinstance(record, StepRecord):
                steps.append(record.step)
                losses.append(record.loss)
                value = self._smoothing.add(record.loss)
                self._seen += 1
                # It moves slowly: every fourth of many points is the same line for a quarter.
                if self._seen < 1000 or self._seen % 4 == 0:
                    smooth_steps.append(record.step)
                    smooth.append(value)
            elif isinstance(record, EvalRecord):
                if record.enabled:
                    self._validation.extend([record.step], [record.loss])
                    if record.best and record.step:
                        self._best_at = (record.step, record.loss)
                else:
                    self.references.baseline = record.loss
                self.dirty = True
            elif isinstance(record, AppliedRecord):
                self._note_edit(record)
            elif isinstance(record, PastEditRecord | ClippedRecord):
                self.marks.note_record(record)
            elif isinstance(record, NonFiniteRecord):  # a step that was tried, and has no loss
                steps.append(record.step)
                losses.append(math.nan)
        if steps:
            self._train.extend(steps, losses)
            self._smoothed.extend(smooth_steps, smooth)
            self.dirty = True

    def _go_back(self, back: ResumedRecord) -> None:
        """Cut the curves where the run stands at an earlier step again."""
        for series in (self._train, self._smoothed, self._validation):
            series.cut(back.step)
        self.marks.cut(back.step, back.edits)
        self._norms.cut(back.step)
        if self._best_at is not None and self._best_at[0] > back.step:
            self._best_at = None
        self._smoothing.edited()
        self.dirty = True

    def set_overlays(self, overlays: Sequence[Overlay]) -> None:
        self._behind.show(overlays)
        self.dirty = True

    def _note_edit(self, record: AppliedRecord) -> None:
        self._smoothing.edited()
        self.marks.note(record.step, record.changes)
        if (rank := self._lesson_rank(record.hyper)) != self.references.rank:
            self.references.note_rank(record.step, rank)
        self.dirty = True

    def _lesson_rank(self, hyper: Hyperparameters) -> int:
        """The rank that the loss floor is of: that of the first layer, the only one in a lesson."""
        ranks = self.standing.ranks
        return next((ranks.wanted(name, hyper) for name in ranks.layers), 0) if ranks else 0

    # -- drawing ---------------------------------------------------------------------------------

    def redraw(self) -> None:
        self.dirty = False
        measured = len(self._train) or len(self._validation)
        if not measured and math.isnan(self.references.baseline):
            self.say(self.tr("No step yet. Train (Space) is available once the model has loaded."))
            self._show_words()
            self._legend.show_rows(())
            return
        self.say("")
        if self._plot.following:
            self._fit()
        (x0, x1), _ = self._plot.view.viewRange()
        columns = self._plot.columns()
        # Half a bucket per pixel column: min and max of each are drawn.
        x, y = self._train.window(x0, x1, columns // 2)
        self._raw.setData(x, self._scaled(y))
        x, y = self._smoothed.window(x0, x1, columns // 3)
        self._smooth.setData(x, self._scaled(y))
        x, y = self._validation.window(x0, x1, columns // 4)
        y = self._scaled(y)
        self._valid.setData(x, y)
        few = len(x) * 8 < columns
        self._valid_dots.setData(x, y) if few else self._valid_dots.clear()
        best = [] if self._best_at is None else [self._best_at]
        self._best.setData([at for at, _ in best], self._scaled(np.array([y for _, y in best])))
        bad, (_, (y0, y1)) = self._train.non_finite(x0, x1), self._plot.view.viewRange()
        self._bad.setData(bad, np.full(len(bad), y1 - 0.06 * (y1 - y0)))
        self.marks.draw(x0, x1)
        self._behind.draw(x0, x1, columns, self._scaled)
        curves = (self._raw, self._smooth, self._valid)
        self.references.draw(self._scaled, [c.getData() for c in curves], self.marks.boxes)
        self._show_words()

    def _scaled(self, y: np.ndarray) -> np.ndarray:
        return np.log10(np.maximum(y, FLOOR)) if self._log.isChecked() else y

    def _fit(self, now: bool = False) -> None:
        """Fit the axes to everything, in steps and at most twice a second."""
        clock = time.monotonic()
        seen = (len(self._train), len(self._validation))
        if not now and clock - self._ranged_at < _RANGE_SECONDS:
            self.dirty = seen != self._fitted  # withheld: drawn again soon, even if no step comes
            return
        self._ranged_at, self._fitted = clock, seen
        last = max(self._train.last_step or 0, self._validation.last_step or 0)
        last = max(last, self._behind.last_step)
        parts = [series.window(-1, last + 1, 400)[1] for series in (self._train, self._validation)]
        parts += self._behind.values()
        values = np.concatenate([*parts, np.array(self.references.values(), np.float32)])
        ends = loss_range(values, self._log.isChecked(), self.marks.share)
        self._plot.show_range((0, step_end(last, self.standing.goal)), ends)

    def _show_words(self) -> None:
        value = self._smoothed.last_value
        bad = self._train.non_finite_count
        show(self._figure, number(value) if len(self._train) else "—")
        parts = [self.tr("step {:,}").format(self._train.last_step or 0)]
        if bad:
            parts.append(self.tr("{:,} not finite").format(bad))
        show(self._figure_note, " · ".join(parts))
        around = self.layout().contentsMargins()
        room = self.width() - self.head.contentsMargins().right() - around.left() - around.right()
        room -= self._log.sizeHint().width() + 12
        more = self._behind.entries() + self.references.entries()
        seen = len(self._validation) > 0
        rows = partial(entries, self.standing.loaded, seen, self._best_at, more)
        # What the curves are of matters more than the step, which the status bar says as well.
        room -= self._legend.width_of(with_rest(rows(short=True), 1 + seen)) + 12
        keep_whole([(self._figure,), (self._figure_note,)], room, 12)
        self._legend.show_rows(rows(), rows(short=True))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.dirty = True  # other words fit beside the number, and other points into the plot

    def _scale_changed(self, log: bool) -> None:
        self._plot.left.log = log
        self._plot.left.picture = None
        self._plot.follow()

    def _fit_now(self) -> None:
        self._fit(now=True)
        self.redraw()

    def restyle(self, colors: Colors) -> None:
        self._plot.restyle(colors)
        self._raw.setPen(pen(colors.raw))
        self._smooth.setPen(pen(colors.smoothed, 2))
        self._valid.setPen(pen(colors.validation))
        self._valid_dots.setBrush(colors.validation)
        self._valid_dots.setPen(pen(colors.panel))
        self._bad.setPen(pen(colors.error, 2))
        self._best.setBrush(colors.good)
        self._best.setPen(pen(colors.panel))
        self.marks.restyle(colors)
        self._behind.restyle(colors)
        self.references.restyle(colors)
        self.dirty = True

    def figure_data(self) -> Columns:
        run = (self._train, self._smoothed, self._validation)
        return columns(*run, self.references.baseline, self._behind.series())

    def summary(self) -> str:
        return summary(self._train, self._smoothed, self._validation)
