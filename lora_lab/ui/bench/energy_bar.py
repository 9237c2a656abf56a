"""The energy Σσ² of a matrix as one bar, with the share that a cut keeps of it."""

from __future__ import annotations

import math

import numpy as np
from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from lora_lab.ui.style import theme
from lora_lab.ui.widgets.painter import Painter


class EnergyBar(QWidget):
    """Σσ² as one bar: a part per singular value, those that are kept in full colour."""

    def __init__(self) -> None:
        super().__init__()
        self._shares = np.zeros(0)
        self._k = 0
        self._words = ""
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(self.tr("Energy kept"))
        self.setFixedHeight(round(2.5 * self.fontMetrics().height()))

    def show_energy(self, sigma: np.ndarray, k: int, lost: float) -> None:
        """Paint σ² of these (r); k are kept, and with the others the share `lost` is lost."""
        largest = float(sigma[0]) if len(sigma) else 0.0
        squares = np.square(sigma / largest) if largest > 0 else np.zeros(0)
        self._shares, self._k = squares / squares.sum() if len(squares) else squares, k
        if len(squares):
            self._words = self.tr("energy kept: {} of Σσ²").format(energy_words(lost))
        else:
            self._words = self.tr("energy: none in a zero matrix")
        self.setAccessibleDescription(self._words)
        self.update()

    def paintEvent(self, event: QEvent) -> None:
        colors = theme.current()
        painter = Painter(self)
        line = painter.line
        painter.words((0, 0, self.width(), line), self._words, colors.muted)
        top, width, tall = line + 3, self.width() - 1, self.height() - line - 5
        painter.bar(0, top, width, tall, colors.grid)
        at = 0.0
        for index, share in enumerate(self._shares):
            wide = share * width
            if wide < 0.02:
                break
            color = colors.adapter if index < self._k else colors.raw
            gap = 1.0 if wide > 4 else 0.0
            painter.bar(at, top, wide - gap, tall, color)
            at += wide


def energy_words(lost: float) -> str:
    """The energy kept where this share is lost: 99.73 %, 99.9999 %; 100 % only within rounding."""
    if math.isnan(lost):
        return "—"
    if lost < 1e-15:
        return "100 %"
    digits = max(2, math.ceil(-math.log10(100 * lost))) if lost < 1 else 0
    return f"{100 * (1 - lost):.{digits}f} %"
