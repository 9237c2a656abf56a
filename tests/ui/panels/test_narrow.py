"""Panels as narrow as a window lets them be: no number and no word is cut off."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QTextDocument
from PySide6.QtWidgets import QLabel

from lora_lab.ui.panels import PANELS
from lora_lab.ui.preview import SAMPLES, feed, samples
from lora_lab.ui.style import theme
from tests.ui.seen import settle

WIDTHS = (22, 30, 60)  # of a panel, in widths of the letter m; the docks let none be narrower


def plain(label):
    if label.textFormat() != Qt.TextFormat.RichText:
        return label.text()
    document = QTextDocument()
    document.setHtml(label.text())
    return document.toPlainText()


def cut_off(panel):
    """The labels whose words are wider than they are."""
    found = []
    for label in panel.findChildren(QLabel):
        words = plain(label)
        if not label.isVisible() or label.wordWrap() or not words:
            continue
        need = max(label.fontMetrics().horizontalAdvance(line) for line in words.split("\n"))
        if need > label.contentsRect().width() + 1:
            found.append((words, need, label.contentsRect().width()))
    return found


@pytest.fixture(autouse=True, scope="module")
def dressed(qapp):
    """The sizes of figures and titles are those of the sheet."""
    before, sheet = theme.current(), qapp.styleSheet()
    theme.apply(qapp, "light")
    yield
    theme.apply(qapp, "dark" if before is theme.DARK else "light")
    qapp.setStyleSheet(sheet)


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("key", PANELS)
def test_nothing_is_cut_off(qtbot, key, sample):
    panel = PANELS[key]()
    qtbot.addWidget(panel)
    loaded, *rest = samples(sample, 3000)
    panel.standing.take(loaded)
    feed(panel, rest)
    em = panel.fontMetrics().horizontalAdvance("m")
    panel.setMinimumSize(WIDTHS[0] * em, 12 * em)  # as the docks do
    for width in (*WIDTHS, *reversed(WIDTHS)):
        panel.resize(width * em, 26 * em)
        panel.show()
        settle()
        panel.redraw()
        settle()
        assert cut_off(panel) == [], width
