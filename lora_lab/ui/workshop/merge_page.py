"""Add adapters of one base, with how far each way is from the sum of their ΔWs seen before."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Signal
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
from lora_lab.ui.style.figures import rounded_percent
from lora_lab.ui.widgets.controls import LARGEST, Number, Whole
from lora_lab.ui.widgets.labels import TextLabel
from lora_lab.ui.widgets.plot import number
from lora_lab.ui.workshop.fields import DeliveryField, SourceField
from lora_lab.ui.workshop.page import Page
from lora_lab.workshop.requests import Delivery, Mix, Source, Trim

if TYPE_CHECKING:
    from lora_lab.measured import MixRecord

MOST = 4  # adapters
TRIMMING = ("ties", "dare-linear", "dare-ties", "magnitude")
AS_ADDED = ("cat", "linear")  # which keep the rank that their factors have


class MergePage(Page):
    """Two to four adapters, their weights, and the ways to add them."""

    loss_requested = Signal(tuple)  # of Mix: their validation loss in the model that is open

    def __init__(self, formats: list[tuple[str, str, bool, str]]) -> None:
        super().__init__()
        tr = self.tr
        self.rows: list[tuple[SourceField, Number]] = []
        grid = QGridLayout()
        for place in range(MOST):
            source = SourceField(tr("Adapter {}").format(place + 1))
            weight = Number(-100, 100, 0.1)
            weight.setValue(1.0)
            weight.setPrefix("w ")
            weight.setAccessibleName(tr("Weight of adapter {}").format(place + 1))
            source.where.changed.connect(self._update)
            weight.valueChanged.connect(self._stale)
            grid.addWidget(TextLabel(f"{place + 1}"), place, 0)
            grid.addWidget(source, place, 1)
            grid.addWidget(weight, place, 2)
            self.rows.append((source, weight))
        self.measure_button = QPushButton(tr("&Compare merge methods"))
        self.measure_button.clicked.connect(self._measure)
        self.methods = QButtonGroup(self)
        self.errors: dict[str, QLabel] = {}
        self.losses: dict[str, QLabel] = {}
        self._asked: list[Mix] = []  # losses that have not come
        ways = QGridLayout()
        titles = {
            "exact": tr("exact: Σ w·ΔW (re-factorised by SVD)"),
            "cat": tr("cat: factors side by side, rank Σr"),
            "linear": tr("linear: as PEFT adds factors, (Σ√(ws)·B)(Σ√(ws)·A)"),
            "slerp": tr("slerp: two ΔWs, a point of the arc between them"),
            "ties": tr("ties: largest entries of each ΔW, mean of the majority's sign"),
            "dare-linear": tr("dare-linear: entries of each ΔW dropped at random, sum"),
            "dare-ties": tr("dare-ties: dropped at random, mean of the majority's sign"),
            "magnitude": tr("magnitude: largest entries of each ΔW, sum"),
        }
        for row, (name, title) in enumerate(titles.items()):
            button = QRadioButton(title)
            button.setChecked(name == "exact")
            button.setProperty("method", name)
            self.methods.addButton(button)
            button.toggled.connect(self._follow_method)
            self.errors[name], self.losses[name] = self.label(), self.label()
            ways.addWidget(button, row, 0)
            ways.addWidget(self.errors[name], row, 1)
            ways.addWidget(self.losses[name], row, 2)
        ways.setColumnStretch(1, 1)
        ways.setColumnStretch(2, 1)
        self.loss_button = QPushButton(tr("Validation &loss"))
        self.loss_button.setToolTip(
            tr("Of the exact sum and of the chosen method, in the model and data that are open")
        )
        self.loss_button.clicked.connect(self._ask_loss)
        self.density = Number(0.01, 1, 0.1)
        self.density.setValue(0.5)
        self.density.setPrefix(tr("density "))
        self.density.setAccessibleName(tr("Share of each ΔW's entries that is kept"))
        self.seed = Whole(0, LARGEST)
        self.seed.setPrefix(tr("seed "))
        self.seed.setAccessibleName(tr("Seed of the entries that DARE drops"))
        for box in (self.density, self.seed):
            box.valueChanged.connect(self._stale)
        self.rank = Whole(0, 65536)
        self.rank.setSpecialValueText(tr("full rank"))
        self.rank.setPrefix(tr("truncate to rank "))
        self.rank.setAccessibleName(tr("Rank that the outcome is truncated to"))
        self.rank.valueChanged.connect(self._stale)
        self.delivery = DeliveryField(formats, tr("&Save"), base=True)
        self.delivery.base.changed.connect(self._stale)
        self.delivery.requested.connect(self._save)
        self.delivery.cancelled.connect(self._on_cancelled)
        pressed = QHBoxLayout()
        pressed.addWidget(self.measure_button)
        pressed.addWidget(self.loss_button)
        pressed.addStretch(1)
        for box in (self.density, self.seed, self.rank):
            pressed.addWidget(box)
        about = self.label()
        about.setText(
            tr(
                "Each error is ‖ΔW − ΣwΔW‖/‖ΣwΔW‖ of the worst layer. Adding the factors "
                "separately is not the same as adding the ΔWs. TIES, DARE and magnitude trim ΔW "
                "itself, as PEFT's ties_svd; what PEFT calls ties trims A and B apart."
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

    @property
    def trim(self) -> Trim:
        return Trim(self.density.value(), self.seed.value())

    def _rank_for(self, method: str) -> int | None:
        return None if method in AS_ADDED else self.rank.value() or None

    def _update(self, *_: object) -> None:
        ready = len(self.terms) >= 2
        self.measure_button.setEnabled(ready)
        self.loss_button.setEnabled(ready)
        self.delivery.set_ready(ready)
        self._follow_method()
        self._stale()

    def _follow_method(self, *_: object) -> None:
        """What the chosen method makes no use of cannot be set."""
        self.density.setEnabled(self.method in TRIMMING)
        self.seed.setEnabled(self.method.startswith("dare"))
        self.rank.setEnabled(self.method not in AS_ADDED)
        words = self.tr("Σr") if self.method in TRIMMING else self.tr("full rank")
        self.rank.setSpecialValueText(words)

    def _stale(self, *_: object) -> None:
        self._asked = []
        for label in (*self.errors.values(), *self.losses.values()):
            label.setText("")

    def _measure(self) -> None:
        terms, trim, rank = self.terms, self.trim, self.rank.value() or None

        def work(report):
            from lora_lab.workshop.files import method_errors

            return method_errors(terms, report, trim, rank)

        self.delivery.outcome.hide()
        self.delivery.set_busy(True)
        self.run(work, self._show_errors, self.delivery.show_refusal, self.delivery.show_progress)

    def _ask_loss(self) -> None:
        methods = dict.fromkeys(("exact", self.method))
        self._asked = [
            Mix(tuple(self.terms), method=name, rank=self._rank_for(name), trim=self.trim)
            for name in methods
        ]
        for name in methods:
            self._show_loss(name, self.tr("Measuring…"), "muted")
        self.loss_requested.emit(tuple(self._asked))

    def show_mix(self, record: MixRecord) -> None:
        """A validation loss that came; one that was asked for with other settings is passed by."""
        if record.mix in self._asked:
            self._asked.remove(record.mix)
            words = self.tr("validation loss {}").format(number(record.loss, 4))
            if record.accuracy is not None:
                words += self.tr(", accuracy {}").format(rounded_percent(record.accuracy))
            self._show_loss(record.mix.method, words, "good")

    def refuse_loss(self, message: str) -> None:
        """The next one that was asked for cannot be measured."""
        if self._asked:
            self._show_loss(self._asked.pop(0).method, message, "error")

    def _show_loss(self, method: str, text: str, role: str) -> None:
        theme.set_role(self.losses[method], role)
        self.losses[method].setText(text)

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
        terms, method, trim = self.terms, self.method, self.trim
        rank = self._rank_for(method)

        def work(report):
            from lora_lab.workshop.files import save_sum

            return save_sum(terms, method, rank, delivery, report, trim)

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
