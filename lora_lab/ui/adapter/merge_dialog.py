"""The merge preview: what W + ΔW would lose of ΔW in each dtype, in words and layer by layer."""

from __future__ import annotations

import math

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QWidget

from lora_lab.measured import LayerMerge, MergeRecord
from lora_lab.training.commands import MergePreview
from lora_lab.ui.style.figures import share_or_dash
from lora_lab.ui.widgets.ask_dialog import AskDialog
from lora_lab.ui.widgets.dialogs import resize_to_text
from lora_lab.ui.widgets.figure_table import FigureGrid, LayerTable
from lora_lab.ui.widgets.labels import label

translate = QCoreApplication.translate

NOTHING = 1e-6  # ‖ΔW‖/‖W‖ below float32's rounding of W itself: as good as no change
HARMLESS = 0.01  # a loss that nobody would notice


def loss_words(loss: float) -> str:
    """How much of ΔW is lost: a share, beyond the dtype's range, or nothing to lose."""
    if math.isinf(loss):
        return translate("merge", "overflow")
    if loss > 1:
        return translate("merge", "all of it")  # rounding made something else of it
    return share_or_dash(loss)


def worst_layer(record: MergeRecord, place: int) -> LayerMerge | None:
    """The layer that loses most in the dtype at `place`; None where none has anything to lose."""
    known = [layer for layer in record.layers if not math.isnan(layer.loss[place])]
    return max(known, key=lambda layer: layer.loss[place], default=None)


def verdict(record: MergeRecord) -> tuple[str, str]:
    """A role of the theme, and in words what a merge would do and what to do instead."""
    if any(math.isnan(layer.relative_size) for layer in record.layers):
        return "error", translate(
            "merge",
            "ΔW is not finite in some layer: it cannot be merged. Lower the learning rate or α, "
            "and continue from the last good step.",
        )
    if not record.relative_size > NOTHING:
        return "warn", translate("merge", "ΔW is zero: there is nothing to merge yet. Train first.")
    first, *narrow = range(len(record.dtypes))
    bad = [place for place in narrow if not record.loss[place] <= HARMLESS]
    if not record.loss[first] <= HARMLESS:
        bad = [first, *bad]
    if not bad:
        return "good", translate("merge", "A merge keeps ΔW in all of these dtypes.")
    losses = []
    for place in bad:
        name, loss = record.dtypes[place], record.loss[place]
        if math.isinf(loss):
            losses.append(translate("merge", "overflow in {}").format(name))
        else:
            losses.append(translate("merge", "lose {} of ΔW in {}").format(loss_words(loss), name))
    words = translate("merge", "A merge would {}.").format(translate("merge", " and ").join(losses))
    keeps = [record.dtypes[place] for place in range(len(record.dtypes)) if place not in bad]
    if keeps:
        advice = translate(
            "merge", "Export the adapter, which keeps ΔW exactly, or merge in {}."
        ).format(translate("merge", " or ").join(keeps))
    else:
        advice = translate("merge", "Export the adapter, which keeps ΔW exactly.")
    return "warn", f"{words} {advice}"


class MergeDialog(AskDialog):
    """A line for each dtype, and every layer beneath."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(self.tr("Merge preview"), self.tr("&Measure again"), parent)
        self.about_label = label(role="muted")
        self.about_label.setWordWrap(True)
        self.lines = FigureGrid((26, 4))
        self.lines.grid.setColumnStretch(3, 1)
        self.table = LayerTable(self.tr("Loss of each layer"), (self.tr("Layer"),), ())
        self.body.setSpacing(8)
        self.body.addWidget(self.about_label)
        self.body.addWidget(self.lines)
        self.body.addWidget(self.table, 1)
        self.body.addStretch(0)  # while there is no table, words stand at the top
        for later in (self.about_label, self.lines, self.table):
            later.hide()
        resize_to_text(self, 52, 24)

    def command(self) -> MergePreview:
        return MergePreview()

    def begin(self) -> None:
        """What is shown stays until the new figures are here."""
        if self.lines.isHidden():
            self.say("muted", self.tr("Measuring between two steps…"), busy=True)
        else:
            self.say(self.message.property("role"), self.message.text(), busy=True)

    def show_result(self, record: MergeRecord) -> None:
        """The figures of one step."""
        self.say(*verdict(record), busy=False)
        size = share_or_dash(record.relative_size)
        sample = self.tr(", from {:.0%} of the entries").format(record.share)
        self.about_label.setText(
            self.tr("‖ΔW‖ / ‖W‖ = {}, at step {:,}{}").format(
                size, record.step, sample if record.share < 1 else ""
            )
        )
        self.about_label.show()
        something = record.relative_size > NOTHING
        self.lines.setVisible(something)
        self.table.setVisible(something)
        if something:
            self._fill_lines(record)
            self._fill_table(record)

    def _fill_lines(self, record: MergeRecord) -> None:
        self.lines.clear()
        heads = (self.tr("Merged in"), self.tr("ΔW lost"), self.tr("Worst layer"))
        for column, head in enumerate(heads):
            self.lines.put(0, column, head, "small")
        for place, name in enumerate(record.dtypes):
            worst, loss = worst_layer(record, place), record.loss[place]
            self.lines.put(place + 1, 0, name, "title")
            self.lines.put(place + 1, 1, loss_words(loss), "good" if loss <= HARMLESS else "warn")
            if worst is not None:
                words = f"{loss_words(worst.loss[place])}  {worst.name}"
                self.lines.put(place + 1, 2, words, "muted")

    def _fill_table(self, record: MergeRecord) -> None:
        heads = (self.tr("Layer"), "‖ΔW‖/‖W‖", *record.dtypes)
        self.table.set_heads(heads, ["< 0.0001 %"] * (len(heads) - 1))
        self.table.show_rows(
            [
                (layer.name, share_or_dash(layer.relative_size), *map(loss_words, layer.loss))
                for layer in record.layers
            ]
        )
