"""Add adapters of one base, with how far each way is from the sum of their ΔWs seen before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from PySide6.QtWidgets import (
    QButtonGroup,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QRadioButton,
    QVBoxLayout,
)

from lora_lab.ui.style import theme
from lora_lab.ui.widgets.controls import Number, Whole
from lora_lab.ui.widgets.labels import TextLabel
from lora_lab.ui.workshop.fields import DeliveryField, SourceField
from lora_lab.ui.workshop.page import Page
from lora_lab.workshop.requests import Delivery, Source

MOST = 4  # adapters


class MergePage(Page):
    """Two to four adapters, their weights, and the ways to add them."""

    def __init__(self, formats: list[tuple[str, str, bool, str]]) -> None:
        super().__init__()
        tr = self.tr
        self.rows: list[tuple[SourceField, Number]] = []
        grid = QGridLayout()
        for number in range(MOST):
            source = SourceField(tr("Adapter {}").format(number + 1))
            weight = Number(-100, 100, 0.1)
            weight.setValue(1.0)
            weight.setPrefix("w ")
            weight.setAccessibleName(tr("Weight of adapter {}").format(number + 1))
            source.where.changed.connect(self._update)
            weight.valueChanged.connect(self._stale)
            grid.addWidget(TextLabel(f"{number + 1}"), number, 0)
            grid.addWidget(source, number, 1)
            grid.addWidget(weight, number, 2)
            self.rows.append((source, weight))
        self.measure_button = QPushButton(tr("&Compare merge methods"))
        self.measure_button.clicked.connect(self._measure)
        self.methods = QButtonGroup(self)
        self.errors: dict[str, QLabel] = {}
        ways = QGridLayout()
        titles = {
            "exact": tr("exact: Σ w·ΔW (re-factorised by SVD)"),
            "cat": tr("cat: factors side by side, rank Σr"),
            "linear": tr("linear: as PEFT adds factors, (Σ√(ws)·B)(Σ√(ws)·A)"),
        }
        for row, (name, title) in enumerate(titles.items()):
            button = QRadioButton(title)
            button.setChecked(name == "exact")
            button.setProperty("method", name)
            self.methods.addButton(button)
            self.errors[name] = self.label()
            ways.addWidget(button, row, 0)
            ways.addWidget(self.errors[name], row, 1)
        ways.setColumnStretch(1, 1)
        self.rank = Whole(0, 65536)
        self.rank.setSpecialValueText(tr("full rank"))
        self.rank.setPrefix(tr("truncate to rank "))
        self.rank.setAccessibleName(tr("Rank that the exact sum is truncated to"))
        self.delivery = DeliveryField(formats, tr("&Save"), base=True)
        self.delivery.base.changed.connect(self._stale)
        self.delivery.requested.connect(self._save)
        self.delivery.cancelled.connect(self._on_cancelled)
        pressed = QHBoxLayout()
        pressed.addWidget(self.measure_button)
        pressed.addStretch(1)
        pressed.addWidget(self.rank)
        about = self.label()
        about.setText(
            tr(
                "Each error is ‖ΔW − ΣwΔW‖/‖ΣwΔW‖ of the worst layer. Adding the factors "
                "separately is not the same as adding the ΔWs."
            )
        )
        column = QVBoxLayout(self)
        column.addLayout(grid)
        column.addLayout(pressed)
        column.addLayout(ways)
        column.addWidget(about)
        column.addSpacing(12)
        column.addWidget(self.delivery)
        column.addStretch(1)
        self._update()

    @property
    def terms(self) -> list[tuple[Source, float]]:
        base = self.delivery.base.path
        return [
            (replace(s.source, base=base), weight.value())
            for s, weight in self.rows
            if s.where.path
        ]

    @property
    def method(self) -> str:
        return str(self.methods.checkedButton().property("method"))

    def _update(self, *_: object) -> None:
        ready = len(self.terms) >= 2
        self.measure_button.setEnabled(ready)
        self.delivery.set_ready(ready)
        self._stale()

    def _stale(self, *_: object) -> None:
        for label in self.errors.values():
            label.setText("")

    def _measure(self) -> None:
        terms = self.terms

        def work(report):
            from lora_lab.workshop.files import method_errors

            return method_errors(terms, report)

        self.delivery.outcome.hide()
        self.delivery.set_busy(True)
        self.run(work, self._show_errors, self.delivery.show_refusal, self.delivery.show_progress)

    def _show_errors(self, result: dict[str, Any]) -> None:
        self.delivery.set_busy(False)
        for name, value in result.items():
            known = isinstance(value, float)
            text = self.tr("{:.2g} % off").format(100 * value) if known else value
            if known and value < 1e-6:
                text = self.tr("the sum itself, to rounding")
            theme.set_role(
                self.errors[name],
                ("good" if value < 1e-4 else "warn") if known else "muted",
            )
            self.errors[name].setText(text)

    def _save(self, delivery: Delivery) -> None:
        terms, method, rank = self.terms, self.method, self.rank.value() or None

        def work(report):
            from lora_lab.workshop.files import save_sum

            return save_sum(terms, method, rank, delivery, report)

        self.delivery.set_busy(True)
        self.run(
            work,
            self.delivery.show_outcome,
            self.delivery.show_refusal,
            self.delivery.show_progress,
        )

    def _on_cancelled(self) -> None:
        self.cancel()
        self.delivery.show_refusal(self.tr("Cancelled; nothing was written."))
