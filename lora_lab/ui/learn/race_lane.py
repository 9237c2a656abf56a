"""A lane of the race page: its settings, its figures, the strip of its spectrum, what to do."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QCoreApplication, QObject, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QGridLayout, QSizePolicy, QToolButton, QWidget

from lora_lab.race.looks import LaneNow
from lora_lab.records import State
from lora_lab.runs.listing import ENDED
from lora_lab.ui.learn.race_plot import lane_color
from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import in_words, plain_tip
from lora_lab.ui.widgets.controls import Number, Whole
from lora_lab.ui.widgets.labels import TextLabel, describe, show
from lora_lab.ui.widgets.plot import number


def heads() -> tuple[str, ...]:
    """Over the columns of all lanes."""
    translate = QCoreApplication.translate
    return (
        "", translate("RaceLane", "rank"), translate("RaceLane", "learning rate"),
        translate("RaceLane", "numbers"), translate("RaceLane", "step"),
        translate("RaceLane", "loss"), translate("RaceLane", "validation"), "‖ΔW‖/‖W‖",
        translate("RaceLane", "σ of ΔW"), translate("RaceLane", "cut"),
    )  # fmt: skip


def cut_tip() -> str:
    """What stands in the last column."""
    return QCoreApplication.translate(
        "RaceLane", "Validation loss of the highest rank's ΔW, cut to the rank of this lane"
    )


class SpectrumStrip(QWidget):
    """σ of ΔW as bars, the tallest of all lanes as high as the strip."""

    def __init__(self) -> None:
        super().__init__()
        self._sigma, self._top, self._color = np.zeros(0), 1.0, ""
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(self.tr("Singular values of ΔW"))

    def sizeHint(self) -> QSize:
        line = self.fontMetrics().height()
        return QSize(7 * line, round(1.6 * line))

    minimumSizeHint = sizeHint

    def show_sigma(self, sigma: np.ndarray, top: float, color: str) -> None:
        """Bars for these (n), beside `top`."""
        self._sigma, self._top, self._color = sigma, top or 1.0, color
        words = ", ".join(number(value) for value in sigma[:8])
        describe(self, words)
        self.setToolTip(plain_tip(words))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        colors, high, wide = theme.current(), self.height() - 1, self.width()
        painter.fillRect(0, high, wide, 1, QColor(colors.border))
        slot = min(wide / max(1, len(self._sigma)), 14.0)
        for place, value in enumerate(self._sigma):
            tall = max(1, round((high - 1) * value / self._top))
            left, right = round(place * slot), round((place + 1) * slot)
            painter.fillRect(left, high - tall, max(1, right - left - 1), tall, QColor(self._color))


class RaceLane(QObject):
    """One row of the grid; it asks for what the person wants, and shows what has become of it."""

    edited = Signal(str, dict)  # the lane, and the settings that it is to have
    cloned = Signal(str)
    opened = Signal(str)
    dropped = Signal(str)

    def __init__(self, name: str, place: int, parent: QObject) -> None:
        super().__init__(parent)
        self.name, self.place = name, place
        tr = self.tr
        self.title = TextLabel(f"● {name}")
        self.rank = Whole(1, 4096)
        self.rank.setAccessibleName(tr("Rank of lane {}").format(name))
        self.rate = Number(1e-9, 10, 1e-4)
        self.rate.setAccessibleName(tr("Learning rate of lane {}").format(name))
        self.rank.edited.connect(lambda _: self.edited.emit(name, {"rank": self.rank.value()}))
        self.rate.edited.connect(
            lambda _: self.edited.emit(name, {"learning_rate": self.rate.value()})
        )
        self.figures = [TextLabel() for _ in range(5)]
        self.strip, self.cut, self.words = SpectrumStrip(), TextLabel(), TextLabel(wordWrap=True)
        self.words.setProperty("role", "small")
        self.cut.setToolTip(cut_tip())
        for figure in (*self.figures, self.cut):
            figure.setFont(theme.font())
            figure.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.buttons = []
        for text, tip, signal in (
            (tr("Clone"), tr("Another lane that continues from here"), self.cloned),
            (tr("Open"), tr("Keep this lane as a run, and open it in the window"), self.opened),
            (tr("Drop"), tr("Take this lane out; the others continue"), self.dropped),
        ):
            button = QToolButton()
            button.setText(text)
            button.setToolTip(tip)
            button.setAccessibleName(tr("{}: lane {}").format(text, name))
            button.clicked.connect(lambda _=False, signal=signal: signal.emit(name))
            self.buttons.append(button)
        self.restyle()

    def widgets(self) -> tuple[QWidget, ...]:
        """In the order of the columns; the words have a row of their own."""
        first, *buttons = self.title, *self.buttons
        return first, self.rank, self.rate, *self.figures, self.strip, self.cut, *buttons

    def lay(self, grid: QGridLayout, row: int) -> None:
        """Stand in two rows of the grid."""
        for column, widget in enumerate(self.widgets()):
            grid.addWidget(widget, row, column)
        grid.addWidget(self.words, row + 1, 1, 1, len(self.widgets()) - 1)

    def show_lane(self, lane: LaneNow, top: float) -> None:
        """What it shows now; `top` is the largest σ of all lanes."""
        for box, value in ((self.rank, lane.rank or 1), (self.rate, lane.learning_rate)):
            if not box.hasFocus() or not box.lineEdit().isModified():
                box.show_value(value)
        ended = lane.state in ENDED
        self.rank.setEnabled(not ended and bool(lane.rank))
        self.rate.setEnabled(not ended)
        self.buttons[0].setEnabled(not ended)
        self.buttons[1].setEnabled(lane.step > 0)
        values = (
            f"{lane.trained:,}", f"{lane.step:,}", _known(lane.loss), _known(lane.validation_loss),
            _known(lane.change),
        )  # fmt: skip
        for figure, text in zip(self.figures, values, strict=True):
            show(figure, text)
        accuracy = "" if lane.accuracy is None else f"{100 * lane.accuracy:.1f} %"
        self.figures[3].setToolTip(accuracy and self.tr("accuracy {}").format(accuracy))
        show(self.cut, _known(lane.cut))
        show(self.words, in_words(lane.words))
        self.words.setVisible(bool(lane.words))
        theme.set_role(self.words, "warn" if lane.state is State.PAUSED else "small")
        self.strip.show_sigma(lane.sigma, top, lane_color(self.place))

    def restyle(self) -> None:
        """The colour of its curve."""
        self.title.setStyleSheet(f"color: {lane_color(self.place)}")

    def remove(self, grid: QGridLayout) -> None:
        """Leave the grid."""
        for widget in (*self.widgets(), self.words):
            grid.removeWidget(widget)
            widget.deleteLater()
        self.deleteLater()


def _known(value: float) -> str:
    return "–" if value != value else number(value)
