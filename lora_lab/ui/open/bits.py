"""The choice how a base is held: in floats, in 4 or 8 bits, or as it lies in its file."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from lora_lab.choices import BASE_BITS, BITS
from lora_lab.ui.style.figures import in_words, plain_tip
from lora_lab.ui.widgets.controls import Combo


class BitsCombo(Combo):
    """A key of BASE_BITS; those that the model at hand cannot have are grey."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(self.tr("Bits of the base"))
        for row, (name, choice) in enumerate(BASE_BITS.items()):
            self.addItem(in_words(choice.title), name)
            self.setItemData(row, plain_tip(in_words(choice.about)), Qt.ItemDataRole.ToolTipRole)

    @property
    def bits(self) -> str:
        return self.currentData()

    @property
    def packs(self) -> bool:
        """Whether a folder is packed while it is opened."""
        return self.bits in BITS

    def choose(self, bits: str) -> None:
        self.setCurrentIndex(self.findData(bits))

    def offer(self, kind: str) -> None:
        """What a model of that kind (ModelCard.kind) can have: a GGUF file is not packed anew."""
        for row in range(self.count()):
            able = kind != "GGUF" or self.itemData(row) not in BITS
            self.model().item(row).setEnabled(able)
        if not self.model().item(self.currentIndex()).isEnabled():
            self.choose("auto")
