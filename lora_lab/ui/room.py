"""How much room a window may take: that of its screen, less the frame around it."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

FRAME = (40, 60)  # pixels of frame, title bar and a little of what lies behind


def resize_within(window: QWidget, width: int, height: int) -> bool:
    """Make a window as large as it would be, or as its screen allows; False where that is less."""
    room = window.screen().availableSize()
    most = room.width() - FRAME[0], room.height() - FRAME[1]
    window.resize(min(width, most[0]), min(height, most[1]))
    return width <= most[0] and height <= most[1]
