"""One page of the handbook: Markdown in the colours of the scheme, pictures as wide as fits.

A page is named by its file without the ending, and a heading in it as repositories do:
`learning-rate#weight-decay`.
"""

from __future__ import annotations

import re
from pathlib import Path

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import (
    QColor,
    QDesktopServices,
    QFont,
    QImage,
    QResizeEvent,
    QTextBlock,
    QTextBlockFormat,
    QTextCursor,
    QTextDocument,
    QTextFormat,
    QTextFrameFormat,
    QTextLength,
    QTextTable,
)
from PySide6.QtWidgets import QTextBrowser

from lora_lab import paths
from lora_lab.ui.style import theme

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
        self.anchorClicked.connect(self._open_link)
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

    def _open_link(self, url: QUrl) -> None:
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
        resource = super().loadResource(kind, url)
        if kind == QTextDocument.ResourceType.ImageResource.value:
            picture = resource if isinstance(resource, QImage) else QImage.fromData(resource)
            density = min(self.devicePixelRatioF(), DENSITY)  # a text draws pictures unsmoothed
            picture = picture.scaledToWidth(
                round(picture.width() * density / DENSITY),
                Qt.TransformationMode.SmoothTransformation,
            )
            picture.setDevicePixelRatio(density)
            return picture
        return resource

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
                    width = min(self._width_of(image.name()), room)
                    if width > 0 and image.width() != width:
                        image.setWidth(width)
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
