"""The rows of the setup dock: muted labels, fields that give way, choices that explain themselves.

What cannot be chosen now stays in its list, disabled, with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QCoreApplication, QSignalBlocker, Qt, SignalInstance
from PySide6.QtGui import QStandardItemModel
from PySide6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QWidget,
)

from lora_lab.setting import Offered
from lora_lab.ui.style.figures import in_words, tip_lines
from lora_lab.ui.widgets.controls import Combo, Number, Whole
from lora_lab.ui.widgets.labels import TextLabel


class Form(QFormLayout):
    """Rows of a muted label and one field, or two with a small label between them."""

    def __init__(self, widest: str) -> None:
        """`widest` label there will be: hidden rows that appear must not move the fields."""
        super().__init__()
        self._widest = widest
        self.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.setVerticalSpacing(5)
        self.setHorizontalSpacing(10)

    def add(self, label: str, *fields: QWidget) -> QWidget | QHBoxLayout:
        """A row; what it is made of is what `show_row` takes."""
        named = next(f for f in fields if not isinstance(f, QLabel) or len(fields) == 1)
        title = muted(label, named)
        title.setMinimumWidth(title.fontMetrics().horizontalAdvance(self._widest) + 1)
        if not named.accessibleName():
            named.setAccessibleName(label.replace("&", ""))
        if len(fields) == 1:
            self.addRow(title, fields[0])
            return fields[0]
        row = QHBoxLayout()
        row.setSpacing(8)
        for field in fields:
            wide = field.sizePolicy().horizontalPolicy() in (
                QSizePolicy.Policy.Ignored,
                QSizePolicy.Policy.Expanding,
            )
            # A word needs more room than a number.
            share = 3 if isinstance(field, QComboBox) else 2
            row.addWidget(field, share * wide, Qt.AlignmentFlag.AlignVCenter)
        self.addRow(title, row)
        return row


class ChoiceCombo(Combo):
    """A list of choices; what cannot be chosen stands there disabled, with the reason."""

    def __init__(self, choices: Mapping[str, Offered], about: str) -> None:
        super().__init__()
        self._tips = {name: in_words(choice.about) for name, choice in choices.items()}
        self._about = about
        self._locked = ""
        for name, choice in choices.items():
            self.addItem(choice.title, name)
        shrinks(self)
        self.allow({})
        self.currentIndexChanged.connect(self._show_tip)

    @property
    def edited(self) -> SignalInstance:
        """Another one is chosen."""
        return self.currentIndexChanged

    def value(self) -> str:
        """The name of what is chosen."""
        return self.currentData()

    def show_value(self, name: str) -> None:
        """Choose by program; emits nothing."""
        with QSignalBlocker(self):
            self.setCurrentIndex(self.findData(name))
        self._show_tip()

    def allow(self, hindered: dict[str, str]) -> None:
        """All may be chosen but what has a reason in `hindered`."""
        model = self.model()
        for row in range(self.count()):
            name = self.itemData(row)
            reason = hindered.get(name, "")
            tip = f"{reason}\n{self._tips[name]}" if reason else self._tips[name]
            self.setItemData(row, tip, Qt.ItemDataRole.ToolTipRole)
            if isinstance(model, QStandardItemModel):
                model.item(row).setEnabled(not reason)
        self._show_tip()

    def lock(self, reason: str) -> None:
        """Nothing can be chosen here, because of `reason`; "" unlocks."""
        self._locked = reason
        self.setEnabled(not reason)
        self._show_tip()

    def _show_tip(self) -> None:
        tip = self.itemData(self.currentIndex(), Qt.ItemDataRole.ToolTipRole) or ""
        self.setToolTip(tip_lines(self._locked or f"{self._about}\n{tip}"))


def muted(text: str, buddy: QWidget) -> QLabel:
    """A label in the second voice, with the mnemonic of the field beside it."""
    label = TextLabel(text)
    label.setProperty("role", "muted")
    label.setBuddy(buddy)
    return label


def gives_way(box: Number | Whole) -> Number | Whole:
    """Let a box be as wide as its column, and no wider than its figures need."""
    box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    box.setMinimumWidth(box.fontMetrics().horizontalAdvance("0,000") + 26)
    return box


def shrinks(combo: QComboBox) -> None:
    """Let a long entry be cut off instead of widening the dock."""
    combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    combo.setMinimumContentsLength(3)
    combo.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)


def data_files() -> str:
    """What a dialog that asks for rows shows."""
    return QCoreApplication.translate(
        "files", "Data (*.jsonl *.json *.csv *.tsv *.parquet *.txt);;All files (*)"
    )
