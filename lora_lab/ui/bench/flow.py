"""From the menu to the SVD bench; it needs no model, and stays as it was when opened again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from lora_lab.ui.widgets.dialogs import bring_to_front

if TYPE_CHECKING:
    from lora_lab.ui.bench.dialog import BenchDialog
    from lora_lab.ui.help.flow import HelpFlow


class BenchFlow(QObject):
    """Holds the one bench, made when it is first asked for."""

    def __init__(self, handbook: HelpFlow, window: QWidget) -> None:
        super().__init__(window)
        self._help, self._window = handbook, window
        self.dialog: BenchDialog | None = None

    def start(self) -> None:
        """Show the bench."""
        if self.dialog is None:
            from lora_lab.ui.bench.dialog import BenchDialog

            self.dialog = BenchDialog(self._window)
            self.dialog.help_requested.connect(self._help.show_page)
        bring_to_front(self.dialog)

    def close(self) -> None:
        """End what the bench still runs."""
        if self.dialog is not None:
            self.dialog.finish()
            self.dialog.close()
