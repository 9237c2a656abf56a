"""The rank measures of the layers that are shown, in a column beside the picture."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from PySide6.QtCore import QSize
from PySide6.QtGui import QFontMetrics, QResizeEvent
from PySide6.QtWidgets import QLayout, QVBoxLayout, QWidget

from lora_lab.records import LayerSpectrum
from lora_lab.ui.panels.spectrum.figures import span, tenth, two
from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import share_or_dash
from lora_lab.ui.widgets.labels import label, show
from lora_lab.variants import VARIANTS


class Measures(QWidget):
    """Six figures, or as many as fit; of several layers the least and the greatest."""

    def __init__(self) -> None:
        super().__init__()
        self._figures = {}
        self._rows = []
        side = QVBoxLayout(self)
        side.setSpacing(0)
        side.setContentsMargins(4, 2, 0, 0)
        measures = (
            (
                "numerical",
                self.tr("Numerical rank"),
                self.tr("Singular values above rounding error"),
            ),
            ("stable", self.tr("Stable rank"), "‖ΔW‖_F² / σ₁²"),
            ("effective", self.tr("Effective rank"), self.tr("exp of the entropy of σ / Σσ")),
            ("size", "‖ΔW‖", self.tr("Frobenius norm of ΔW")),
            ("share", "‖ΔW‖ / ‖W‖", self.tr("Size of the change relative to the frozen weights")),
            ("scaling", "s", self.tr("The scaling that multiplies B·A")),
        )
        for key, name, meaning in measures:
            head, value = label(name, "small"), label("—", "", name)
            value.setFont(theme.font(1.15, theme.font().Weight.Medium))
            for widget in (head, value):
                widget.setToolTip(meaning)
                side.addWidget(widget)
            value.setContentsMargins(0, 0, 0, 6)
            self._figures[key] = value
            self._rows.append((head, value))
            self.scaling_name = head  # the last one
        side.addStretch(1)
        side.setSizeConstraint(QLayout.SizeConstraint.SetNoConstraint)
        widest = QFontMetrics(theme.font(1.15, theme.font().Weight.Medium))
        self.setFixedWidth(widest.horizontalAdvance("0.0000 – 0.000 %") + 6)

    def minimumSizeHint(self) -> QSize:
        return QSize(self.minimumWidth(), 0)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        room = self.height() - 2
        for row in self._rows:
            room -= sum(widget.sizeHint().height() for widget in row)
            for widget in row:
                widget.setVisible(room >= 0)

    def reset(self, variant: str) -> None:
        """Name the scaling as the variant makes it."""
        show(self.scaling_name, f"s = {VARIANTS[variant].formula}")

    def show_measures(
        self, shown: Sequence[LayerSpectrum], norms: Mapping[str, float], scaled: bool
    ) -> None:
        """`norms`: ‖W‖ by layer; not `scaled`: there are no factors that s would multiply."""
        ranks = [layer.numerical_rank for layer in shown]
        most = max(len(layer.sigma) for layer in shown)
        size = [layer.delta_norm / (norms.get(layer.name) or math.nan) for layer in shown]
        scalings = [layer.scaling if scaled else math.nan for layer in shown]
        texts = {
            "numerical": self.tr("{} of {}").format(span(ranks, str), most),
            "stable": span([layer.stable_rank for layer in shown], tenth),
            "effective": span([layer.effective_rank for layer in shown], tenth),
            "size": span([layer.delta_norm for layer in shown], two),
            "share": span(size, share_or_dash),
            "scaling": span(scalings, "{:.4g}".format),
        }
        for key, text in texts.items():
            show(self._figures[key], text)
