"""How the next text is drawn: temperature, top-p, seed, stop texts, and what the prompt is."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QGridLayout, QLineEdit, QWidget

from lora_lab.sampling import PROMPTS, Sampling
from lora_lab.ui.widgets.controls import LARGEST, Combo, Number, Whole

translate = QCoreApplication.translate

AS_ROWS, TEXT, CHAT = PROMPTS


class SamplingBar(QWidget):
    """Two rows of small controls; greedy at first, as before anything is moved."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        tr = self.tr
        self.temperature = Number(0, 100, 0.1)
        self.temperature.setSpecialValueText(tr("greedy"))
        self.temperature.setPrefix("T ")
        self.temperature.setAccessibleName(tr("Temperature"))
        self.temperature.setToolTip(
            tr("0 takes the likeliest token; above, one is drawn from softmax(logits / T)")
        )
        self.top_p = Number(0.001, 1, 0.05)
        self.top_p.setValue(1.0)
        self.top_p.setPrefix(tr("top-p "))
        self.top_p.setAccessibleName(tr("Top-p"))
        self.top_p.setToolTip(tr("Only the likeliest tokens whose probabilities sum up to this"))
        self.seed = Whole(0, LARGEST)
        self.seed.setPrefix(tr("seed "))
        self.seed.setAccessibleName(tr("Seed of what is drawn"))
        self.seed.setToolTip(tr("The same draws with the adapter off and on"))
        self.stop = QLineEdit()
        self.stop.setAccessibleName(tr("Stop texts"))
        self.stop.setPlaceholderText(tr("stop texts, separated by |"))
        self.stop.setToolTip(tr("Text ends before the first of them; \\n is a new line"))
        self.kind = Combo()
        self.kind.setAccessibleName(tr("What the prompt is"))
        self.kind.setToolTip(tr("How the prompt is put to the model"))
        self.kind.addItem(tr("prompt as in the data"), AS_ROWS)
        self.kind.addItem(tr("plain text"), TEXT)
        self.kind.addItem(tr("chat template"), CHAT)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(6)
        for column, box in enumerate((self.temperature, self.top_p, self.seed)):
            grid.addWidget(box, 0, column)
            grid.setColumnStretch(column, 1)
        grid.addWidget(self.kind, 1, 0)
        grid.addWidget(self.stop, 1, 1, 1, 2)
        self.temperature.valueChanged.connect(self._follow)
        self._follow()

    @property
    def sampling(self) -> Sampling:
        """As the controls stand."""
        words = (word.strip(" ") for word in self.stop.text().split("|"))
        stop = tuple(word.replace("\\n", "\n").replace("\\t", "\t") for word in words if word)
        return Sampling(
            self.temperature.value(), self.top_p.value(), self.seed.value(), stop,
            self.kind.currentData(),
        )  # fmt: skip

    def set_chats(self, chats: bool) -> None:
        """Whether the model has a chat template."""
        item = self.kind.model().item(self.kind.findData(CHAT))
        item.setEnabled(chats)
        words = "" if chats else self.tr("This checkpoint has no chat template")
        item.setToolTip(words)
        if not chats and self.kind.currentData() == CHAT:
            self.kind.setCurrentIndex(0)

    def _follow(self) -> None:
        drawn = self.temperature.value() > 0
        for box in (self.top_p, self.seed):
            box.setEnabled(drawn)


def sampling_words(sampling: Sampling) -> str:
    """What was drawn with, briefly; nothing of greedy."""
    if not sampling.temperature:
        return ""
    parts = [f"T {sampling.temperature:g}"]
    if sampling.top_p < 1:
        parts.append(translate("SamplingBar", "top-p {:g}").format(sampling.top_p))
    return " · ".join([*parts, translate("SamplingBar", "seed {}").format(sampling.seed)])
