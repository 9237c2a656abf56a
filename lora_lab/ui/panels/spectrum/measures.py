"""The rank measures of the layers that are shown, in a column beside the picture."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from PySide6.QtCore import QSize
from PySide6.QtGui import QFontMetrics, QResizeEvent
from PySide6.QtWidgets import QLayout, QVBoxLayout, QWidget

from lora_lab.records import LayerSpectrum
from lora_lab.ui.panels.spectrum.figures import share_span, span, tenth, two
from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import row_names
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
        size = [layer.delta_norm / (norms.get(layer.name) or math.nan) for layer in shown]
        scalings = [layer.scaling if scaled else math.nan for layer in shown]
        texts = {
            "numerical": self._numerical(shown),
            "stable": _known([layer.stable_rank for layer in shown], shown),
            "effective": _known([layer.effective_rank for layer in shown], shown),
            "size": span([layer.delta_norm for layer in shown], two),
            "share": share_span(size),
            "scaling": span(scalings, "{:.4g}".format),
        }
        for key, text in texts.items():
            value = self._figures[key]
            if value.fontMetrics().horizontalAdvance(text) > self.width() - 6:
                text = text.replace(" – ", " –\n")  # no figure is cut in two
            show(value, text)

    def _numerical(self, shown: Sequence[LayerSpectrum]) -> str:
        """Of ΔW whose largest σ alone were computed the rank is at least as many."""
        ranks, most = [layer.numerical_rank for layer in shown], [len(x.sigma) for x in shown]
        if any(rank == len(x.sigma) < x.rank for rank, x in zip(ranks, shown, strict=True)):
            return self.tr("≥ {} (first {} σ)").format(min(ranks), max(most))
        return self.tr("{} of {}").format(span(ranks, str), max(most))


def _known(values: Sequence[float], shown: Sequence[LayerSpectrum]) -> str:
    """Least and greatest, and of which layer where the others have none: theirs is not known."""
    known = [n for n, value in enumerate(values) if value == value]
    text = span(values, tenth)
    if len(known) == 1 < len(values):
        return f"{text} ({row_names([layer.name for layer in shown])[known[0]]})"
    if 0 < len(known) < len(values):
        return f"{text} ({len(known)}/{len(values)})"
    return text
