"""The search for a learning rate as a picture: loss over rate, and what two rules of thumb say."""

from __future__ import annotations

import math

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from lora_lab.records import RateFoundRecord, RatePointRecord
from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import plain_number
from lora_lab.ui.widgets.labels import describe
from lora_lab.ui.widgets.plot import Plot, pen

HIGHEST = 1.25  # times the loss at the start: what the picture shows of divergence
PAGE = "learning-rate#finding-it"


def two_figures(rate: float) -> float:
    """A rate as one would set it: a rule of thumb has no more than two figures."""
    return float(f"{rate:.1e}")


class RateDialog(QDialog):
    """Draws the points as they come; stays open beside the window."""

    search_wished = Signal()
    cancel_wished = Signal()
    rate_wished = Signal(float)
    help_wished = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Find learning rate"))
        self.busy = False
        self._rates: list[float] = []
        self._losses: list[float] = []
        self._found: RateFoundRecord | None = None
        self._draw_soon = QTimer(self)  # the steps of a small net come by the dozen
        self._draw_soon.setSingleShot(True)
        self._draw_soon.setInterval(33)
        self._draw_soon.timeout.connect(self._draw)
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setMinimumHeight(2 * self.fontMetrics().lineSpacing())
        self.progress = QProgressBar()
        self.progress.setAccessibleName(self.tr("Progress of the search"))
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(6)
        self.plot = Plot(self.tr("Loss over learning rate"), self.tr("learning rate"), log_x=True)
        self._raw, self._smooth = pg.PlotCurveItem(), pg.PlotCurveItem()
        self._marks = [pg.InfiniteLine(angle=90) for _ in range(2)]
        for item in (self._raw, self._smooth, *self._marks):
            self.plot.addItem(item)
        self.plot.follow_wished.connect(self._frame)
        self._labels, self.use_buttons = [], []
        names = (self.tr("falls fastest at"), self.tr("a third of the rate at the lowest point"))
        lines = QGridLayout()
        lines.setHorizontalSpacing(10)
        lines.setVerticalSpacing(4)
        for row, name in enumerate(names):
            label, button = QLabel(name), QPushButton()
            button.setAutoDefault(False)
            button.clicked.connect(lambda _=False, row=row: self._use(row))
            lines.addWidget(label, row, 0)
            lines.addWidget(button, row, 1)
            self._labels.append(label)
            self.use_buttons.append(button)
        lines.setColumnStretch(2, 1)

        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.button(QDialogButtonBox.StandardButton.Close).setIcon(QIcon())
        self.again_button = buttons.addButton(
            self.tr("&Search again"), QDialogButtonBox.ButtonRole.ActionRole
        )
        self.cancel_button = buttons.addButton(
            self.tr("&Call off"), QDialogButtonBox.ButtonRole.ActionRole
        )
        self.help_button = buttons.addButton(  # in this role at the left on every desktop
            self.tr("&How it works"), QDialogButtonBox.ButtonRole.ResetRole
        )
        self.again_button.clicked.connect(self.search_wished)
        self.cancel_button.clicked.connect(self.cancel_wished)
        self.help_button.clicked.connect(lambda: self.help_wished.emit(PAGE))
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(18, 14, 18, 14)
        column.setSpacing(8)
        column.addWidget(self.words)
        column.addWidget(self.progress)
        column.addWidget(self.plot, 1)
        column.addLayout(lines)
        column.addWidget(buttons)
        em = self.fontMetrics().horizontalAdvance("m")
        self.resize(52 * em, 34 * self.fontMetrics().height())
        self._restyle()
        self._settle()

    def begin(self, setting: str) -> None:
        """A search was asked for, with the rank and α that `setting` names."""
        self.busy, self._found = True, None
        self._rates.clear()
        self._losses.clear()
        theme.set_role(self.words, "muted")
        self.words.setText(
            self.tr("Trying rising rates with {}, on the run’s own rows. Training waits meanwhile; "
                    "afterwards everything is put back.").format(setting)
        )  # fmt: skip
        self._settle()
        self._draw()

    def add(self, record: RatePointRecord) -> None:
        """One more step of the search."""
        if not self.busy:
            return
        self._rates.append(record.rate)
        self._losses.append(record.loss)
        self.progress.setRange(0, record.steps)
        self.progress.setValue(record.number)
        if not self._draw_soon.isActive():
            self._draw_soon.start()

    def show_found(self, record: RateFoundRecord) -> None:
        """The search is over."""
        self.busy, self._found = False, record
        self._rates, self._losses = list(record.rates), list(record.losses)
        theme.set_role(self.words, "")
        if record.diverged:
            said = self.tr("{} steps were tried, until the loss diverged; the model is put back. ")
        else:
            said = self.tr("{} steps were tried, up to the highest rate; the model is put back. ")
        said = said.format(len(record.rates))
        if math.isnan(record.steepest):
            theme.set_role(self.words, "warn")
            said += self.tr(
                "The loss did not fall beyond the noise of its batches, so no rate is named: the "
                "adapter has learned what it can here, or the batches are too small to tell."
            )
        else:
            said += self.tr("Two rules of thumb; a short trial cannot see what a long run will do.")
        self.words.setText(said)
        self._settle()
        self._draw()

    def stop(self, words: str, role: str = "muted") -> None:
        """The search was called off or could not be made."""
        self.busy = False
        theme.set_role(self.words, role)
        self.words.setText(words)
        self._settle()

    def reject(self) -> None:
        if self.busy:
            self.cancel_wished.emit()
        super().reject()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "help_button"):
            self._restyle()

    def _named(self) -> tuple[float, float]:
        found = self._found
        return (math.nan, math.nan) if found is None else (found.steepest, found.third)

    def _use(self, row: int) -> None:
        self.rate_wished.emit(two_figures(self._named()[row]))

    def _settle(self) -> None:
        self.progress.setVisible(self.busy)
        self.progress.setRange(0, 0 if self.busy else 1)
        self.cancel_button.setVisible(self.busy)
        self.again_button.setEnabled(not self.busy)
        for label, button, rate in zip(self._labels, self.use_buttons, self._named(), strict=True):
            known = not math.isnan(rate)
            label.setEnabled(known)
            button.setEnabled(known)
            shown = plain_number(two_figures(rate)) if known else "—"
            button.setText(self.tr("Use {}").format(shown) if known else shown)

    def _draw(self) -> None:
        x, y = np.log10(self._rates), np.array(self._losses)
        self._raw.setData(x, y, connect="finite")
        smooth = self._found.smoothed if self._found is not None else np.zeros(0)
        self._smooth.setData(x[: len(smooth)], smooth, connect="finite")
        for mark, rate in zip(self._marks, self._named(), strict=True):
            mark.setVisible(not math.isnan(rate))
            if not math.isnan(rate):
                mark.setValue(math.log10(rate))
        self._frame()
        describe(self.plot, self.summary())

    def summary(self) -> str:
        """The picture in words."""
        if self._found is None:
            return self.tr("{} steps tried").format(len(self._rates))
        steepest, third = (plain_number(two_figures(r)) if r == r else "—" for r in self._named())
        return self.tr("{} steps; falls fastest at {}, a third of the lowest at {}").format(
            len(self._rates), steepest, third
        )

    def _frame(self) -> None:
        seen = np.array([loss for loss in self._losses if math.isfinite(loss)])
        if not self.plot.following or not seen.size:
            return
        top = max(HIGHEST * seen[: max(3, len(seen) // 8)].mean(), seen.min() + 1e-9)
        top = min(top, seen.max() + 0.05 * (seen.max() - seen.min()) + 1e-9)
        low = seen.min() - 0.05 * (top - seen.min())
        right = math.log10(self._rates[-1]) if not self.busy else 0.0
        self.plot.show_range((math.log10(self._rates[0]), max(right, -5.5)), (low, top))

    def _restyle(self) -> None:
        c = theme.current()
        self.plot.restyle(c)
        self._raw.setPen(pen(c.raw, 1))
        self._smooth.setPen(pen(c.smoothed, 2))
        styles = (Qt.PenStyle.DashLine, Qt.PenStyle.DotLine)
        for mark, color, style in zip(self._marks, (c.good, c.validation), styles, strict=True):
            mark.setPen(pen(color, 2, style))
        for label, color, line in zip(self._labels, (c.good, c.validation), "╌┈", strict=True):
            text = label.text().rpartition("  ")[2]
            label.setText(f"{line}{line}  {text}")
            label.setStyleSheet(f"QLabel:enabled {{ color: {color}; }}")
