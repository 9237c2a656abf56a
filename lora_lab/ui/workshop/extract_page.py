"""An adapter from a model before and after fine-tuning; and what α means in other programs."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout

from lora_lab.ui.style.figures import plain_number
from lora_lab.ui.widgets.controls import Number, Whole
from lora_lab.ui.widgets.figure_table import LayerTable
from lora_lab.ui.widgets.form import Form
from lora_lab.ui.widgets.labels import TextLabel
from lora_lab.ui.workshop.fields import DeliveryField, PathField
from lora_lab.ui.workshop.page import Page
from lora_lab.workshop.requests import Delivery
from lora_lab.workshop.translate import translations


class ExtractPage(Page):
    """Two checkpoints, a rank, and where to write."""

    def __init__(self, formats: list[tuple[str, str, bool, str]]) -> None:
        super().__init__()
        tr = self.tr
        hint = tr("Hugging Face folder or checkpoint")
        files = tr("Checkpoints (*.safetensors *.pt *.pth *.bin);;All files (*)")
        self.base = PathField(tr("Model before"), hint, files)
        self.tuned = PathField(tr("Model after"), hint, files)
        self.rank = Whole(1, 65536)
        self.rank.setValue(16)
        self.rank.setAccessibleName(tr("Rank"))
        form = Form(widest=tr("Model before"))
        form.add(tr("Model &before"), self.base)
        form.add(tr("Model &after"), self.tuned)
        form.add(tr("&Rank"), self.rank)
        about = self.label()
        about.setText(
            tr(
                "The best rank-r fit of W_after − W_before in each layer (Eckart–Young), one "
                "tensor at a time, so that models larger than memory work. Biases, norms and "
                "embeddings that differ are named and left out."
            )
        )
        self.delivery = DeliveryField(formats, tr("&Extract"))
        self.delivery.requested.connect(self._extract)
        self.delivery.cancelled.connect(self._on_cancelled)
        for field in (self.base, self.tuned):
            field.changed.connect(self._update)
        column = QVBoxLayout(self)
        column.addLayout(form)
        column.addWidget(about)
        column.addSpacing(12)
        column.addWidget(self.delivery)
        column.addStretch(1)
        self._update()

    def _update(self, *_: object) -> None:
        self.delivery.set_ready(bool(self.base.path and self.tuned.path))

    def _extract(self, delivery: Delivery) -> None:
        base, tuned, rank = self.base.path, self.tuned.path, self.rank.value()

        def work(report):
            from lora_lab.workshop.files import save_extract

            return save_extract(base, tuned, rank, delivery, report)

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


class ScalePage(Page):
    """α, r and rate here, and what gives the same change elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        tr = self.tr
        self.alpha, self.rank = Number(1e-6, 1e6), Whole(1, 65536)
        self.alpha.setValue(16)
        self.rank.setValue(8)
        self.rate = Number(1e-12, 10)
        self.rate.setValue(2e-4)
        self.rate.setButtonSymbols(Number.ButtonSymbols.NoButtons)
        for widget, name in ((self.alpha, "α"), (self.rank, "r"), (self.rate, tr("learning rate"))):
            widget.setAccessibleName(name)
        self.rate.setFixedWidth(self.fontMetrics().averageCharWidth() * 12)
        row = QHBoxLayout()
        for text, widget in (("α", self.alpha), ("r", self.rank), (tr("learning rate"), self.rate)):
            row.addWidget(TextLabel(text))
            row.addWidget(widget)
        self.scaling = self.label("title")
        row.addWidget(self.scaling, 1)
        self.table = LayerTable(
            tr("Other programs"),
            (
                tr("Program"),
                tr("Its own s"),
                tr("α for the same s"),
                tr("Strength"),
                tr("Learning rate"),
            ),
            ("00.0000", "0,000.0", "× 00.0000", "0.00e-00"),
        )
        about = self.label()
        about.setText(
            tr(
                "ΔW = s·B·A. Out of the box these programs multiply by an s that differs 320-fold. "
                "“α for the same s” is what to set there; “Strength” gives the same file the "
                "same effect where the program applies its own default s; “Learning rate” moves "
                "ΔW as far per step when training there with its default."
            )
        )
        column = QVBoxLayout(self)
        column.addLayout(row)
        column.addWidget(self.table, 1)
        column.addWidget(about)
        self.alpha.valueChanged.connect(self.follow)
        self.rank.valueChanged.connect(self.follow)
        self.rate.valueChanged.connect(self.follow)
        self.follow()

    def follow(self, *_: object) -> None:
        """Bring the table in line with α, r and rate."""
        alpha, rank, rate = self.alpha.value(), self.rank.value(), self.rate.value()
        scaling = alpha / rank
        self.scaling.setText(f"s = α/r = {scaling:.4g}")
        self.table.show_rows(
            [
                (x.tool, f"{x.default:g}", "—" if x.alpha != x.alpha else f"{x.alpha:g}",
                 f"× {x.strength:.4g}",
                 plain_number(float(f"{x.rate:.3g}")))
                for x in translations(alpha, rank, rate, scaling)
            ]
        )  # fmt: skip
