"""Before and after: what the adapter gained, and what it made the base forget, class by class."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QToolButton, QWidget

from lora_lab.opening_records import MOST_PAIRED, LoadedRecord
from lora_lab.records import EvalRecord, Record, ResumedRecord
from lora_lab.ui.panels.class_bars import ClassBars, LossBars, Pair
from lora_lab.ui.panels.confusion import ConfusionGrid
from lora_lab.ui.panels.forgetting import ForgettingCurves, both, both_words, names, pooled
from lora_lab.ui.panels.further import further, off_on
from lora_lab.ui.panels.overlays import Overlay
from lora_lab.ui.panels.panel import Columns, Panel
from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import rounded_percent
from lora_lab.ui.style.theme import Colors
from lora_lab.ui.widgets.labels import describe, keep_whole, label, show
from lora_lab.ui.widgets.legend import Legend
from lora_lab.ui.widgets.plot import number

BETWEEN = 26  # pixels from figure to figure


class BeforeAfterPanel(Panel):
    """Held-out results of the base alone beside those of base and adapter together."""

    key = "before_after"
    name = QT_TRANSLATE_NOOP("Panel", "Before / After")

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._figures: list[QLabel] = []
        self._names: list[QLabel] = []
        grid = QGridLayout()
        grid.setHorizontalSpacing(BETWEEN)
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
        self.confusion_button.setToolTip(self.tr("Which class was predicted for which"))
        self.confusion_button.toggled.connect(self.redraw)
        self.steps_button = QToolButton()
        self.steps_button.setText(self.tr("over steps"))
        self.steps_button.setCheckable(True)
        self.steps_button.setProperty("role", "quiet")
        self.steps_button.setToolTip(self.tr("The new task and the old one, step by step"))
        self.steps_button.toggled.connect(self._on_steps)
        self.confusion_button.toggled.connect(
            lambda on: self.steps_button.setChecked(self.steps_button.isChecked() and not on)
        )
        self.curves = ForgettingCurves()
        self._sentence = label(role="muted", name=self.tr("Learned and forgotten"))
        self._sentence.setWordWrap(True)
        self._foot = Legend()
        self.body.addLayout(grid)
        self.body.addWidget(self._sentence)
        self.body.addWidget(self._bars, 1)
        self.body.addWidget(self._losses, 1)
        self.body.addWidget(self.grid, 1)
        self.body.addWidget(self.curves, 1)
        below = QHBoxLayout()
        below.addWidget(self._foot, 1)
        below.addWidget(self.steps_button)
        below.addWidget(self.confusion_button)
        self.body.addLayout(below)
        self._off: EvalRecord | None = None
        self._on: EvalRecord | None = None
        self._overlays: list[Overlay] = []
        self.restyle(theme.current())

    def reset(self, loaded: LoadedRecord) -> None:
        self._off = self._on = None
        self.curves.clear_points()
        self.steps_button.setChecked(not loaded.classes)  # two bars tell less than two curves
        self.dirty = True

    def receive(self, records: Sequence[Record]) -> None:
        for record in records:
            if isinstance(record, EvalRecord):
                if record.enabled:
                    self._on = record
                    if pair := both(record, self.standing.loaded):
                        self.curves.add(record.step, pair)
                else:
                    self._off = record
                self.dirty = True
            elif isinstance(record, ResumedRecord):
                self.curves.cut(record.step)
                self.dirty = True

    def set_overlays(self, overlays: Sequence[Overlay]) -> None:
        self._overlays = [o for o in overlays if o.evaluation is not None]
        self.dirty = True

    def standing_changed(self) -> None:
        self.dirty = True

    def _now(self) -> EvalRecord | None:
        return self._on if self.standing.applied.enabled else self._off

    def pairs(self) -> tuple[Pair, ...]:
        """Every class with its share of correct answers off and on."""
        loaded, now = self.standing.loaded, self._now()
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
            self.say(self.tr("No validation yet."))
            return
        self.say("")
        measured = self._on or self._off
        classes = bool(self.standing.loaded.classes and measured.total)
        now = self._now() or self._off
        counted = classes and 0 < len(now.confusion) <= MOST_PAIRED
        sentence = self._learned()
        self._sentence.setVisible(bool(sentence) and self._roomy())
        show(self._sentence, sentence)
        self.steps_button.setVisible(bool(sentence))
        curves = bool(sentence) and self.steps_button.isChecked()
        self.curves.setVisible(curves)
        confused = counted and self.confusion_button.isChecked()
        self.confusion_button.setVisible(counted)
        self.grid.setVisible(confused)
        if confused:
            self.grid.show_counts(now.confusion, self.standing.loaded.classes, self._marked())
        self._bars.setVisible(classes and not confused and not curves)
        self._losses.setVisible(not classes and not curves)
        self._show_others()
        if classes:
            self._show_classes()
        else:
            self._show_losses()
        self._fit_figures()
        if curves:
            self.curves.draw()
        summary = self.summary()
        for chart in (self._bars, self._losses, self.grid, self.curves):
            describe(chart, summary)

    def _show_others(self) -> None:
        """How those runs that are ticked in the list do that are measured alike."""
        classes = self.standing.loaded.classes
        alike = [o for o in self._overlays if o.measure == (self.standing.loaded.task, classes)]
        places = range(len(classes))
        self._bars.show_others(
            tuple((o.color, tuple(_share(o.evaluation, i) for i in places)) for o in alike)
        )
        self._losses.show_others(tuple((o.color, o.evaluation.loss) for o in alike))

    def _show_classes(self) -> None:
        pairs = self.pairs()
        trained = [i for i, pair in enumerate(pairs) if pair.trained]
        others = [i for i, pair in enumerate(pairs) if not pair.trained]
        # The two sums that matter stand first: what was learned, and what was lost for it.
        if trained and others:
            names = ", ".join(pairs[i].name for i in trained)
            short = names if len(names) <= 22 else names[:21] + "…"
            learned = self.tr("Trained: {}").format(short)
            self._set(0, learned, *self._gain(trained))
            self._set(1, self.tr("All other classes"), *self._gain(others))
        else:
            self._set(0, self.tr("All classes"), *self._gain(range(len(pairs))))
            worst = min((p.points for p in pairs if p.points == p.points), default=math.nan)
            self._set(1, self.tr("Worst class"), *_points(worst))
            for name, words in further(self._off, self._now())[:1]:
                self._set(1, self.tr("{}, off → on").format(name), words, "second")
        off, on = _accuracy(self._off), _accuracy(self._now())
        both_shares = f"{rounded_percent(off)} → {rounded_percent(on)}"
        self._set(2, self.tr("Accuracy, off → on"), both_shares, "second")
        self._bars.show_pairs(pairs)
        self._show_foot(bool(trained and others))

    def _learned(self) -> str:
        """What was learned and what was forgotten; "" where the old task is not measured."""
        off, now = (both(r, self.standing.loaded) for r in (self._off, self._now() or self._off))
        return both_words(off, now, self.standing.loaded)

    def _on_steps(self, on: bool) -> None:
        if on:
            self.confusion_button.setChecked(False)
        self.redraw()

    def _gain(self, classes: Sequence[int]) -> tuple[str, str]:
        return _points(100 * (pooled(self._now(), classes) - pooled(self._off, classes)))

    def _show_losses(self) -> None:
        off = self._off.loss if self._off else math.nan
        now = self._now()
        on = now.loss if now else math.nan
        if figures := further(self._off, now):
            self._set(0, self.tr("Validation loss, off → on"), off_on(number, off, on), "figure")
            for column in (1, 2):
                name, words = figures[column - 1] if column <= len(figures) else ("", "")
                name = self.tr("{}, off → on").format(name) if name else ""
                self._set(column, name, words, "second")
        else:
            self._set(0, self.tr("Validation loss, adapter on"), number(on), "figure")
            self._set(1, self.tr("Adapter off"), number(off), "second")
            ratio = off / on if on > 0 else math.inf if on == 0 and off > 0 else math.nan
            shown = number(ratio) if ratio == ratio else "—"
            self._set(2, self.tr("Loss ratio (off/on)"), shown, "second")
        self._losses.show_losses(off, on)
        self._show_foot(False)

    def _set(self, column: int, name: str, text: str, role: str) -> None:
        show(self._names[column], name)
        show(self._figures[column], text)
        self._figures[column].setAccessibleName(name)
        theme.set_role(self._figures[column], role)

    def _marked(self) -> frozenset[str]:
        """The classes that are trained on, where it is not all of them."""
        trained = frozenset(self.standing.loaded.trained_classes)
        return frozenset() if trained == frozenset(self.standing.loaded.classes) else trained

    def _show_foot(self, trained: bool) -> None:
        c = theme.current()
        parts = []
        if self._bars.isVisibleTo(self):  # the bars of losses are named where they stand
            parts.append(("■", c.frozen, self.tr("adapter off")))
            parts.append(("■", c.adapter, self.tr("adapter on")))
        elif self.curves.isVisibleTo(self):
            new, old = names(self.standing.loaded)
            right = self.tr(", accuracy") if self.curves.shares else self.tr(", loss")
            parts.append(("━", c.adapter, new))
            parts.append(("╍", c.validation, f"{old}{right}"))
        elif self.grid.isVisibleTo(self):
            parts.append(("■", c.adapter, self.tr("correct")))
            parts.append(("■", c.validation, self.tr("misclassified")))
        if not self.standing.applied.enabled:
            parts.append(("", c.warn, self.tr("Adapter off: base model only")))
        if trained and not self.curves.isVisibleTo(self):
            parts.append(("▁", c.accent, self.tr("trained on")))
        if self.standing.applied.enabled and self._on is not None:
            parts.append(("", c.muted, self.tr("step {:,}").format(self._on.step)))
        brief = {self.tr("adapter off"): self.tr("off"), self.tr("adapter on"): self.tr("on")}
        short = [(sign, color, brief.get(words, words)) for sign, color, words in parts]
        self._foot.show_rows(parts, short)

    def _fit_figures(self) -> None:
        around = self.layout().contentsMargins()
        room = self.width() - around.left() - around.right()
        keep_whole(list(zip(self._names, self._figures, strict=True)), room, BETWEEN)

    def _roomy(self) -> bool:
        """Whether the bars keep room enough for a line above them."""
        return self.height() > 14 * self.fontMetrics().height()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        wanted = bool(self._sentence.text()) and self._roomy()
        if self._sentence.isHidden() == wanted:  # else the layout would be asked for nothing
            self._sentence.setVisible(wanted)
        self._fit_figures()

    def restyle(self, colors: Colors) -> None:
        self._bars.update()
        self._losses.update()
        self.grid.update()
        self.curves.restyle(colors)
        self.dirty = True

    def figure_data(self) -> Columns:
        """Per class the correct answers; the counts of the confusion; or the two losses."""
        off, now = self._off, self._now()
        if off is None or now is None:
            return {}
        if not self.curves.isHidden():
            return self.curves.figure_data()
        if not self.grid.isHidden():
            classes = self.standing.loaded.classes
            cells = [(i, j) for i in range(len(classes)) for j in range(len(classes))]
            return {
                "class": [classes[i] for i, _ in cells],
                "predicted": [classes[j] for _, j in cells],
                "count": [now.confusion[i][j] for i, j in cells],
            }
        if not (self.standing.loaded.classes and now.total):
            before = dict(off.figures)
            more = {name: [before.get(name, math.nan), value] for name, value in now.figures}
            return {"adapter": ["off", "on"], "validation_loss": [off.loss, now.loss], **more}
        trained = set(self.standing.loaded.trained_classes)
        return {
            "class": self.standing.loaded.classes,
            "trained": [int(name in trained) for name in self.standing.loaded.classes],
            "correct_off": off.correct,
            "correct_on": now.correct,
            "total": now.total,
        }

    def summary(self) -> str:
        now = self._now()
        if self._off is None or now is None:
            return self.tr("Nothing to compare yet.")
        end = f"; {sentence}" if (sentence := self._learned()) else ""
        end += "." if self.standing.applied.enabled else self.tr("; the adapter is off.")
        if not (self.standing.loaded.classes and now.total):
            text = self.tr("Validation loss {} off, {} on")
            text = text.format(number(self._off.loss), number(now.loss))
            text += "".join(f"; {name} {words}" for name, words in further(self._off, now))
            return text + end
        changes = [p for p in self.pairs() if p.points == p.points]
        best, worst = max(changes, key=lambda p: p.points), min(changes, key=lambda p: p.points)
        text = self.tr("Accuracy {} off, {} on; most gained: {} {}, most lost: {} {}").format(
            rounded_percent(_accuracy(self._off)),
            rounded_percent(_accuracy(now)),
            best.name,
            _points(best.points)[0],
            worst.name,
            _points(worst.points)[0],
        )
        return text + end


def _share(record: EvalRecord | None, place: int) -> float:
    return pooled(record, (place,))


def _accuracy(record: EvalRecord | None) -> float:
    return math.nan if record is None or record.accuracy is None else record.accuracy


def _points(points: float) -> tuple[str, str]:
    """A difference in points and the role it is dressed in."""
    if points != points:
        return "—", "figure"
    sign = "+" if points > 0.05 else "−" if points < -0.05 else "±"
    role = {"+": "gain", "−": "loss", "±": "figure"}[sign]
    words = QCoreApplication.translate("before_after", "{} pp")
    return words.format(f"{sign}{abs(points):.1f}"), role
