"""Before and after: what the adapter gained, and what it made the base forget, class by class."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QSizePolicy, QWidget

from lora_lab.records import AppliedRecord, EvalRecord, LoadedRecord, Record
from lora_lab.ui import theme
from lora_lab.ui.panels.panel import Panel, describe, label, show
from lora_lab.ui.theme import Colors
from lora_lab.ui.widgets.plot import number


@dataclass(frozen=True)
class Pair:
    """One class: share correct with the adapter off and on; nan where nothing was measured."""

    name: str
    off: float
    on: float
    trained: bool

    @property
    def points(self) -> float:
        return 100 * (self.on - self.off)


class ClassBars(QWidget):
    """Accuracy off (grey) beside on (accent) per class, the difference written above."""

    def __init__(self) -> None:
        super().__init__()
        self._pairs: tuple[Pair, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight(110)
        self.setAccessibleName("Accuracy per class, adapter off and on")

    def show_pairs(self, pairs: tuple[Pair, ...]) -> None:
        """Paint these from now on."""
        if pairs != self._pairs:
            self._pairs = pairs
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._pairs:
            return
        c = theme.current()
        painter = QPainter(self)
        small, strong = theme.font(0.92), theme.font(1.0, QFont.Weight.DemiBold)
        painter.setFont(small)
        line = painter.fontMetrics().height()
        left = painter.fontMetrics().horizontalAdvance("100 %") + 8
        plot = QRectF(left, line + 8, self.width() - left - 2, self.height() - 2 * line - 22)
        painter.setPen(QColor(c.muted))
        for share in (0.0, 0.5, 1.0):
            y = round(plot.bottom() - share * plot.height())
            painter.fillRect(QRectF(plot.left(), y, plot.width(), 1), QColor(c.grid))
            painter.drawText(
                QRectF(0, y - line / 2, left - 8, line),
                Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter,
                f"{round(100 * share)} %",
            )
        slot = plot.width() / len(self._pairs)
        for place, pair in enumerate(self._pairs):
            self._paint_pair(painter, pair, plot, plot.left() + place * slot, slot, (small, strong))

    def _paint_pair(
        self, painter: QPainter, pair: Pair, plot: QRectF, x: float, slot: float, fonts: tuple
    ) -> None:
        c, (small, strong) = theme.current(), fonts
        line = painter.fontMetrics().height()
        width = min(slot * 0.36, 26.0)
        middle = x + slot / 2
        for share, begin, color in (
            (pair.off, middle - width - 0.5, c.frozen),
            (pair.on, middle + 0.5, c.adapter),
        ):
            if share == share:
                height = max(1.0, share * plot.height())  # none right is still a measured bar
                painter.fillRect(
                    QRectF(begin, plot.bottom() - height, width, height), QColor(color)
                )
        if slot >= 30 and pair.points == pair.points:
            gained = round(pair.points)
            color = c.muted if gained == 0 else c.good if gained > 0 else c.error
            text = f"+{gained}" if gained > 0 else f"−{-gained}" if gained else "0"
            tallest = max(pair.off, pair.on) * plot.height()
            painter.setFont(strong if abs(gained) >= 1 else small)
            painter.setPen(QColor(color))
            top = plot.bottom() - tallest - line - 2
            painter.drawText(QRectF(x, top, slot, line), Qt.AlignmentFlag.AlignCenter, text)
        below = QRectF(x, plot.bottom() + 5, slot, line)
        painter.setFont(strong if pair.trained else small)
        painter.setPen(QColor(c.accent if pair.trained else c.muted))
        room = painter.fontMetrics().elidedText(pair.name, Qt.TextElideMode.ElideRight, int(slot))
        if slot >= 9:
            painter.drawText(below, Qt.AlignmentFlag.AlignCenter, room)
        if pair.trained:
            wide = min(slot * 0.8, 2 * width + 1)
            mark = QRectF(middle - wide / 2, below.bottom() + 2, wide, 2)
            painter.fillRect(mark, QColor(c.accent))


class LossBars(QWidget):
    """Two losses as horizontal bars on a common log scale, for tasks without classes."""

    def __init__(self) -> None:
        super().__init__()
        self._off = self._on = math.nan
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight(90)
        self.setAccessibleName("Validation loss, adapter off and on")

    def show_losses(self, off: float, on: float) -> None:
        """Paint these from now on; nan where nothing was measured."""
        if repr((off, on)) != repr((self._off, self._on)):
            self._off, self._on = off, on
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        c = theme.current()
        painter = QPainter(self)
        painter.setFont(theme.font())
        line = painter.fontMetrics().height()
        rows = (("adapter off", self._off, c.frozen), ("adapter on", self._on, c.adapter))
        left = painter.fontMetrics().horizontalAdvance("adapter off") + 12
        right = painter.fontMetrics().horizontalAdvance("0.00×10⁻¹²") + 10
        known = [v for _, v, _ in rows if math.isfinite(v) and v > 0]
        if not known:
            return
        # Each decade is as long as the next; the scale ends a decade below the smaller loss.
        high = math.log10(max(known))
        low = min(math.log10(min(known)), high) - 1.0
        tall = min(34.0, self.height() / 4)
        top = max(0.0, self.height() / 2 - tall * 1.6)
        for place, (name, value, color) in enumerate(rows):
            y = top + place * tall * 1.5
            painter.setPen(QColor(c.muted))
            sides = Qt.AlignmentFlag.AlignVCenter
            painter.drawText(
                QRectF(0, y, left - 12, tall), Qt.AlignmentFlag.AlignRight | sides, name
            )
            if not math.isfinite(value):
                painter.drawText(QPointF(left, y + tall / 2 + line / 4), "not measured yet")
                continue
            decades = math.log10(value) - low if value > 0 else 0.0
            width = max(2.0, (self.width() - left - right) * max(0.0, decades) / (high - low))
            painter.fillRect(QRectF(left, y, width, tall), QColor(color))
            painter.setPen(QColor(c.text))
            painter.drawText(
                QRectF(left + width + 8, y, right, tall),
                Qt.AlignmentFlag.AlignLeft | sides,
                number(value),
            )
        painter.setPen(QColor(c.muted))
        painter.setFont(theme.font(0.92))
        painter.drawText(
            QRectF(left, top + 3 * tall, self.width() - left, line),
            Qt.AlignmentFlag.AlignLeft,
            "validation loss, log scale",
        )


class BeforeAfterPanel(Panel):
    """Held-out results of the base alone beside those of base and adapter together."""

    key = "before_after"
    title = "Before / After"

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._figures: list[QLabel] = []
        self._names: list[QLabel] = []
        grid = QGridLayout()
        grid.setHorizontalSpacing(26)
        grid.setVerticalSpacing(0)
        for column in range(3):
            name, figure = label("", "small"), label("", "figure")
            self._names.append(name)
            self._figures.append(figure)
            grid.addWidget(name, 0, column)
            grid.addWidget(figure, 1, column)
        grid.setColumnStretch(2, 1)
        self._bars, self._losses = ClassBars(), LossBars()
        self._foot = label()
        self._foot.setTextFormat(Qt.TextFormat.RichText)
        self.body.addLayout(grid)
        self.body.addWidget(self._bars, 1)
        self.body.addWidget(self._losses, 1)
        self.body.addWidget(self._foot)
        self._loaded: LoadedRecord | None = None
        self._off: EvalRecord | None = None
        self._on: EvalRecord | None = None
        self._enabled = True
        self.restyle(theme.current())

    def reset(self, loaded: LoadedRecord) -> None:
        self._loaded, self._off, self._on = loaded, None, None
        self._enabled = loaded.hyper.enabled
        self.dirty = True

    def receive(self, records: Sequence[Record]) -> None:
        for record in records:
            if isinstance(record, EvalRecord):
                if record.enabled:
                    self._on = record
                else:
                    self._off = record
                self.dirty = True
            elif isinstance(record, AppliedRecord):
                self._enabled = record.hyper.enabled
                self.dirty = True

    def _now(self) -> EvalRecord | None:
        return self._on if self._enabled else self._off

    def pairs(self) -> tuple[Pair, ...]:
        """Every class with its share of correct answers off and on."""
        loaded, now = self._loaded, self._now()
        if loaded is None:
            return ()
        trained = set(loaded.trained_classes)
        return tuple(
            Pair(name, _share(self._off, i), _share(now, i), name in trained)
            for i, name in enumerate(loaded.classes)
        )

    def redraw(self) -> None:
        self.dirty = False
        if self._off is None and self._on is None:
            self.say("Nothing was measured on held-out data yet.")
            return
        self.say("")
        measured = self._on or self._off
        classes = bool(self._loaded.classes and measured.total)
        self._bars.setVisible(classes)
        self._losses.setVisible(not classes)
        if classes:
            self._tell_classes()
        else:
            self._tell_losses()
        summary = self.summary()
        for chart in (self._bars, self._losses):
            describe(chart, summary)

    def _tell_classes(self) -> None:
        pairs = self.pairs()
        trained = [i for i, pair in enumerate(pairs) if pair.trained]
        others = [i for i, pair in enumerate(pairs) if not pair.trained]
        # The two sums that matter stand first: what was learned, and what was lost for it.
        if trained and others:
            names = ", ".join(pairs[i].name for i in trained)
            self._set(0, f"Trained: {_elided(names, 22)}", *self._gain(trained))
            self._set(1, "All other classes", *self._gain(others))
        else:
            self._set(0, "All classes", *self._gain(range(len(pairs))))
            worst = min((p.points for p in pairs if p.points == p.points), default=math.nan)
            self._set(1, "Worst class", *_points(worst))
        off, on = _accuracy(self._off), _accuracy(self._now())
        self._set(2, "Accuracy, off → on", f"{_percent(off)} → {_percent(on)}", "second")
        self._bars.show_pairs(pairs)
        self._tell_foot(bool(trained and others))

    def _gain(self, classes: Sequence[int]) -> tuple[str, str]:
        return _points(100 * (_pooled(self._now(), classes) - _pooled(self._off, classes)))

    def _tell_losses(self) -> None:
        off = self._off.loss if self._off else math.nan
        now = self._now()
        on = now.loss if now else math.nan
        self._set(0, "Validation loss, adapter on", number(on), "figure")
        self._set(1, "Adapter off", number(off), "second")
        ratio = off / on if on > 0 else math.inf if on == 0 and off > 0 else math.nan
        words = "times smaller" if not ratio < 1 else "times larger"
        value = ratio if not ratio < 1 else (1 / ratio if ratio else math.inf)
        self._set(2, words, number(value) if value == value else "—", "second")
        self._losses.show_losses(off, on)
        self._tell_foot(False)

    def _set(self, column: int, name: str, text: str, role: str) -> None:
        show(self._names[column], name)
        show(self._figures[column], text)
        theme.set_role(self._figures[column], role)

    def _tell_foot(self, trained: bool) -> None:
        c = theme.current()
        parts = []
        if self._bars.isVisibleTo(self):  # the bars of losses are named where they stand
            parts.append(f'<span style="color:{c.frozen}">■</span>&nbsp;adapter off')
            parts.append(f'<span style="color:{c.adapter}">■</span>&nbsp;adapter on')
        if trained:
            parts.append(f'<span style="color:{c.accent}">▁</span>&nbsp;trained on')
        if not self._enabled:
            text = "The adapter is off: the base answers alone"
            parts.append(f'<span style="color:{c.warn}">{text}</span>')
        elif self._on is not None:
            parts.append(f'<span style="color:{c.muted}">step {self._on.step:,}</span>')
        show(self._foot, "&nbsp;&nbsp;&nbsp;&nbsp;".join(parts))

    def restyle(self, colors: Colors) -> None:
        self._bars.update()
        self._losses.update()
        self.dirty = True

    def summary(self) -> str:
        now = self._now()
        if self._off is None or now is None:
            return "Nothing to compare yet."
        if not (self._loaded.classes and now.total):
            text = f"Validation loss {number(self._off.loss)} off, {number(now.loss)} on"
            return text + ("." if self._enabled else "; the adapter is off.")
        changes = [p for p in self.pairs() if p.points == p.points]
        best, worst = max(changes, key=lambda p: p.points), min(changes, key=lambda p: p.points)
        text = f"Accuracy {_percent(_accuracy(self._off))} off, {_percent(_accuracy(now))} on"
        text += f"; most gained: {best.name} {_points(best.points)[0]}"
        text += f", most lost: {worst.name} {_points(worst.points)[0]}"
        return text + ("." if self._enabled else "; the adapter is off.")


def _share(record: EvalRecord | None, place: int) -> float:
    return _pooled(record, (place,))


def _pooled(record: EvalRecord | None, classes: Sequence[int]) -> float:
    """Share of correct answers over these classes together."""
    if record is None or not record.total:
        return math.nan
    total = sum(record.total[i] for i in classes if i < len(record.total))
    correct = sum(record.correct[i] for i in classes if i < len(record.correct))
    return correct / total if total else math.nan


def _accuracy(record: EvalRecord | None) -> float:
    if record is None or record.accuracy is None:
        return math.nan
    return record.accuracy


def _points(points: float) -> tuple[str, str]:
    """A difference in points and the role it is dressed in."""
    if points != points:
        return "—", "figure"
    sign = "+" if points > 0.05 else "−" if points < -0.05 else "±"
    role = {"+": "gain", "−": "loss", "±": "figure"}[sign]
    return f"{sign}{abs(points):.1f} pts", role


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share == share else "—"


def _elided(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
