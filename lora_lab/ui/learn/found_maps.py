"""Figures 3 and 4: φ(i, j) of one layer, beside the start and beside what chance makes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from lora_lab.analysis.similarity import VIEWS
from lora_lab.studies.reading import Maps
from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import in_words
from lora_lab.ui.style.theme import Colors
from lora_lab.ui.widgets.controls import Combo, Slider
from lora_lab.ui.widgets.form import muted
from lora_lab.ui.widgets.labels import TextLabel
from lora_lab.ui.widgets.phi_map import PhiMap

COUNTS = (1, 2, 4, 8)  # k of φ(k, k) in words


class StepSlider(QWidget):
    """The steps of which there are snapshots; both figures move with it."""

    moved = Signal(int)  # a step

    def __init__(self) -> None:
        super().__init__()
        self.steps: tuple[int, ...] = ()
        self.slider = Slider()
        self.slider.setOrientation(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName(self.tr("Step"))
        self.words = TextLabel()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.slider, 1)
        row.addWidget(self.words)
        self.slider.valueChanged.connect(self._on_moved)
        self.show_steps(())

    @property
    def step(self) -> int:
        return self.steps[self.slider.value()] if self.steps else 0

    def show_steps(self, steps: Sequence[int]) -> None:
        """Other steps; it stands at the last, or where it stood."""
        if tuple(steps) == self.steps and steps:
            return
        stood = self.step if self.steps and self.step != self.steps[-1] else None
        self.steps = tuple(steps)
        blocked = self.slider.blockSignals(True)
        self.slider.setRange(0, max(0, len(steps) - 1))
        at = self.steps.index(stood) if stood in self.steps else len(steps) - 1
        self.slider.setValue(max(0, at))
        self.slider.blockSignals(blocked)
        self.setEnabled(len(steps) > 1)
        self._say()

    def _on_moved(self) -> None:
        self._say()
        self.moved.emit(self.step)

    def _say(self) -> None:
        self.words.setText(self.tr("step {:,}").format(self.step) if self.steps else "—")


class FoundMaps(QWidget):
    """The choosers, three maps, and φ(k, k) in words."""

    asked = Signal()  # another pair, layer, view or step was chosen

    def __init__(self) -> None:
        super().__init__()
        tr = self.tr
        self.kind = Combo()
        self.layer = Combo()
        self.view = Combo()
        for name, words in VIEWS.items():
            self.view.addItem(in_words(words), name)
        self.view.setCurrentIndex(self.view.findData("right"))
        self.steps = StepSlider()
        for widget, name in (
            (self.kind, tr("Runs that are compared")), (self.layer, tr("Layer")),
            (self.view, tr("Directions of")),
        ):  # fmt: skip
            widget.setAccessibleName(name)
            widget.activated.connect(self.asked)
        self.steps.moved.connect(self.asked)
        bottom = tr("directions of the first")
        self.now = PhiMap(tr("φ(i, j) now"), bottom)
        self.start = PhiMap(tr("φ(i, j) at the start"), "")
        self.chance = PhiMap(tr("φ(i, j) by chance"), "")
        self.words = TextLabel(wordWrap=True)
        choosers = QHBoxLayout(spacing=8)
        for widget in (self.kind, self.layer, self.view):
            choosers.addWidget(widget)
        choosers.addWidget(self.steps, 1)
        twins = QVBoxLayout(spacing=2)
        self.start_words = muted(tr("at the start"), self.start)
        for label, plot in (
            (self.start_words, self.start),
            (muted(tr("by chance: max(i, j)/n"), self.chance), self.chance),
        ):
            twins.addWidget(label)
            twins.addWidget(plot, 1)
        pictures = QHBoxLayout()
        pictures.addWidget(self.now, 2)
        pictures.addLayout(twins, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.addLayout(choosers)
        column.addLayout(pictures, 1)
        column.addWidget(self.words)
        self.show_choices((0, 0), (), ())
        self.restyle(theme.current())

    @property
    def choice(self) -> tuple[str, str, str, int]:
        """Kind of pairs, layer, view and step."""
        return (
            self.kind.currentData() or "ranks", self.layer.currentText(), self.view.currentData(),
            self.steps.step,
        )  # fmt: skip

    def show_choices(
        self, two: tuple[int, int], layers: Sequence[str], steps: Sequence[int]
    ) -> None:
        """What there is to choose from; what is chosen stays as far as it can."""
        kinds = {
            "ranks": self.tr("ranks {} and {}, other seeds").format(*two),
            "seeds": self.tr("two seeds at rank {}").format(two[1]),
            "same seed": self.tr("ranks {} and {}, the same seed").format(*two),
        }
        kinds = kinds if all(two) else {}  # no model is open yet
        chosen = self.kind.currentData()
        if [self.kind.itemText(i) for i in range(self.kind.count())] != list(kinds.values()):
            self.kind.clear()
            for name, words in kinds.items():
                self.kind.addItem(words, name)
            self.kind.setCurrentIndex(max(0, self.kind.findData(chosen)))
        if [self.layer.itemText(i) for i in range(self.layer.count())] != list(layers):
            layer = self.layer.currentText()
            self.layer.clear()
            self.layer.addItems(list(layers))
            last = layers[-2:][0] if layers else ""  # the head, which comes last, is often small
            self.layer.setCurrentText(layer if layer in layers else last)
        for box in (self.kind, self.layer):
            box.setEnabled(box.count() > 0)
        self.steps.show_steps(steps)

    def show_maps(self, maps: Maps) -> None:
        """The maps, and their diagonal in words."""
        empty = np.zeros((0, 0))
        now, start = maps.now, maps.start
        self.now.show_phi(empty if now is None else now.phi.numpy())
        self.start.show_phi(empty if start is None else start.phi.numpy())
        self.chance.show_phi(empty if now is None else now.chance.numpy())
        still = start is not None and bool(np.isnan(self.start.phi).all())
        tr = self.tr
        self.start_words.setText(
            tr("at the start: no directions, ΔW is 0") if still else tr("at the start")
        )
        if now is None:
            self.words.setText(in_words(maps.refused))
            return
        parts = []
        for k in COUNTS:
            if k <= min(now.phi.shape):
                phi, spread, chance = now.at(k)
                if phi == phi:
                    about = f"\u00a0±\u00a0{spread:.2f}" if spread == spread else ""
                    parts.append(f"φ({k},{k})\u00a0{phi:.2f}{about}\u00a0({chance:.3f})")
        pairs = self.tr("{} pairs of runs; in brackets what chance makes.").format(len(now.pairs))
        nothing = self.tr("Nothing has moved yet: there are no directions at this step.")
        shown = "   ".join(parts) if parts else nothing
        self.words.setText(f"{shown}\n{pairs} {in_words(maps.refused)}".strip())

    def restyle(self, colors: Colors) -> None:
        for plot in (self.now, self.start, self.chance):
            plot.restyle(colors)
