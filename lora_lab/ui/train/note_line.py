"""One muted line under a control, cut where the room ends, that opens a page; and a word beside it.

Painted, not laid out: its words may change many times a second and nothing around it moves.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRect, QSize, Qt
from PySide6.QtGui import QColor, QEnterEvent, QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import plain_tip, tip_lines

GAP = 6  # between the words and the question mark
PRESS = (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter)


class NoteLine(QAbstractButton):
    """A line of a fixed height; `clicked` asks for the page behind it.

    The keyboard stays on the control above, whose F1 says the same.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._hint, self._refused = "", False
        self._hovered = False
        self.setFont(theme.font(0.92))
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def show_line(self, text: str, hint: str = "", refused: bool = False) -> None:
        """Show `text`, in red if something was `refused`; all of it and `hint` are the tooltip."""
        if text == self.text() and hint == self._hint and refused == self._refused:
            return
        self._hint, self._refused = hint, refused
        self.setText(text)
        self.setToolTip(tip_lines("\n\n".join(part for part in (text, hint) if part)))
        self.update()

    def shown(self) -> str:
        """The words that fit."""
        return self.fontMetrics().elidedText(
            self.text(), Qt.TextElideMode.ElideRight, self._words().width()
        )

    def sizeHint(self) -> QSize:
        return QSize(120, self.fontMetrics().height())

    def minimumSizeHint(self) -> QSize:
        return QSize(0, self.fontMetrics().height())

    def _words(self) -> QRect:
        room = self.fontMetrics().horizontalAdvance("?") + GAP
        return self.rect().adjusted(0, 0, -room, 0)

    def paintEvent(self, event: QPaintEvent) -> None:
        c = theme.current()
        muted = self.palette().color(self.palette().currentColorGroup(), self.foregroundRole())
        painter = QPainter(self)
        words = QColor(c.error if self._refused else c.muted)
        painter.setPen(words if self.isEnabled() else muted)
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(self._words(), Qt.AlignmentFlag.AlignLeft | middle, self.shown())
        if self.isEnabled():
            painter.setPen(QColor(c.accent if self._hovered else c.muted))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignRight | middle, "?")

    def enterEvent(self, event: QEnterEvent) -> None:
        self._hovered = True
        self.update()
        super().enterEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        self._hovered = False
        self.update()
        super().leaveEvent(event)


class Link(QAbstractButton):
    """A word that does something, as low as the line it stands in; reached by the keyboard."""

    def __init__(self, text: str, tip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setText(text)
        self.setToolTip(plain_tip(tip))
        self.setAccessibleDescription(tip)
        self.setFont(theme.font(0.92))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)

    def event(self, event: QEvent) -> bool:
        # The window's own keys (Space trains) go first unless the one in focus claims them.
        if event.type() == QEvent.Type.ShortcutOverride and event.key() in PRESS:
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in PRESS:
            self.click()
        else:
            super().keyPressEvent(event)

    def sizeHint(self) -> QSize:
        metrics = self.fontMetrics()
        return QSize(metrics.horizontalAdvance(self.text()) + 2, metrics.height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        font = self.font()
        font.setUnderline(self.isEnabled() and (self.underMouse() or self.hasFocus()))
        painter.setFont(font)
        faint = self.palette().color(self.palette().currentColorGroup(), self.foregroundRole())
        painter.setPen(QColor(theme.current().accent) if self.isEnabled() else faint)
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self.text())
