"""The edits of a run along its curve: a line at each, with words where there is room."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QCoreApplication

from lora_lab.hyperparameters import Hyperparameters
from lora_lab.measured import ClippedRecord
from lora_lab.names import brief, legible
from lora_lab.records import AppliedRecord, PastEditRecord
from lora_lab.setting import settings_of
from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import in_words, plain_number
from lora_lab.ui.style.theme import Colors
from lora_lab.ui.widgets.plot import Plot, pen

translate = QCoreApplication.translate

_LABELS = 14
LABEL = 80  # characters of a name or a value on one
ROW, ROWS, MARGIN = 17, 3, 8  # pixels of a row of labels, how many at most, pixels around them
Box = tuple[float, float, float, float]  # left, right, lower and upper end, on the axes' scales
NOTHING = "–"


class EditMarks:
    """Lines and labels on one plot; what is added first lies below."""

    def __init__(self, plot: Plot) -> None:
        self._plot = plot
        self._lines = pg.PlotCurveItem(connect="pairs", name="edits")
        self._texts = [pg.TextItem(anchor=(0, 0)) for _ in range(_LABELS)]
        plot.addItem(self._lines, ignoreBounds=True)
        for text in self._texts:
            text.setZValue(100)
            plot.addItem(text, ignoreBounds=True)
        self.clear()

    def clear(self) -> None:
        """A new run: nothing was edited yet."""
        self.boxes: list[Box] = []  # where words stand now
        self._edits: list[tuple[int, str, str, str]] = []  # step, short name, old, new
        self._numbers: list[int] = []  # of the edit that each belongs to, from 1
        self._count = 0

    def note(self, step: int, changes: tuple[tuple[str, Any, Any], ...]) -> None:
        """One edit, which may have changed several fields."""
        self._count += bool(changes)
        for field, old, new in changes:
            self._edits.append((step, _short_name(field), _short(old), _short(new)))
            self._numbers.append(self._count)

    def note_record(self, record: AppliedRecord | PastEditRecord | ClippedRecord) -> None:
        """An edit, or a clip of σ, which is one as well."""
        if isinstance(record, ClippedRecord):
            self._count += 1
            self._edits.append(
                (record.step, translate("edits", "σ clip"), NOTHING, _words(record.layer))
            )
            self._numbers.append(self._count)
        else:
            self.note(record.step, record.changes)

    def cut(self, step: int, edits: int) -> None:
        """The run stands at `step` again, with so many edits made; -1: all up to there."""
        kept = [
            (edit, number)
            for edit, number in zip(self._edits, self._numbers, strict=True)
            if edit[0] <= step and (edits < 0 or number <= edits)
        ]
        self._edits = [edit for edit, _ in kept]
        self._numbers = [number for _, number in kept]
        self._count = max(self._numbers, default=0)

    @property
    def share(self) -> float:
        """The share of the height that labels may take."""
        rows = min(self._most_rows, len(self._edits))
        return (rows * ROW + MARGIN) / max(self._plot.view.height(), 1) if rows else 0.0

    @property
    def _most_rows(self) -> int:
        """No more than leave the data half of the height."""
        return max(1, min(ROWS, int((0.5 * self._plot.view.height() - MARGIN) / ROW)))

    def near(self, x: float, reach: float) -> tuple[int, list[str]] | None:
        """The step of the edit that is nearest to x, within reach, and what changed there."""
        steps = [edit[0] for edit in self._edits if abs(edit[0] - x) <= reach]
        if not steps:
            return None
        step = min(steps, key=lambda at: abs(at - x))
        here = [edit for edit in self._edits if edit[0] == step]
        return step, [_edit_words(name, [old, new]) for _, name, old, new in here]

    def words(self) -> list[str]:
        """The labels that are shown now."""
        return [text.toPlainText() for text in self._texts if text.isVisible()]

    def draw(self, x0: float, x1: float) -> None:
        """Show those between two steps."""
        _, (y0, y1) = self._plot.view.viewRange()
        pixel = (x1 - x0) / self._plot.columns()
        seen = [edit for edit in self._edits if x0 <= edit[0] <= x1]
        at = np.unique(np.round(np.array([e[0] for e in seen], float) / pixel)) * pixel
        self._lines.setData(np.repeat(at, 2), np.tile([y0, y1], len(at)), connect="pairs")
        texts = iter(self._texts)
        row = (y1 - y0) * ROW / max(self._plot.view.height(), 1)
        top, row = (y0, -row) if self._plot.view.yInverted() else (y1, row)
        self.boxes = []
        free = [-math.inf] * self._most_rows  # where each row of labels is free again
        for step, text in gathered(seen, pixel):
            line = next((i for i, x in enumerate(free) if x <= step), None)
            item = next(texts, None) if line is not None else None
            if item is None:
                continue
            item.setText(text)
            # Where the plot ends, it stands at the left of its line.
            wide = item.boundingRect().width() * pixel
            fits = step + wide <= x1
            item.setAnchor((0, 0) if fits else (1, 0))
            item.setPos(step, top - line * row)
            item.show()
            free[line] = step + wide + 4 * pixel
            left, upper = step if fits else step - wide, top - line * row
            tall = item.boundingRect().height() * abs(row) / ROW
            self.boxes.append((left, left + wide, upper - tall, upper))
        for item in texts:
            item.hide()

    def restyle(self, colors: Colors) -> None:
        """Take up the colours in force."""
        self._lines.setPen(pen(colors.marker))
        for text in self._texts:
            text.setColor(colors.muted)
            text.fill = pg.mkBrush(colors.panel)
            text.setFont(theme.font(0.92))


def _words(text: str) -> str:
    """As much of a text as stands beside a line: an earlier run's file may hold any."""
    return legible(brief(text, LABEL))


def _short_name(field: str) -> str:
    known = _short_names().get(field)
    return in_words(known) if known else _words(field.replace("_", " "))


@cache
def _short_names() -> dict[str, str]:
    return {field: setting.short for field, setting in settings_of(Hyperparameters).items()}


def _short(value: object) -> str:
    if isinstance(value, bool):
        return translate("edits", "on") if value else translate("edits", "off")
    if value is None:
        return translate("edits", "as begun")
    if isinstance(value, float):
        return plain_number(float(f"{value:.3g}"))
    return _words(str(value)).replace("_", " ")


def gathered(edits: list[tuple[int, str, str, str]], pixel: float) -> list[tuple[int, str]]:
    """(step, "α 8→31") of each edit; those of one field whose lines fall on one pixel are one.

    Such a one stands at the first of them. Where it leads back, the value between is told as well:
    what came and went did happen.
    """
    runs: list[tuple[int, str, list[str]]] = []
    open_runs: dict[str, tuple[int, str, list[str]]] = {}
    for step, name, old, new in edits:
        run = open_runs.get(name)
        if run is not None and step - run[0] < pixel:
            run[2].append(new)
        else:
            run = open_runs[name] = (step, name, [old, new])
            runs.append(run)
    return [(step, _edit_words(name, values)) for step, name, values in runs]


def _edit_words(name: str, values: list[str]) -> str:
    old, new = values[0], values[-1]
    if old == new and len(values) > 2:
        return f"{name} {old}→{values[1]}→{new}"
    if old == new == NOTHING:
        return translate("edits", "{} undone").format(name)
    if old == NOTHING:  # of layers only the differences are told
        return f"{name} {new}"
    return (
        translate("edits", "{} {} off").format(name, old)
        if new == NOTHING
        else f"{name} {old}→{new}"
    )
