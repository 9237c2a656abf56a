"""One live setting as a control: slider, exact field, what is applied, and one line that explains.

What is *requested* stands in the slider and the field; what is *applied* comes by `set_applied`
and stands beside it, highlighted while the two differ. Setting by program emits nothing.
"""

from __future__ import annotations

import math
from typing import Any

from PySide6.QtCore import QEvent, QObject, QPoint, QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QSizePolicy, QWidget

from lora_lab.hyperparameters import Hyperparameters
from lora_lab.setting import Knob, limits_of
from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import in_lines, plain_number, tip_lines
from lora_lab.ui.style.tips import show_tip
from lora_lab.ui.train.notches import notches, stepped
from lora_lab.ui.train.note_line import Link, NoteLine
from lora_lab.ui.widgets import spoken
from lora_lab.ui.widgets.controls import DECIMALS, Number, Slider, Whole
from lora_lab.ui.widgets.labels import TextLabel

REST_MS = 150  # a slider at rest this long means its value, unless the button is still down


class _Exact(Number):
    """An exact value, whose arrows go to the next notch of the slider."""

    notches: tuple[float, ...] = ()

    def stepBy(self, steps: int) -> None:
        self.setValue(stepped(list(self.notches), self.value(), steps))
        self.selectAll()


class FieldSlider(QWidget):
    """A control for one field of `Hyperparameters`, made from its `Knob`."""

    requested = Signal(str, object)  # the value a person means
    moved = Signal(str, object)  # every value on the way there
    help_requested = Signal(str)  # the page that explains the field

    def __init__(self, field: str, knob: Knob, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.field, self.knob = field, knob
        info = Hyperparameters.model_fields[field]
        self._whole = info.annotation is int
        self._value: float = info.default
        self._applied: float | None = None
        self._sent: float = self._value  # requested last
        self._reason = ""
        self._note_text = self._explanation = ""
        self._refusal = ""  # why what was typed last is not taken

        self._label = TextLabel(knob.label)
        self._label.setProperty("role", "title")
        self._beside = TextLabel()
        self._beside.setProperty("role", "settled")
        self._beside.setAccessibleName(self.tr("{}, applied").format(knob.label))
        self.slider = Slider(lambda: self.edit.settled_text())
        limits = limits_of(Hyperparameters, field, 10.0**-DECIMALS)
        self.edit: _Exact | Whole = Whole(*limits) if self._whole else _Exact(*limits)
        self.edit.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.edit.pops_up = False  # the line below says why
        for control in (self.slider, self.edit):
            control.by_wheel = knob.when == "live"  # a rank that is cut takes away what was learned
        self._label.setBuddy(self.edit)
        self._note = NoteLine()
        self._note.setAccessibleName(self.tr("{}, explained").format(knob.label))
        self._note.clicked.connect(lambda: self.help_requested.emit(knob.page))
        self.slider.setAccessibleName(knob.label)
        self.edit.setAccessibleName(self.tr("{}, exact").format(knob.label))
        for widget in (self.slider, self.edit):
            widget.setAccessibleDescription(knob.help)
            widget.installEventFilter(self)  # F1
        self.edit.setFont(theme.font())
        self.edit.setFixedWidth(self.edit.fontMetrics().horizontalAdvance("0.000000") + 34)
        self.setToolTip(tip_lines(knob.help))
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)

        self._line = QHBoxLayout()
        self._line.setSpacing(8)
        self._line.addWidget(self._note, 1)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(0)
        grid.addWidget(self._label, 0, 0)
        grid.addWidget(self._beside, 0, 1, Qt.AlignmentFlag.AlignRight)
        grid.addWidget(self.edit, 0, 2)
        grid.addWidget(self.slider, 1, 0, 1, 3)
        grid.addLayout(self._line, 2, 0, 1, 3)
        grid.setColumnStretch(1, 1)

        self._rest = QTimer(self, singleShot=True, interval=REST_MS, timeout=self._request)
        self.slider.valueChanged.connect(self._slid)
        self.slider.sliderReleased.connect(self._released)
        self.edit.valueChanged.connect(self._typed)
        self.edit.refused.connect(self._refuse)
        self.edit.lineEdit().textEdited.connect(lambda _: self._refuse(""))
        self._offer(knob.maximum)

    def value(self) -> Any:
        """What is requested: int for whole fields, else float."""
        return round(self._value) if self._whole else float(self._value)

    def setValue(self, value: float) -> None:
        """Request by program; emits nothing. A value beyond the slider's ends is kept exactly."""
        self._rest.stop()
        self._value = self._sent = value
        self._show_value()

    def setMaximum(self, maximum: float) -> None:
        """A new upper end of slider and field; a request above it comes down to it, silently."""
        maximum = max(maximum, self.knob.minimum)
        with QSignalBlocker(self.edit):
            self.edit.setMaximum(maximum)
        if self._value > maximum:
            self._value = self._sent = maximum
        self._offer(maximum)

    def _offer(self, maximum: float) -> None:
        """The slider goes up to `maximum`; the field takes what the setting may be."""
        self._notches = notches(self.knob, self._whole, maximum)
        if isinstance(self.edit, _Exact):
            self.edit.notches = tuple(self._notches)
        page = 8 if self.knob.scale == "log" else max(1, len(self._notches) // 10)
        with QSignalBlocker(self.slider):
            self.slider.setRange(0, len(self._notches) - 1)
            self.slider.setPageStep(page)
        self._show_value()

    def maximum(self) -> float:
        """The upper end of the slider."""
        return self._notches[-1]

    def add_link(self, text: str, tip: str) -> Link:
        """A word at the end of the line under the slider, for what helps to choose the value."""
        link = Link(text, tip)
        link.setAccessibleName(f"{self.knob.label}: {text}")
        self._line.addWidget(link)
        return link

    def set_applied(self, value: float | None) -> None:
        """What the engine works with now; None before there is one."""
        self._applied = value
        self._show_applied()

    def set_note(self, text: str) -> None:
        """News in the line under the slider; "" gives it back to what explains."""
        self._note_text = text
        self._show_line()

    def explain(self, text: str) -> None:
        """What the setting does now, in figures; it stands there while there is no news."""
        self._explanation = text
        self._show_line()

    def note(self) -> str:
        """The news under the slider; the reason of a lock or a refusal stands in place of it."""
        return self._reason or self._refusal or self._note_text

    def explanation(self) -> str:
        """The line under the slider."""
        return self._note.text()

    def lock(self, reason: str) -> None:
        """The field cannot move in this run, and says why."""
        self._reason = reason
        self._set_movable(False)

    def unlock(self) -> None:
        """The field may move again."""
        self._reason = ""
        self._set_movable(True)

    def isMovable(self) -> bool:
        """Whether the field may move in this run."""
        return not self._reason

    def _set_movable(self, movable: bool) -> None:
        self._rest.stop()
        for widget in (self.slider, self.edit, self._label):
            widget.setEnabled(movable)
        self.setToolTip(
            tip_lines(self.knob.help if movable else f"{self._reason}\n\n{self.knob.help}")
        )
        self._show_line()
        self._show_applied()

    def _show_line(self) -> None:
        hint = self.tr("Click, or press F1 on the control, for the page with the formula.")
        refused = bool(self._refusal) and not self._reason
        self._note.show_line(self.note() or self._explanation, hint, refused)
        if self.slider.isSliderDown() and self._note.shown() != self._note.text():
            where = self.slider.mapToGlobal(QPoint(0, self.slider.height()))
            show_tip(where, in_lines(self._note.text()), self.slider)  # all of it

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        # The window's F1 is a shortcut, which goes first unless the one in focus claims the key.
        kinds = (QEvent.Type.ShortcutOverride, QEvent.Type.KeyPress)
        if event.type() in kinds and isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_F1:
            event.accept()
            if event.type() == QEvent.Type.KeyPress:
                self.help_requested.emit(self.knob.page)
            return True
        return super().eventFilter(watched, event)

    def _slid(self, position: int) -> None:
        self._move_to(self._notches[position])
        if self.knob.when == "live":
            self._request()
        elif not self.slider.isSliderDown():  # by key, or by a click beside the handle
            self._rest.start()

    def _released(self) -> None:
        if self.knob.when == "on_release":
            self._request()

    def _refuse(self, reason: str) -> None:
        if reason != self._refusal:
            self._refusal = reason
            self._show_line()

    def _typed(self, value: float) -> None:
        self._move_to(value)
        self._request()

    def _move_to(self, value: float) -> None:
        self._refuse("")
        if value != self._value:
            self._value = value
            self._show_value()
            self.moved.emit(self.field, self.value())

    def _request(self) -> None:
        self._rest.stop()
        if self._value != self._sent:
            self._sent = self._value
            self.requested.emit(self.field, self.value())

    def _show_value(self) -> None:
        def distance(position: int) -> float:
            notch = self._notches[position]
            if self.knob.scale != "linear" and min(notch, self._value) > 0:
                return abs(math.log(notch / self._value))
            return abs(notch - self._value)

        with QSignalBlocker(self.slider), QSignalBlocker(self.edit):
            if self._notches[self.slider.value()] != self._value:
                self.slider.setValue(min(range(len(self._notches)), key=distance))
            # Typed limits follow what a file or the command line already set.
            self.edit.setRange(
                min(self._value, self.edit.minimum()), max(self._value, self.edit.maximum())
            )
            self.edit.setValue(self._value)
        spoken.name_changed(self.slider)
        self._show_applied()

    def _show_applied(self) -> None:
        text, role = "", "settled"
        if self._applied is not None and not self._reason:
            same = math.isclose(self._applied, self._value, rel_tol=1e-9, abs_tol=1e-15)
            shown = plain_number(float(f"{self._applied:.6g}"))
            text = self.tr("applied {}").format(shown)
            role = "settled" if same else "waiting"
        if self._beside.text() != text:
            self._beside.setText(text)
        theme.set_role(self._beside, role)
