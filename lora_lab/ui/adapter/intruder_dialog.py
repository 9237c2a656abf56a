"""Intruder dimensions layer by layer: asked for with a threshold, counted while one looks on."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QHBoxLayout, QWidget

from lora_lab.measured import IntruderRecord
from lora_lab.opening_records import LayerInfo
from lora_lab.training.commands import CountIntruders
from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import plain_tip
from lora_lab.ui.widgets.ask_dialog import AskDialog
from lora_lab.ui.widgets.controls import Number, Whole
from lora_lab.ui.widgets.dialogs import resize_to_text
from lora_lab.ui.widgets.figure_table import LayerTable
from lora_lab.ui.widgets.form import muted
from lora_lab.ui.widgets.labels import label

translate = QCoreApplication.translate


class IntruderDialog(AskDialog):
    """One layer after the other; what was counted stays when the counting is stopped."""

    asks_at_once = False  # first one looks at the two numbers

    def __init__(self, layers: Sequence[LayerInfo], parent: QWidget | None = None) -> None:
        tr = self.tr
        super().__init__(tr("Intruder dimensions"), tr("Co&unt"), parent, cancel=tr("&Stop"))
        self._layers = tuple(layer.name for layer in layers)
        self._waiting: list[CountIntruders] = []  # after the one that was requested
        self._requested: CountIntruders | None = None
        self._records: list[IntruderRecord] = []
        about = label(
            tr(
                "An intruder is a strong direction of W + ΔW that resembles none of W's own "
                "(|cos| below the threshold). Full fine-tuning makes few; where a low rank makes "
                "many, more of what the base model knew is forgotten (Shuttleworth et al. 2024)."
            ),
            "muted",
        )
        about.setWordWrap(True)
        self.strongest_box = Whole(1, 1000)
        self.strongest_box.setValue(10)
        self.threshold_box = Number(0.05, 1.0, 0.05)
        self.threshold_box.setValue(0.5)
        settings = QHBoxLayout()
        settings.setSpacing(8)
        for box, title, name in (
            (self.strongest_box, tr("Top-&k"), tr("Top-k directions of each layer")),
            (self.threshold_box, tr("&Threshold"), tr("Cosine threshold")),
        ):
            box.setAccessibleName(name)
            box.setToolTip(plain_tip(name))
            settings.addWidget(muted(title, box))
            settings.addWidget(box)
            settings.addSpacing(10)
        settings.addStretch(1)
        self.table = LayerTable(
            tr("Intruders of each layer"),
            (tr("Layer"), tr("Intruders"), tr("Positions"), tr("min |cos|")),
            ("10 of 1000", "1, 2, 3, 4, 5, …", "0.000"),
        )
        self.head.addWidget(about)
        self.head.addLayout(settings)
        self.body.addWidget(self.table, 1)
        self.body.addStretch(0)  # while there is no table, words stand at the top
        self.table.hide()
        theme.set_role(self.again_button, "primary")
        self.again_button.setDefault(True)
        resize_to_text(self, 46, 26)

    def command(self) -> CountIntruders:
        """Of the next layer."""
        self._requested = self._waiting.pop(0)
        return self._requested

    def begin(self) -> None:
        settings = self.strongest_box.value(), self.threshold_box.value()
        self._waiting = [CountIntruders(name, *settings) for name in self._layers]
        self._records = []
        self.table.show_rows([])
        self.table.show()
        words = self.tr("Each layer takes a moment between two steps.")
        self.say("muted", words, busy=True)
        self.progress.setRange(0, len(self._layers))

    def show_result(self, record: IntruderRecord) -> None:
        """One more layer; the next one is requested."""
        if CountIntruders(record.layer, record.strongest, record.threshold) != self._requested:
            return
        self._records.append(record)
        self.progress.setValue(len(self._records))
        rows = sorted(self._records, key=lambda r: -len(r.places))
        self.table.show_rows([_cells(r) for r in rows])
        if self._waiting:
            self.say("muted", self._summary(), busy=True)
            self.requested.emit(self.command())
            return
        words = self._summary()
        if len(self._records) < len(self._layers):
            words += self.tr(" Stopped after {:,} of {:,} layers.").format(
                len(self._records), len(self._layers)
            )
        self._end("warn" if any(r.places for r in self._records) else "good", words)

    def refuse(self, message: str) -> None:
        self._waiting = []
        self._end("error", message)

    def cancel(self) -> None:
        """The layer in hand is finished; those after it are left out."""
        self._waiting = []
        self.cancel_button.setEnabled(False)

    def _end(self, role: str, words: str) -> None:
        focused = self.cancel_button.hasFocus()
        self.say(role, words, busy=False)
        self.again_button.setText(self.tr("Co&unt again"))
        if focused:
            self.again_button.setFocus()

    def _summary(self) -> str:
        counted = [r for r in self._records if not r.reason]
        intruders, of = sum(len(r.places) for r in counted), sum(r.checked for r in counted)
        steps = sorted({r.step for r in self._records})
        when = f"{steps[0]:,}" if len(steps) == 1 else f"{steps[0]:,}–{steps[-1]:,}"
        words = self.tr("{:,} of {:,} top-k directions are intruders, at step {}.").format(
            intruders, of, when
        )
        if left := len(self._records) - len(counted):
            words += (
                self.tr(" 1 layer is too large to analyse.")
                if left == 1
                else self.tr(" {:,} layers are too large to analyse.").format(left)
            )
        return words


def _cells(record: IntruderRecord) -> tuple[str, ...]:
    if record.reason:
        return record.layer, translate("intruders", "too large"), "—", "—"
    places = ", ".join(map(str, record.places[:5])) + (", …" if len(record.places) > 5 else "")
    least = f"{min(record.similarity):.3f}" if record.similarity else "—"
    share = translate("intruders", "{} of {}").format(len(record.places), record.checked)
    return record.layer, share, places or "—", least
