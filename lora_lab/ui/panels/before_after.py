"""Before and after: what the adapter gained, and what it made the base forget, class by class."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QToolButton, QWidget

from lora_lab.records import AppliedRecord, EvalRecord, LoadedRecord, Record
from lora_lab.ui import theme
from lora_lab.ui.panels.class_bars import ClassBars, LossBars, Pair
from lora_lab.ui.panels.confusion import ConfusionGrid
from lora_lab.ui.panels.panel import Columns, Panel, describe, label, show
from lora_lab.ui.theme import Colors
from lora_lab.ui.widgets.plot import number


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
        self._bars, self._losses, self.grid = ClassBars(), LossBars(), ConfusionGrid()
        self.confusion_button = QToolButton()
        self.confusion_button.setText(self.tr("confusion"))
        self.confusion_button.setCheckable(True)
        self.confusion_button.setProperty("role", "quiet")
        self.confusion_button.setToolTip(self.tr("Which class was taken for which"))
        self.confusion_button.toggled.connect(self.redraw)
        self._foot = label()
        self._foot.setTextFormat(Qt.TextFormat.RichText)
        self.body.addLayout(grid)
        self.body.addWidget(self._bars, 1)
        self.body.addWidget(self._losses, 1)
        self.body.addWidget(self.grid, 1)
        below = QHBoxLayout()
        below.addWidget(self._foot, 1)
        below.addWidget(self.confusion_button)
        self.body.addLayout(below)
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
        now = self._now() or self._off
        counted = classes and bool(now.confusion)
        confused = counted and self.confusion_button.isChecked()
        self.confusion_button.setVisible(counted)
        self.grid.setVisible(confused)
        if confused:
            self.grid.show_counts(now.confusion, self._loaded.classes)
        self._bars.setVisible(classes and not confused)
        self._losses.setVisible(not classes)
        if classes:
            self._tell_classes()
        else:
            self._tell_losses()
        summary = self.summary()
        for chart in (self._bars, self._losses, self.grid):
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
        self.grid.update()
        self.dirty = True

    def figure_data(self) -> Columns:
        """Per class the correct answers; the counts of the confusion; or the two losses."""
        off, now = self._off, self._now()
        if off is None or now is None:
            return {}
        if not self.grid.isHidden():
            classes = self._loaded.classes
            cells = [(i, j) for i in range(len(classes)) for j in range(len(classes))]
            return {
                "class": [classes[i] for i, _ in cells],
                "answered": [classes[j] for _, j in cells],
                "count": [now.confusion[i][j] for i, j in cells],
            }
        if not (self._loaded.classes and now.total):
            return {"adapter": ["off", "on"], "validation_loss": [off.loss, now.loss]}
        trained = set(self._loaded.trained_classes)
        return {
            "class": self._loaded.classes,
            "trained": [int(name in trained) for name in self._loaded.classes],
            "correct_off": off.correct,
            "correct_on": now.correct,
            "total": now.total,
        }

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
