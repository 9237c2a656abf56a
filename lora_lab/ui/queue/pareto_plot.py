"""Loss over parameters: a mark for each run of a queue, and the front that no run beats."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from lora_lab.runs.grid import axis_title, describe
from lora_lab.runs.queue import PRUNED, Item, pareto
from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import in_words
from lora_lab.ui.widgets.labels import describe as describe_picture
from lora_lab.ui.widgets.labels import label
from lora_lab.ui.widgets.legend import Legend, Row
from lora_lab.ui.widgets.plot import Plot, number, pen
from lora_lab.ui.widgets.smoothing import FLOOR
from lora_lab.variants import VARIANTS

ENDED_EARLY = "x"  # mark of a run that its search has ended


class ParetoPlot(QWidget):
    """Both axes are logarithmic. What runs stands hollow at its best loss so far."""

    chosen = Signal(str)  # id of the run whose mark was clicked

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAutoFillBackground(True)
        self.setBackgroundRole(self.backgroundRole().Base)
        self._items: tuple[Item, ...] = ()
        self._selected = ""
        self._drawn: dict[pg.ScatterPlotItem, list[tuple[object, ...]]] = {}  # looks of its marks
        self._title = label(self.tr("Best validation loss by parameters"), "title")
        self._legend = Legend()
        self._plot = plot = Plot(
            self.tr("Best validation loss over adapter parameters"),
            self.tr("trainable parameters"),
            log_y=True,
        )  # fmt: skip
        plot.bottom.log = True
        self._line = pg.PlotCurveItem(connect="finite", name="front")
        self._ring = pg.ScatterPlotItem(size=19, pxMode=True, name="selected")
        # Apart, since a mark that moves several times a second must not redraw hundreds of others.
        self.marks, self.moving = (
            pg.ScatterPlotItem(size=11, pxMode=True, hoverable=True, tip=self._tip)
            for _ in range(2)
        )
        for marks in (self.marks, self.moving):
            marks.sigClicked.connect(self._on_clicked)
        for z, item in enumerate((self._line, self._ring, self.marks, self.moving), start=20):
            item.setZValue(z)
            plot.addItem(item, ignoreBounds=True)
        plot.follow_requested.connect(self._draw)
        self._empty = label(self.tr("A mark for each run, once its loss is measured."), "empty")
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty.setWordWrap(True)
        self._importances = label("", "small")
        self._importances.setWordWrap(True)
        self._importances.setAccessibleName(self.tr("What the settings account for"))
        self.show_importances({})
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 10, 6)
        column.addWidget(self._title)
        column.addWidget(self._legend)
        column.addWidget(plot, 1)
        column.addWidget(self._empty, 1)
        column.addWidget(self._importances)
        self.show_items(())

    def show_items(self, items: Sequence[Item], selected: str = "") -> None:
        """Show what is known of these; `selected` has a ring around its mark."""
        before = [_look(item) for item in self._items], self._selected
        self._items = tuple(i for i in items if i.parameters and math.isfinite(i.best))
        self._selected = selected
        if before == ([_look(item) for item in self._items], selected) and self._drawn:
            return
        self._plot.setVisible(bool(self._items))
        self._legend.setVisible(bool(self._items))
        self._empty.setVisible(not self._items)
        self._draw()

    def show_importances(self, found: Mapping[str, float]) -> None:
        """What share of the differences among the best runs each setting accounts for."""
        words = "\u00a0· ".join(
            f"{in_words(axis_title(name))} {100 * x:.0f} %" for name, x in found.items()
        )
        text = self.tr("Differences among the best runs: {}").format(words) if found else ""
        self._importances.setText(text)
        self._importances.setVisible(bool(found))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_empty"):
            self._plot.restyle(theme.current())
            self._drawn.clear()
            self._draw()

    @staticmethod
    def place(item: Item) -> tuple[float, float]:
        """Where its mark stands: log10 of its parameters and of its loss."""
        return math.log10(item.parameters), math.log10(max(item.best, FLOOR))

    def _draw(self) -> None:
        colors, items = theme.current(), self._items
        kinds = {item.config.variant for item in items}  # there are eight colours
        named = (name for name in VARIANTS if name in kinds)
        paints = dict(zip(named, itertools.cycle(colors.series), strict=False))
        self._mark(self.marks, [item for item in items if item.ended], paints)
        self._mark(self.moving, [item for item in items if not item.ended], paints)
        chosen = [self.place(item) for item in items if item.id == self._selected]
        self._ring.setData([x for x, _ in chosen], [y for _, y in chosen], brush=None)
        self._ring.setPen(pen(colors.text, 1.5))
        if items and self._plot.following:
            self._fit()
        by_id = {item.id: item for item in items}
        front = [by_id[id] for id in pareto(items)]
        self._draw_front(front)
        self._legend.show_rows(self._legend_rows(paints, bool(front)))
        describe_picture(self._plot, self.summary(front))

    def _mark(
        self, marks: pg.ScatterPlotItem, items: Sequence[Item], paints: dict[str, str]
    ) -> None:
        """Set these marks, unless they stand there already."""
        looks = [(*_look(item), paints[item.config.variant]) for item in items]
        if looks == self._drawn.get(marks):
            return
        self._drawn[marks] = looks
        hollow = theme.current().panel
        marks.setData(
            [
                {
                    "pos": self.place(item), "data": item.id,
                    "symbol": ENDED_EARLY
                    if item.state == PRUNED
                    else VARIANTS[item.config.variant].mark,
                    "pen": pen(paints[item.config.variant], 2),
                    "brush": paints[item.config.variant] if item.ended else hollow,
                }
                for item in items
            ]
        )  # fmt: skip

    def _fit(self) -> None:
        places = np.array([self.place(item) for item in self._items])
        ranges = []
        for low, high in zip(places.min(0), places.max(0), strict=True):
            room = max(0.12 * (high - low), 0.08)
            ranges.append((low - room, high + room))
        self._plot.show_range(*ranges)

    def _draw_front(self, front: Sequence[Item]) -> None:
        """Steps: so many parameters buy at best this loss, and on to the right edge."""
        self._line.setPen(pen(theme.current().muted, 1, Qt.PenStyle.DashLine))
        if not front:
            self._line.clear()
            return
        x, y = np.array([self.place(item) for item in front]).T
        right = max(self._plot.view.viewRange()[0][1], x[-1])
        self._line.setData(np.append(np.repeat(x, 2)[1:], right), np.repeat(y, 2))

    def _legend_rows(self, paints: dict[str, str], front: bool) -> list[Row]:
        there = {item.config.variant for item in self._items}
        rows = [
            (row.sample, paints[name], row.title) for name, row in VARIANTS.items() if name in there
        ]
        if any(item.state == PRUNED for item in self._items):
            rows.append(("×", theme.current().muted, self.tr("pruned")))
        if front:
            rows.append(("╌╌", theme.current().muted, self.tr("best for its size")))
        return rows

    def summary(self, front: Sequence[Item]) -> str:
        """What is to be seen, in a sentence."""
        if not front:
            return self._empty.text()
        words = ", ".join(f"{i.parameters:,}: {number(i.best)}" for i in front)
        return self.tr("Best loss by parameters: {}").format(words)

    def _tip(self, x: float, y: float, data: str) -> str:
        item = next((item for item in self._items if item.id == data), None)
        if item is None:
            return ""
        loss = number(item.best, 4)
        return self.tr("{}\n{:,} parameters, loss {}").format(
            describe(item.config), item.parameters, loss
        )

    def _on_clicked(self, _scatter: object, spots: Sequence[object], _event: object) -> None:
        if len(spots):
            self.chosen.emit(spots[0].data())


def _look(item: Item) -> tuple[object, ...]:
    """All that the mark of an item hangs on."""
    return item.id, item.parameters, item.best, item.state, item.config.variant
