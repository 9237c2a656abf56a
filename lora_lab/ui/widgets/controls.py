"""The lab's combo, slider and number boxes: nothing moves that nobody meant to move.

The wheel scrolls the page unless the control was clicked for it. What is typed is taken as it
stands or refused with the reason; the value before stays, and nothing is clamped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from PySide6.QtCore import QEvent, QObject, QPoint, Qt, Signal, SignalInstance
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QValidator,
    QWheelEvent,
)
from PySide6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QSlider,
    QSpinBox,
    QStyle,
    QStyleOptionComboBox,
    QToolButton,
    QWidget,
)

from lora_lab.errors import ConfigError
from lora_lab.number_text import read_number, read_whole, within
from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import entry, plain_number
from lora_lab.ui.style.tips import show_tip

LARGEST = 2**31 - 1  # that a spin box can hold; a file may say more
DECIMALS = 12
_KEPT = (Qt.FocusReason.PopupFocusReason, Qt.FocusReason.ActiveWindowFocusReason)


class _Clicked:
    """A control that the wheel moves only after a click on it, or never."""

    by_wheel = True
    _clicked = False

    def focusInEvent(self: Any, event: QFocusEvent) -> None:
        if event.reason() not in _KEPT:
            self._clicked = event.reason() == Qt.FocusReason.MouseFocusReason
        super().focusInEvent(event)

    def mousePressEvent(self: Any, event: QMouseEvent) -> None:
        self._clicked = True
        super().mousePressEvent(event)

    def wheelEvent(self: Any, event: QWheelEvent) -> None:
        if self.by_wheel and self._clicked and self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()  # whatever lies around it scrolls


class Combo(_Clicked, QComboBox):
    """A list to choose from."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def addItem(self, text: str, data: Any = None) -> None:
        """A name may come from anybody's file: what would turn the reading is not shown."""
        super().addItem(entry(text), data)

    def addItems(self, texts: Iterable[str]) -> None:
        super().addItems([entry(text) for text in texts])

    def initStyleOption(self, option: QStyleOptionComboBox) -> None:
        """A name that does not fit ends in …; Qt cuts it through a letter."""
        super().initStyleOption(option)
        box, part = QStyle.ComplexControl.CC_ComboBox, QStyle.SubControl.SC_ComboBoxEditField
        room = self.style().subControlRect(box, option, part, self).width() - 2
        right = Qt.TextElideMode.ElideRight
        option.currentText = option.fontMetrics.elidedText(option.currentText, right, room)

    def setAccessibleName(self, name: str) -> None:
        super().setAccessibleName(name)
        self._describe()

    def setToolTip(self, tip: str) -> None:
        super().setToolTip(tip)
        self._describe()

    def _describe(self) -> None:
        """On Linux Qt tells what is chosen as the name of a list, and its name nowhere else."""
        words = (self.accessibleName(), self.toolTip())
        self.setAccessibleDescription(". ".join(filter(None, words)))


def toggle_button(text: str, tip: str) -> QToolButton:
    """A quiet word that is on or off."""
    button = QToolButton()
    button.setText(text)
    button.setCheckable(True)
    button.setProperty("role", "quiet")
    button.setToolTip(tip)
    return button


class Slider(_Clicked, QSlider):
    """A horizontal slider. `spoken`: what the place of its handle means, where it is no number."""

    def __init__(self, spoken: Callable[[], str] | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.spoken = spoken
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)


class _Typed(_Clicked):
    """A box whose text is read as `number_text` does; what cannot be is refused with the reason."""

    pops_up = True  # the reason appears under the box; else whoever holds the box shows it
    _reason = ""

    def settle(self: Any) -> None:
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setKeyboardTracking(False)
        self.lineEdit().installEventFilter(self)
        self.lineEdit().textEdited.connect(lambda _: self._show_reason(""))
        self.valueChanged.connect(lambda _: self._show_reason(""))

    def event(self: Any, event: QEvent) -> bool:
        # The space bar trains and pauses, but where it parts the thousands of what is being typed.
        override = event.type() == QEvent.Type.ShortcutOverride
        if override and event.key() == Qt.Key.Key_Space and self.text() == self.settled_text():
            event.ignore()
            return True
        return super().event(event)

    def settled_text(self: Any) -> str:
        """The text of the value as it stands between prefix and suffix."""
        special = self.specialValueText()
        if special and self.value() == self.minimum():
            return special
        return f"{self.prefix()}{self.textFromValue(self.value())}{self.suffix()}"

    def eventFilter(self: Any, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.MouseButtonPress:  # into the figures
            self._clicked = True
        return super().eventFilter(watched, event)

    @property
    def reason(self) -> str:
        """Why what was typed last is not taken; "" where it was."""
        return self._reason

    def validate(self: Any, text: str, position: int) -> object:
        try:
            self._read(text)
        except ConfigError:
            return QValidator.State.Intermediate, text, position  # told once it is meant
        return QValidator.State.Acceptable, text, position

    def valueFromText(self: Any, text: str) -> Any:
        try:
            return self._read(text)
        except ConfigError:
            return self.value()

    def fixup(self: Any, text: str) -> str:
        try:
            self._read(text)
        except ConfigError as error:
            self._show_reason(str(error))
            self.refused.emit(str(error))
        return text

    def paintEvent(self: Any, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self._reason:
            painter = QPainter(self)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(QColor(theme.current().error), 2))
            painter.drawRoundedRect(self.rect().adjusted(1, 1, -1, -1), 3, 3)

    def _read(self: Any, text: str) -> Any:
        special = self.specialValueText()
        bare = text.strip().removeprefix(self.prefix().strip())
        bare = bare.removesuffix(self.suffix().strip()).strip()
        if special and bare in ("", special):
            return self.minimum()
        value = self.reader(bare)
        within(value, self.minimum(), self.maximum())
        return value

    def _show_reason(self: Any, reason: str) -> None:
        if reason == self._reason:
            return
        self._reason = reason
        self.update()
        if self.pops_up:
            show_tip(self.mapToGlobal(QPoint(0, self.height())), reason, self)


class Number(_Typed, QDoubleSpinBox):
    """A number as people write it: 16, not 16.00."""

    refused = Signal(str)  # why what was typed is not taken
    reader = staticmethod(read_number)

    def __init__(
        self, minimum: float, maximum: float, step: float = 1, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setDecimals(DECIMALS)
        self.setRange(minimum, maximum)
        self.setSingleStep(step)
        self.settle()

    @property
    def edited(self) -> SignalInstance:
        """Another number stands here."""
        return self.valueChanged

    def show_value(self, value: float) -> None:
        """Show a number by program, the largest if it is larger; emits nothing."""
        _show(self, value)

    def textFromValue(self, value: float) -> str:
        return plain_number(value)


class Whole(_Typed, QSpinBox):
    """A whole number with its thousands apart."""

    refused = Signal(str)  # why what was typed is not taken
    reader = staticmethod(read_whole)

    def __init__(self, minimum: float, maximum: float, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setRange(int(minimum), int(min(maximum, LARGEST)))
        self.settle()

    @property
    def edited(self) -> SignalInstance:
        """Another number stands here."""
        return self.valueChanged

    def show_value(self, value: int) -> None:
        """Show a number by program, the largest if it is larger; emits nothing."""
        _show(self, value)

    def count_in(self, one: str, many: str) -> None:
        """What is counted, after the number: of 1, and of any other."""
        self.valueChanged.connect(lambda value: self.setSuffix(one if value == 1 else many))
        self.setSuffix(one if self.value() == 1 else many)

    def textFromValue(self, value: int) -> str:
        return f"{value:,}"  # in one kind of digits whatever the locale


def _show(box: Any, value: float) -> None:
    blocked = box.blockSignals(True)
    box.setValue(min(value, box.maximum()))
    box.blockSignals(blocked)
