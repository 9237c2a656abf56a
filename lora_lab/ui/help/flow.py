"""From the menu, from a question mark and from F1 on a control to a page of the handbook."""

from __future__ import annotations

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from lora_lab.ui.help.handbook import INDEX, Handbook
from lora_lab.ui.widgets.dialogs import bring_to_front


class HelpFlow(QObject):
    """Holds the one handbook; it stays on the page where it was left."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self.book: Handbook | None = None

    def start(self) -> None:
        """Show the handbook where it was left, or its index."""
        first = self.book is None
        self._show()
        if first:
            self.book.go(INDEX)

    def show_page(self, page: str) -> None:
        """Show one page, or a heading of it."""
        self._show()
        self.book.go(page)

    def close(self) -> None:
        """Put the handbook away with the window."""
        if self.book is not None:
            self.book.close()

    def _show(self) -> None:
        if self.book is None:
            self.book = Handbook(self._window)
        bring_to_front(self.book)
