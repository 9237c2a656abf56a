"""A button for the status strip that holds what was not dismissed: its first words, in one line."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QToolButton

from lora_lab.ui.style.figures import tip_lines

EMS = 18  # of words, in widths of the letter m; the tip has all of them


class NoticeChip(QToolButton):
    """Hidden while it holds nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("notice_chip")
        self.setText("…")  # an empty button is taller, and so would be the strip
        self.hide()

    def hold(self, words: str, more: int, tone: str) -> None:
        """Show `said` and how many `more` wait behind it, beside a stripe in `tone`."""
        metrics = self.fontMetrics()
        room = EMS * metrics.horizontalAdvance("m")
        first = metrics.elidedText(words.partition("\n")[0], Qt.TextElideMode.ElideRight, room)
        first = first.replace("&", "&&")  # no letter of a path is a key under Alt
        self.setText(f"{first}  +{more}" if more else first)
        self.setAccessibleName(words)
        self.setToolTip(tip_lines(words))
        self.setStyleSheet(f"#notice_chip {{ border-left: 4px solid {tone}; }}" if tone else "")
        self.show()
