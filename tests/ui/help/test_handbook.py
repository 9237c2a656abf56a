"""The handbook: whole pages, links that lead somewhere, and every way into it."""

import re

import pytest
from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QTextDocument
from PySide6.QtWidgets import QApplication

from lora_lab.hyperparameters import KNOBS
from lora_lab.ui.help.handbook import Handbook
from lora_lab.ui.help.page import INDEX, folder, pages, slug, title
from lora_lab.ui.style import theme

PAGES = sorted(path.stem for path in folder().glob("*.md"))
LARGEST = 120_000  # bytes of a picture


def text(name):
    return (folder() / f"{name}.md").read_text("utf-8")


def headings(name):
    return {slug(line.lstrip("#")) for line in text(name).splitlines() if line.startswith("#")}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_short_and_all_of_it_leads_somewhere(name):
    assert title(name)
    assert len(text(name).splitlines()) <= 90
    for target in re.findall(r"\]\(([^)]+)\)", text(name)):
        file, _, anchor = target.partition("#")
        assert (folder() / file).is_file(), target
        if file.endswith(".png"):
            assert (folder() / file).stat().st_size <= LARGEST
        if anchor:
            assert anchor in headings(file.removesuffix(".md")), target


@pytest.mark.parametrize("page", [knob.page for knob in KNOBS.values()])
def test_each_control_has_a_page(page):
    name, _, anchor = page.partition("#")
    assert name in PAGES
    assert not anchor or anchor in headings(name)


def test_the_contents_hold_every_page_once_and_the_index_first():
    assert sorted(pages()) == PAGES
    assert pages()[0] == INDEX


def test_a_slug_is_what_repositories_make_of_a_heading():
    assert slug('"Has moved W by 0.5 %"') == "has-moved-w-by-05-"
    assert slug("Weight decay") == "weight-decay"


@pytest.fixture
def book(qtbot):
    made = Handbook()
    qtbot.addWidget(made)
    made.show()
    made.go()
    return made


def test_one_can_read_follow_and_go_back(qtbot, book):
    assert book.page.name == INDEX
    assert not book.back_button.isEnabled()
    book.page.anchorClicked.emit(QUrl("alpha.md"))
    assert book.page.name == "alpha"
    assert book.contents.currentItem().text() == title("alpha")
    book.contents.setCurrentRow(pages().index("rank"))
    assert book.page.name == "rank"
    book.back_button.click()
    assert book.page.name == "alpha"
    book.forward_button.click()
    assert book.page.name == "rank"


def test_a_heading_can_be_gone_to(book):
    book.resize(700, 300)
    book.go("learning-rate#dropout")
    assert book.page.verticalScrollBar().value() > 300
    seen = book.page.cursorForPosition(book.page.viewport().rect().topLeft()).block()
    below = {seen.text(), seen.next().text(), seen.next().next().text()}
    assert "Dropout" in below or book.page.verticalScrollBar().value() == (
        book.page.verticalScrollBar().maximum()
    )


def test_the_search_goes_on_from_page_to_page(qtbot, book):
    book.search.setText("shuttleworth")
    qtbot.keyClick(book.search, Qt.Key.Key_Return)
    assert book.page.name == "forgetting"
    assert book.page.textCursor().selectedText().lower() == "shuttleworth"
    book.search.setText("no such words anywhere")
    qtbot.keyClick(book.search, Qt.Key.Key_Return)
    assert book.result_label.text() == "not found"
    assert book.isVisible()


def picture_widths(page):
    block, found = page.document().begin(), []
    while block.isValid():
        for piece in block:
            if piece.fragment().charFormat().isImageFormat():
                found.append(piece.fragment().charFormat().toImageFormat().width())
        block = block.next()
    return found


def test_pictures_fit_the_width(book):
    book.resize(1000, 500)
    book.go("rank")
    assert picture_widths(book.page) == [640]
    book.resize(560, 500)
    QApplication.processEvents()
    (width,) = picture_widths(book.page)
    assert 100 < width < book.page.viewport().width()
    assert book.page.horizontalScrollBar().maximum() == 0
    kind = QTextDocument.ResourceType.ImageResource.value
    picture = book.page.loadResource(kind, QUrl("rank.png"))
    assert picture.deviceIndependentSize().width() == 640
    assert picture.devicePixelRatio() == book.devicePixelRatio()


def test_a_window_that_is_drawn_larger_reads_no_picture_again(book, monkeypatch):
    book.resize(1000, 500)
    book.go("svd")
    assert len(picture_widths(book.page)) > 1
    read = []
    monkeypatch.setattr(
        book.page, "loadResource",
        lambda kind, url, does=book.page.loadResource: read.append(url) or does(kind, url),
    )  # fmt: skip
    for width in range(560, 1000, 40):
        book.resize(width, 500)
        QApplication.processEvents()
    assert read == []
    assert max(picture_widths(book.page)) > 560


def test_links_take_the_colour_of_the_scheme(book):
    app, before = QApplication.instance(), theme.current()
    try:
        for scheme in ("dark", "light"):
            colors = theme.apply(app, scheme)
            QApplication.processEvents()
            assert colors.accent in book.page.toHtml()
    finally:
        theme.apply(app, "dark" if before.dark else "light")


def test_ways_into_it(qtbot, window, presets, sessions_made):
    window.open(presets[0].config)
    qtbot.waitUntil(window.commands.train.isEnabled)
    window.commands.handbook.trigger()
    book = window.flows.help.book
    assert book.page.name == INDEX
    slider = window.hyper_dock.sliders["alpha"]
    slider.slider.setFocus()
    qtbot.keyClick(slider.slider, Qt.Key.Key_F1)
    assert book.page.name == "alpha"
    window.commands.handbook.trigger()
    assert book.page.name == "alpha"
    assert window.commands.handbook.shortcut() != window.commands.shortcuts.shortcut()
