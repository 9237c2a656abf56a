"""Adapters in rows, each with a slider for its strength and the figure beside it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QGridLayout, QSizePolicy, QToolButton, QWidget

from lora_lab.ui.style.figures import plain_tip
from lora_lab.ui.widgets.controls import Number, Slider
from lora_lab.ui.widgets.labels import TextLabel
from lora_lab.workshop.requests import Source

STEP = 0.01
LOW, HIGH = -1.0, 2.0  # of the slider; the box takes more
MOST = 6  # files


class Strength(QWidget):
    """One adapter: the run's own where there is no source."""

    moved = Signal()
    removed = Signal()

    def __init__(self, source: Source | None, name: str, value: float) -> None:
        super().__init__()
        self.source, self.name = source, name
        self.label = TextLabel(name)
        self.label.setToolTip(plain_tip(source.path if source else name))
        self.label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.slider = Slider()
        self.slider.setRange(round(LOW / STEP), round(HIGH / STEP))
        self.slider.setAccessibleName(self.tr("Strength of {}").format(name))
        self.box = Number(-100, 100, 0.1)
        self.box.setAccessibleName(self.tr("Strength of {}, as a number").format(name))
        self.box.setFixedWidth(self.fontMetrics().averageCharWidth() * 11)
        self.remove_button = QToolButton()
        self.remove_button.setText("×")
        self.remove_button.setProperty("role", "quiet")
        self.remove_button.setAccessibleName(self.tr("Remove {}").format(name))
        self.remove_button.setToolTip(self.tr("Remove"))
        self.remove_button.clicked.connect(self.removed)
        policy = self.remove_button.sizePolicy()
        policy.setRetainSizeWhenHidden(True)  # the sliders stand below each other
        self.remove_button.setSizePolicy(policy)
        self.remove_button.setVisible(source is not None)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        for column, part in enumerate((self.label, self.slider, self.box, self.remove_button)):
            grid.addWidget(part, 0, column)
        grid.setColumnStretch(0, 2)
        grid.setColumnStretch(1, 3)
        self.box.setValue(value)
        self._follow()
        self.slider.valueChanged.connect(self._on_slider)
        self.box.valueChanged.connect(self._on_box)

    @property
    def value(self) -> float:
        return self.box.value()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.layout().activate()
        metrics, room = self.label.fontMetrics(), self.label.width() - 2
        self.label.setText(metrics.elidedText(self.name, Qt.TextElideMode.ElideMiddle, room))

    def _on_slider(self, place: int) -> None:
        with QSignalBlocker(self.box):
            self.box.setValue(round(place * STEP, 2))
        self.moved.emit()

    def _on_box(self) -> None:
        self._follow()
        self.moved.emit()

    def _follow(self) -> None:
        with QSignalBlocker(self.slider):
            self.slider.setValue(round(self.box.value() / STEP))


def name_of(path: str) -> str:
    """What an adapter's file or folder is called: a run keeps it in a folder of one name."""
    place = Path(path)
    own = place.parent.name if place.name in ("adapter", "best") else place.name
    return own or path
