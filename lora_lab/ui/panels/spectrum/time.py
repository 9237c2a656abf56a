"""σ over the steps of a run: a line for each σ of one layer, or σ₁ of all layers as shades."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QStackedWidget

from lora_lab.measured import ClippedRecord
from lora_lab.records import AppliedRecord, PastEditRecord, ResumedRecord
from lora_lab.ui.panels.edit_marks import EditMarks
from lora_lab.ui.panels.spectrum.heat import DECADES
from lora_lab.ui.panels.spectrum.scene import Range, Scene
from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import row_names
from lora_lab.ui.style.theme import Colors
from lora_lab.ui.widgets.heat import Heat
from lora_lab.ui.widgets.plot import Plot, number, pen

_TONES = 8  # of the lines, from σ₁ to the last; more lines share them
_NAME = 26  # pixels beside the lines for the names of two
_COLUMNS = 128  # of the picture of all layers


class SpectrumTime:
    """Draws the history of the scene, with the edits marked. Other runs are not shown here."""

    def __init__(self) -> None:
        translate = QCoreApplication.translate
        step = translate("SpectrumTime", "step")
        over_steps = translate("SpectrumTime", "σ over steps")
        self._lines_plot = lines = Plot(over_steps, step, log_y=True)
        self._true = pg.PlotCurveItem(connect="pairs")
        self._lines = [
            pg.PlotCurveItem(connect="finite", name=f"σ, tone {tone}") for tone in range(_TONES)
        ]
        self._marks = EditMarks(lines)
        self._texts = [pg.TextItem(anchor=(0, 0.5)) for _ in range(2)]
        for z, item in enumerate((self._true, *reversed(self._lines), *self._texts), start=20):
            item.setZValue(z)
            lines.addItem(item, ignoreBounds=True)
        self._heat = Heat(translate("SpectrumTime", "σ₁ of every layer over steps"), step)
        self._heat_marks = EditMarks(self._heat.plot)
        self._heat.words = self._words
        self.widget = QStackedWidget()
        self.widget.addWidget(lines)
        self.widget.addWidget(self._heat)
        self.picture, self.plots = lines, (lines, self._heat.plot)
        self.row_chosen = self._heat.row_chosen
        self.range = Range()
        self._first = np.empty((0, 0))
        self._names: list[str] = []
        self._steps = np.empty(0)
        self.restyle(theme.current())

    def note(self, record: AppliedRecord | PastEditRecord | ClippedRecord | ResumedRecord) -> None:
        """An edit of the run, or the step at which it stands again."""
        for marks in (self._marks, self._heat_marks):
            if isinstance(record, ResumedRecord):
                marks.cut(record.step, record.edits)
            else:
                marks.note_record(record)

    def clear(self) -> None:
        """A new run."""
        for marks in (self._marks, self._heat_marks):
            marks.clear()

    def draw(self, scene: Scene) -> None:
        """Show one layer as lines, several as a picture."""
        one = len(scene.shown) == 1
        self.widget.setCurrentIndex(0 if one else 1)
        self.picture = self.plots[0 if one else 1]
        if one:
            self._draw_lines(scene)
        else:
            self._draw_all(scene)

    def _draw_lines(self, scene: Scene) -> None:
        plot, steps = self._lines_plot, scene.history.steps
        plot.set_log(scene.log)
        name = scene.shown[0].name
        sigma = scene.history.layer(name).astype(float)
        beyond = np.arange(sigma.shape[1]) >= scene.history.ranks(name)[:, None]
        sigma[beyond | ~(sigma > 0)] = np.nan
        known = sigma[np.isfinite(sigma)]
        low, high = self.range.fit(np.concatenate([known, scene.true]), scene.log)
        if len(steps) == 1:  # a point is no line: it is drawn as wide as the step that it is of
            steps, sigma = steps[0] + np.array([-0.5, 0.5]), np.repeat(sigma, 2, axis=0)
        first, last = float(steps[0]), float(steps[-1])
        if plot.following:
            # Above the lines a strip for the labels of the edits, beside them one for their names.
            beside = _NAME * (last - first) / plot.columns()
            plot.show_range((first, last + beside), (low, high + 0.15 * (high - low)))
        (x0, x1), _ = plot.view.viewRange()
        wide = sigma.shape[1]
        tone = np.arange(wide) * _TONES // max(_TONES, wide)
        for place, item in enumerate(self._lines):
            columns = sigma[:, tone == place]
            x = np.tile(np.append(steps.astype(float), np.nan), columns.shape[1])
            gap = np.full((1, columns.shape[1]), np.nan)
            y = np.concatenate([scene.scaled(columns), gap]).T.ravel()
            item.setData(x, y, connect="finite")
        levels = scene.scaled(scene.true)
        ends = np.tile([x0, x1], len(levels))
        self._true.setData(ends, np.repeat(levels, 2), connect="pairs")
        self._marks.draw(x0, x1)
        self._name_ends(scene.scaled(sigma[-1]), last)

    def _name_ends(self, newest: np.ndarray, last: float) -> None:
        """The first and the last line by name, where they end."""
        there = np.flatnonzero(np.isfinite(newest))
        named = sorted({int(there[0]), int(there[-1])}) if len(there) else []
        for item in self._texts:
            item.hide()
        for item, place in zip(self._texts, named, strict=False):
            item.setText(f"σ{place + 1}")
            item.setPos(last, float(newest[place]))
            item.show()

    def _draw_all(self, scene: Scene) -> None:
        steps, first = scene.history.steps, scene.history.first()
        self._first, self._steps = first, steps
        self._names = list(scene.history.names)
        begin, end = float(steps[0]), float(steps[-1])
        if end <= begin:
            begin, end = begin - 1, end + 1
        count = min(_COLUMNS, max(2, len(steps)))
        middles = begin + (np.arange(count) + 0.5) * (end - begin) / count
        # What was measured nearest to each column, since the steps between spectra differ.
        at = np.searchsorted((steps[1:] + steps[:-1]) / 2, middles)
        cells = first[:, at]
        with np.errstate(invalid="ignore"):
            positive = cells[cells > 0]
        if not len(positive):
            positive = np.ones(1)
        ends = self.range.fit(positive, scene.log, DECADES)
        with np.errstate(invalid="ignore"):
            scaled = np.where(np.isnan(cells), np.nan, scene.scaled(cells))
        chosen = self._names.index(scene.chosen) if scene.chosen in self._names else -1
        self._columns = at
        names = row_names(self._names)
        self._heat.show_cells(scaled, names, (begin, end), ends, scene.log, chosen)
        self._heat_marks.draw(begin, end)

    def _words(self, row: int, column: int) -> str:
        at = int(self._columns[column])
        value = number(float(self._first[row, at]))
        words = QCoreApplication.translate("SpectrumTime", "{}: σ₁ = {} at step {:,}")
        return words.format(self._names[row], value, int(self._steps[at]))

    def restyle(self, colors: Colors) -> None:
        """Take up the colours in force."""
        self._lines_plot.restyle(colors)
        self._heat.restyle(colors)
        for marks in (self._marks, self._heat_marks):
            marks.restyle(colors)
        near, far = QColor(colors.adapter), QColor(colors.frozen)
        for place, item in enumerate(self._lines):
            share = place / (_TONES - 1)
            mixed = [
                round(a + (b - a) * share)
                for a, b in zip(near.getRgb()[:3], far.getRgb()[:3], strict=True)
            ]
            item.setPen(pen(QColor(*mixed).name(), 2 if place == 0 else 1))
        self._true.setPen(pen(colors.validation, 1))
        for text in self._texts:
            text.setColor(colors.muted)
            text.setFont(theme.font(0.92))
