"""The handbook: the pages of resources/help in a window of their own, with contents and a search.

The pages are plain Markdown that reads as well in the repository.
"""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QEvent, QSignalBlocker, QSize, Qt, QUrl
from PySide6.QtGui import QKeyEvent, QKeySequence, QShortcut, QTextCursor
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QSplitter,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from lora_lab.ui.help.page import INDEX, Page, folder, pages, title
from lora_lab.ui.style import theme
from lora_lab.ui.widgets.dialogs import resize_within
from lora_lab.ui.widgets.labels import TextLabel


class Handbook(QDialog):
    """Contents on the left, the page on the right; stays open beside the training."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Handbook"))
        self.setWindowFlag(Qt.WindowType.WindowMaximizeButtonHint)
        self.page = Page()
        self.contents = QListWidget()
        self.contents.setAccessibleName(self.tr("Contents"))
        self.contents.setFrameShape(QListWidget.Shape.NoFrame)
        for name in pages():
            item = QListWidgetItem(title(name))
            item.setData(Qt.ItemDataRole.UserRole, name)
            item.setSizeHint(QSize(0, self.fontMetrics().height() + 12))
            self.contents.addItem(item)
        self.contents.currentItemChanged.connect(self._on_chosen)
        self.page.sourceChanged.connect(self._mark)

        self.back_button = self._button("←", self.tr("Back"), QKeySequence("Alt+Left"))
        self.forward_button = self._button("→", self.tr("Forward"), QKeySequence("Alt+Right"))
        for button, signal, act in (
            (self.back_button, self.page.backwardAvailable, self.page.backward),
            (self.forward_button, self.page.forwardAvailable, self.page.forward),
        ):
            button.setEnabled(False)
            button.clicked.connect(act)
            signal.connect(button.setEnabled)
        self.search = QLineEdit(
            placeholderText=self.tr("Find in all pages"), clearButtonEnabled=True
        )
        self.search.setAccessibleName(self.search.placeholderText())
        self.search.returnPressed.connect(self.find_next)
        self.search.textChanged.connect(lambda: self.result_label.clear())
        self.result_label = TextLabel()
        self.result_label.setProperty("role", "muted")
        QShortcut(QKeySequence.StandardKey.Find, self, self._go_to_search)

        head = QHBoxLayout()
        head.setContentsMargins(10, 8, 10, 8)
        head.addWidget(self.back_button)
        head.addWidget(self.forward_button)
        head.addStretch(1)
        head.addWidget(self.result_label)
        head.addWidget(self.search)
        split = QSplitter()
        split.setChildrenCollapsible(False)
        split.addWidget(self.contents)
        split.addWidget(self.page)
        split.setStretchFactor(1, 1)
        split.setHandleWidth(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(head)
        column.addWidget(split, 1)
        em = self.fontMetrics().horizontalAdvance("m")
        self.search.setMinimumWidth(18 * em)
        split.setSizes([18 * em, 60 * em])
        resize_within(self, 78 * em, 46 * self.fontMetrics().height())
        self.contents.setCurrentRow(0)
        self.page.setFocus()
        self._restyle()

    def go(self, page: str = INDEX) -> None:
        """Show a page, or a heading of one."""
        self.page.go(page)

    def find_next(self) -> None:
        """The next place of the words sought, page after page, and around."""
        words = self.search.text().strip()
        if not words or self.page.find(words):
            return
        order = pages()
        at = order.index(self.page.name)
        for name in (*order[at + 1 :], *order[: at + 1]):
            if words.casefold() in (folder() / f"{name}.md").read_text("utf-8").casefold():
                self.page.go(name)
                self.page.moveCursor(QTextCursor.MoveOperation.Start)
                if self.page.find(words):
                    return
        self.result_label.setText(self.tr("not found"))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            return  # Return seeks; it presses no button of a dialog
        super().keyPressEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and self.page.source().isValid():
            self.page.redress()
            self._restyle()

    def _restyle(self) -> None:
        c = theme.current()
        self.contents.setStyleSheet(
            f"QListWidget {{ background: {c.window}; padding: 6px; outline: 0; }}"
            "QListWidget::item { padding: 0 8px; border-radius: 4px; }"
            f"QListWidget::item:selected {{ background: {c.panel}; color: {c.accent}; }}"
        )

    def _go_to_search(self) -> None:
        self.search.setFocus()
        self.search.selectAll()

    def _on_chosen(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            self.page.go(item.data(Qt.ItemDataRole.UserRole))

    def _mark(self, url: QUrl) -> None:
        """The contents show where one is."""
        row = pages().index(Path(url.path()).stem)
        with QSignalBlocker(self.contents):
            self.contents.setCurrentRow(row)

    def _button(self, text: str, tip: str, keys: QKeySequence) -> QToolButton:
        button = QToolButton(text=text, shortcut=keys)
        button.setToolTip(f"{tip} ({keys.toString(QKeySequence.SequenceFormat.NativeText)})")
        button.setAccessibleName(tip)
        return button
