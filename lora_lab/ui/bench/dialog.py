"""The bench's window: beside the lab, never in its way; a file dropped on it is read."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Signal
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QDialog, QVBoxLayout, QWidget

from lora_lab.ui.bench.page import BenchPage
from lora_lab.ui.style import theme
from lora_lab.ui.widgets.dialogs import resize_within
from lora_lab.ui.widgets.drops import local_paths

HELP = "svd"


class BenchDialog(QDialog):
    """The page in a window of its own."""

    help_requested = Signal(str)  # a page of the handbook

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("SVD bench"))
        self.page = BenchPage()
        self.setAcceptDrops(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 12, 12, 10)
        column.addWidget(self.page)
        self.page.help_button.clicked.connect(lambda: self.help_requested.emit(HELP))
        QShortcut(QKeySequence.StandardKey.HelpContents, self, self.page.help_button.click)
        line = self.fontMetrics().height()
        resize_within(self, 80 * line, 50 * line)

    def finish(self) -> None:
        """End what runs, and wait for it."""
        self.page.stop()  # or what is still on its way would begin the next
        self.page.finish()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "page"):
            self.page.restyle(theme.current())

    def closeEvent(self, event: QCloseEvent) -> None:
        self.page.stop()
        super().closeEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if len(local_paths(event.mimeData(), 2)) == 1:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        event.acceptProposedAction()
        for path in local_paths(event.mimeData(), 1):
            self.page.load(path)
