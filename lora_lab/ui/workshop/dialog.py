"""The workshop's window: pages beside one another, none of which needs a model to be open."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Signal
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QDialog, QPushButton, QTabWidget, QVBoxLayout, QWidget

from lora_lab.ui.style import theme
from lora_lab.ui.widgets.dialogs import resize_within
from lora_lab.ui.workshop.compare_page import ComparePage
from lora_lab.ui.workshop.extract_page import ExtractPage, ScalePage
from lora_lab.ui.workshop.merge_page import MergePage
from lora_lab.ui.workshop.resize_page import ResizePage
from lora_lab.workshop.requests import OF_FILES


class WorkshopDialog(QDialog):
    """Inspect and resize, merge, compare, extract, translate scales."""

    cut_requested = Signal(str, object, object)
    loss_requested = Signal(tuple)  # of Mix

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Adapter workshop"))
        self.resize_page = ResizePage(OF_FILES)
        self.merge_page = MergePage(OF_FILES)
        self.compare_page = ComparePage()
        self.extract_page = ExtractPage(OF_FILES)
        self.scale_page = ScalePage()
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        for page, title in (
            (self.resize_page, self.tr("&Inspect, resize, convert")),
            (self.merge_page, self.tr("&Merge")),
            (self.compare_page, self.tr("&Compare")),
            (self.extract_page, self.tr("E&xtract")),
            (self.scale_page, self.tr("&Scales")),
        ):
            self.tabs.addTab(page, title)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 12, 12)
        column.addWidget(self.tabs)
        for button in self.findChildren(QPushButton):
            button.setAutoDefault(False)  # Enter in a field means that field
        self.resize_page.cut_requested.connect(self.cut_requested)
        self.merge_page.loss_requested.connect(self.loss_requested)
        width = self.fontMetrics().averageCharWidth()
        resize_within(self, min(190 * width, 1180), 46 * self.fontMetrics().height())
        self._restyle()

    def finish(self) -> None:
        """End what runs, and wait for it."""
        for number in range(self.tabs.count()):
            self.tabs.widget(number).finish()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "scale_page"):
            self._restyle()

    def closeEvent(self, event: QCloseEvent) -> None:
        for number in range(self.tabs.count()):
            self.tabs.widget(number).cancel()
        super().closeEvent(event)

    def _restyle(self) -> None:
        self.resize_page.restyle(theme.current())
        self.compare_page.restyle(theme.current())
