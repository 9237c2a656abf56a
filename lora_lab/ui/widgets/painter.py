"""The painter of small pictures: bars and words in colours of the theme, one call for each."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter
from PySide6.QtWidgets import QWidget

from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import entry

LEFT = Qt.AlignmentFlag.AlignLeft
RIGHT = Qt.AlignmentFlag.AlignRight
CENTER = Qt.AlignmentFlag.AlignCenter
MIDDLE = Qt.AlignmentFlag.AlignVCenter


class Painter(QPainter):
    """Begins with the small font; lengths are pixels, colours are names such as #336699."""

    def __init__(self, widget: QWidget, font: QFont | None = None) -> None:
        super().__init__(widget)
        self.setFont(font or theme.font(0.92))

    @property
    def line(self) -> int:
        """The height of a line of text."""
        return self.fontMetrics().height()

    def width_of(self, text: str) -> int:
        return self.fontMetrics().horizontalAdvance(text)

    def bar(self, x: float, y: float, wide: float, tall: float, color: str | QColor) -> None:
        """A filled rectangle."""
        self.fillRect(QRectF(x, y, wide, tall), QColor(color))

    def words(
        self,
        box: tuple[float, float, float, float],
        text: str,
        color: str | QColor,
        align: Qt.AlignmentFlag = LEFT,
    ) -> None:
        """Text in a box (x, y, width, height)."""
        self.setPen(QColor(color))
        self.drawText(QRectF(*box), align, text)

    def elided(self, text: str, room: float, where=Qt.TextElideMode.ElideRight) -> str:
        """The text, shortened where it has no room."""
        return self.fontMetrics().elidedText(entry(text), where, int(room))
