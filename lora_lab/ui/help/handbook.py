"""The handbook: the pages of resources/help in a window of their own, with contents and a search.

The pages are plain Markdown that reads as well in the repository. A page is named by its file
without the ending, and a heading in it as repositories do: `learning-rate#weight-decay`.
"""

from __future__ import annotations

import re
from pathlib import Path

from PySide6.QtCore import QEvent, QSize, Qt, QUrl
from PySide6.QtGui import (
    QColor,
    QDesktopServices,
    QFont,
    QImage,
    QKeyEvent,
    QKeySequence,
    QResizeEvent,
    QShortcut,
    QTextBlock,
    QTextBlockFormat,
    QTextCursor,
    QTextDocument,
    QTextFormat,
    QTextFrameFormat,
    QTextLength,
    QTextTable,
)
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QSplitter,
    QTextBrowser,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from lora_lab import paths
from lora_lab.ui.style import theme
from lora_lab.ui.widgets.dialogs import resize_within

INDEX = "index"
LINE_HEIGHT = 125  # per cent
MARGIN = 22
PICTURE = "\ufffc"  # what stands in the text for one
DENSITY = 2.0  # pixels of a picture per point, as make_pictures.py draws them


def folder() -> Path:
    """Where the pages and their pictures lie."""
    return paths.resources() / "help"


def pages() -> list[str]:
    """The names of all pages: the index, those that it links to in its order, and the others."""
    there = sorted(path.stem for path in folder().glob("*.md"))
    linked = re.findall(r"\]\(([\w-]+)\.md\)", (folder() / f"{INDEX}.md").read_text("utf-8"))
    ordered = [INDEX, *(name for name in linked if name in there), *there]
    return list(dict.fromkeys(ordered))


def title(name: str) -> str:
    """The first heading of a page."""
    first = (folder() / f"{name}.md").read_text("utf-8").partition("\n")[0]
    return first.lstrip("# ").strip()


def slug(heading: str) -> str:
    """What a link to that heading ends in."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


class Page(QTextBrowser):
    """One page at a time, dressed in the colours of the scheme; pictures fit the width."""

    def __init__(self) -> None:
        super().__init__()
        self.setFrameShape(QTextBrowser.Shape.NoFrame)
        self.setAccessibleName(self.tr("Page"))
        self.setOpenLinks(False)
        self._widths: dict[str, float] = {}  # of the pictures as they are, in points
        self.anchorClicked.connect(self._follow)
        self.sourceChanged.connect(self._show)

    @property
    def name(self) -> str:
        """The page that is shown."""
        return Path(self.source().path()).stem

    def go(self, page: str) -> None:
        """Show a page, or a heading of it."""
        name, _, anchor = page.partition("#")
        url = QUrl.fromLocalFile(str(folder() / f"{name or self.name}.md"))
        url.setFragment(anchor)
        self.setSource(url, QTextDocument.ResourceType.MarkdownResource)

    def redress(self) -> None:
        """Read the page again: links and lines take their colours when a page is read."""
        place = self.verticalScrollBar().value()
        self.reload()
        self._dress()
        self.verticalScrollBar().setValue(place)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_pictures()

    def _follow(self, url: QUrl) -> None:
        if url.scheme() in ("", "file") and url.path().endswith((".md", "")):
            name = Path(url.path()).stem
            self.go(f"{name}#{url.fragment()}")
        else:
            QDesktopServices.openUrl(url)

    def _show(self, url: QUrl) -> None:
        self._dress()
        if url.fragment():
            self._scroll_to(url.fragment())

    def _scroll_to(self, anchor: str) -> None:
        block = self.document().begin()
        while block.isValid():
            if block.blockFormat().headingLevel() and slug(block.text()) == anchor:
                top = self.document().documentLayout().blockBoundingRect(block).top()
                self.verticalScrollBar().setValue(round(top) - MARGIN // 2)
                return
            block = block.next()

    def loadResource(self, kind: int, url: QUrl) -> object:
        found = super().loadResource(kind, url)
        if kind == QTextDocument.ResourceType.ImageResource.value:
            picture = QImage.fromData(found) if not isinstance(found, QImage) else found
            density = min(self.devicePixelRatioF(), DENSITY)  # a text draws pictures unsmoothed
            picture = picture.scaledToWidth(
                round(picture.width() * density / DENSITY),
                Qt.TransformationMode.SmoothTransformation,
            )
            picture.setDevicePixelRatio(density)
            return picture
        return found

    def _dress(self) -> None:
        """Air between the lines, quiet tables, code on a ground of its own."""
        c = theme.current()
        document = self.document()
        document.setDocumentMargin(MARGIN)
        cursor = QTextCursor(document)
        block = document.begin()
        while block.isValid():
            layout = block.blockFormat()
            cursor.setPosition(block.position())
            level = layout.headingLevel()
            if _is_code(block):
                layout.setBackground(QColor(c.raised))
                layout.setTextIndent(10)
                layout.setNonBreakableLines(False)
                layout.setTopMargin(0)
                layout.setBottomMargin(0 if _is_code(block.next()) else 12)
                layout.setLineHeight(
                    LINE_HEIGHT, QTextBlockFormat.LineHeightTypes.ProportionalHeight.value
                )
            elif PICTURE in block.text():
                layout.setBottomMargin(12)
            elif cursor.currentTable() is None:
                layout.setLineHeight(
                    LINE_HEIGHT, QTextBlockFormat.LineHeightTypes.ProportionalHeight.value
                )
                layout.setTopMargin(16 if level > 1 else 0)
                layout.setBottomMargin(4 if level or block.textList() else 9)
            cursor.setBlockFormat(layout)
            block = block.next()
        for frame in document.rootFrame().childFrames():
            if isinstance(frame, QTextTable):
                self._dress_table(frame)
        self._fit_pictures()

    def _dress_table(self, table: QTextTable) -> None:
        c = theme.current()
        style = table.format()
        style.setBorder(1)
        style.setBorderCollapse(True)
        style.setBorderStyle(QTextFrameFormat.BorderStyle.BorderStyle_Solid)
        style.setBorderBrush(QColor(c.border))
        style.setCellPadding(6)
        style.setCellSpacing(0)
        style.setTopMargin(4)
        style.setBottomMargin(12)
        style.setWidth(QTextLength(QTextLength.Type.PercentageLength, 100))
        table.setFormat(style)
        for column in range(table.columns()):
            cell = table.cellAt(0, column)
            head = cell.format()
            head.setBackground(QColor(c.raised))
            head.setFontWeight(QFont.Weight.DemiBold)
            cell.setFormat(head)

    def _width_of(self, picture: str) -> float:
        """Read once: a window that is drawn larger asks at every step."""
        if picture not in self._widths:
            kind = QTextDocument.ResourceType.ImageResource.value
            image = self.loadResource(kind, QUrl(picture))
            self._widths[picture] = image.deviceIndependentSize().width()
        return self._widths[picture]

    def _fit_pictures(self) -> None:
        room = self.viewport().width() - 2 * MARGIN - 4
        block = self.document().begin()
        cursor = QTextCursor(self.document())
        while block.isValid():
            for piece in block:
                fragment = piece.fragment()
                if fragment.charFormat().isImageFormat():
                    image = fragment.charFormat().toImageFormat()
                    wished = min(self._width_of(image.name()), room)
                    if wished > 0 and image.width() != wished:
                        image.setWidth(wished)
                        cursor.setPosition(fragment.position())
                        cursor.setPosition(
                            fragment.position() + fragment.length(),
                            QTextCursor.MoveMode.KeepAnchor,
                        )
                        cursor.setCharFormat(image)
            block = block.next()


def _is_code(block: QTextBlock) -> bool:
    code = QTextFormat.Property.BlockCodeLanguage.value
    return block.isValid() and block.blockFormat().hasProperty(code)


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
        self.search = QLineEdit()
        self.search.setPlaceholderText(self.tr("Find in all pages"))
        self.search.setAccessibleName(self.search.placeholderText())
        self.search.setClearButtonEnabled(True)
        self.search.returnPressed.connect(self.find_next)
        self.search.textChanged.connect(lambda: self.found_label.clear())
        self.found_label = QLabel()
        self.found_label.setProperty("role", "muted")
        QShortcut(QKeySequence.StandardKey.Find, self, self._go_to_search)

        head = QHBoxLayout()
        head.setContentsMargins(10, 8, 10, 8)
        head.addWidget(self.back_button)
        head.addWidget(self.forward_button)
        head.addStretch(1)
        head.addWidget(self.found_label)
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
        self.found_label.setText(self.tr("not found"))

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
        before = self.contents.blockSignals(True)
        self.contents.setCurrentRow(row)
        self.contents.blockSignals(before)

    def _button(self, text: str, tip: str, keys: QKeySequence) -> QToolButton:
        made = QToolButton()
        made.setText(text)
        made.setShortcut(keys)
        made.setToolTip(f"{tip} ({keys.toString(QKeySequence.SequenceFormat.NativeText)})")
        made.setAccessibleName(tip)
        return made
