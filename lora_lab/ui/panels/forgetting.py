"""Learning beside forgetting: the new task and the old one over the steps of a run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QCoreApplication, Qt

from lora_lab.opening_records import LoadedRecord
from lora_lab.records import EvalRecord
from lora_lab.ui.panels.panel import Columns
from lora_lab.ui.style.figures import rounded_percent
from lora_lab.ui.style.theme import Colors
from lora_lab.ui.widgets.plot import Plot, number, pen
from lora_lab.ui.widgets.series import Series

translate = QCoreApplication.translate


@dataclass(frozen=True)
class Both:
    """How well the new task and the old one are done: two accuracies, or two losses."""

    new: float
    old: float
    shares: bool  # whether these are shares of right answers


def both(record: EvalRecord | None, loaded: LoadedRecord | None) -> Both | None:
    """From rows of the old task where there are some, else from the classes not trained on."""
    if record is None or loaded is None:
        return None
    if record.keep_accuracy is not None and record.accuracy is not None:
        return Both(record.accuracy, record.keep_accuracy, True)
    if record.keep_loss is not None:
        return Both(record.loss, record.keep_loss, False)
    names = set(loaded.trained_classes)
    trained = [i for i, name in enumerate(loaded.classes) if name in names]
    others = [i for i, name in enumerate(loaded.classes) if name not in names]
    if not (trained and others and record.total):
        return None
    return Both(pooled(record, trained), pooled(record, others), True)


def pooled(record: EvalRecord | None, classes: Sequence[int]) -> float:
    """Share of correct answers over these classes together."""
    if record is None or not record.total:
        return math.nan
    total = sum(record.total[i] for i in classes if i < len(record.total))
    correct = sum(record.correct[i] for i in classes if i < len(record.correct))
    return correct / total if total else math.nan


def both_words(off: Both | None, now: Both | None, loaded: LoadedRecord | None) -> str:
    """One plain sentence: what was learned, and what was forgotten for it."""
    if off is None or now is None or loaded is None:
        return ""
    words = partial(rounded_percent, digits=0) if now.shares else number
    new, old = names(loaded)
    learned = f"{new}: {words(off.new)} → {words(now.new)}"
    lost = f"{old}: {words(off.old)} → {words(now.old)}"
    template = "{}; {}" if now.shares else translate("forgetting", "Loss, {}; {}")
    return template.format(learned, lost)


def names(loaded: LoadedRecord) -> tuple[str, str]:
    """What the new task and the old one are called."""
    trained = loaded.trained_classes
    if not trained or set(trained) == set(loaded.classes):
        return translate("forgetting", "new task"), translate("forgetting", "retention set")
    listed = ", ".join(
        translate("forgetting", "{}s").format(name) if name.isdigit() else name for name in trained
    )
    if len(listed) > 20:
        listed = translate("forgetting", "{} classes").format(len(trained))
    return listed, translate("forgetting", "other classes")


class ForgettingCurves(Plot):
    """Solid for the new task, dashed for the old one; dots mark the base alone at step 0."""

    def __init__(self) -> None:
        super().__init__(
            translate("forgetting", "New task and old task over steps"),
            translate("forgetting", "step"),
        )
        self._new, self._old = Series(), Series()
        self.shares = True
        self.left.unit = " %"
        self._curves = tuple(
            pg.PlotCurveItem(connect="finite", name=name) for name in ("new task", "old task")
        )
        self._ends = (pg.ScatterPlotItem(size=7), pg.ScatterPlotItem(size=8, symbol="s"))
        for item in (*self._curves, *self._ends):
            self.addItem(item, ignoreBounds=True)
        self.follow_requested.connect(self.draw)
        self.moved_by_hand.connect(self.draw)

    def clear_points(self) -> None:
        """Another model stands ready."""
        self._new, self._old = Series(), Series()
        self.following = True
        self.follow_button.hide()

    def add(self, step: int, pair: Both) -> None:
        """One more evaluation with the adapter on."""
        if self._new.last_step is not None and step < self._new.last_step:
            self.cut(step)
        if pair.shares != self.shares:
            self.shares = pair.shares
            self.left.unit, self.left.picture = " %" if pair.shares else "", None
        scale = 100.0 if pair.shares else 1.0
        self._new.extend([step], [scale * pair.new])
        self._old.extend([step], [scale * pair.old])

    def figure_data(self) -> Columns:
        """Both curves, in per cent or as losses."""
        (steps, new), (_, old) = self._new.points(), self._old.points()
        return {"step": steps, "new_task": new, "old_task": old}

    def cut(self, step: int) -> None:
        """The run stands at `step` again."""
        self._new.cut(step)
        self._old.cut(step)

    def draw(self) -> None:
        """Bring the curves up to what was added."""
        if self.following:
            self._fit()
        (x0, x1), _ = self.view.viewRange()
        columns = self.columns()
        for series, curve, end in zip(
            (self._new, self._old), self._curves, self._ends, strict=True
        ):
            x, y = series.window(x0, x1, columns // 2)
            curve.setData(x, y)
            end.setData(x[-1:], y[-1:])

    def _fit(self) -> None:
        last = max(self._new.last_step or 0, 10)
        right = 10 * 1.25 ** math.ceil(math.log(last / 10, 1.25) - 1e-9)
        if self.shares:
            self.show_range((0, right), (0, 104))
            return
        parts = [series.window(-1, last + 1, 400)[1] for series in (self._new, self._old)]
        values = np.concatenate(parts)
        values = values[np.isfinite(values)]
        low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
        span = max(high - low, 0.05 * abs(high), 1e-9)
        self.show_range((0, right), (low - 0.08 * span, high + 0.12 * span))

    def restyle(self, colors: Colors) -> None:
        super().restyle(colors)
        if not hasattr(self, "_curves"):
            return  # called by the plot itself, before there are any
        tones = (colors.adapter, colors.validation)
        styles = (Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine)
        for curve, end, tone, style in zip(self._curves, self._ends, tones, styles, strict=True):
            curve.setPen(pen(tone, 2, style))
            end.setBrush(tone)
            end.setPen(pen(colors.panel))
