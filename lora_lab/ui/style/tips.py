"""What a tooltip that is shown by hand says: always as it is written."""

from __future__ import annotations

from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QToolTip, QWidget

from lora_lab.ui.style.figures import plain_tip


def show_tip(where: QPoint, text: str, widget: QWidget) -> None:
    """Show `text` on the screen at `where`; none hides what is shown. A name in it may come from
    anybody's file, and Qt takes what looks like HTML for HTML."""
    QToolTip.showText(where, plain_tip(text), widget)
