"""The rows of the data: what is chosen there stays chosen, in the colours of the scheme."""

import time

import numpy as np
import pytest
from PySide6.QtWidgets import QApplication, QLabel

from lora_lab.opening_records import DataRecord, DataRow
from lora_lab.ui.panels.data import OFFERED, DataPanel
from lora_lab.ui.panels.data_row import row_html
from lora_lab.ui.panels.pictures import Pictures
from lora_lab.ui.preview import feed
from lora_lab.ui.style import theme


@pytest.mark.parametrize("row", [0, 2])
def test_the_row_is_told_in_the_colours_of_the_scheme_and_stays(qtbot, row):
    app, before = QApplication.instance(), theme.current()
    rows = tuple(DataRow(n, (f"word{n}", " asked"), (False, True)) for n in range(1, 5))
    panel = DataPanel()
    qtbot.addWidget(panel)
    try:
        panel.restyle(theme.apply(app, "dark"))
        feed(panel, [DataRecord("rows.jsonl", "text", rows=rows)])
        panel.redraw()
        panel.rows.setCurrentRow(row)
        for scheme in ("light", "dark"):
            colors = theme.apply(app, scheme)
            panel.restyle(colors)
            panel.redraw()
            assert panel.rows.currentRow() == row
            assert f"word{row + 1}" in panel.text.toPlainText()
            assert colors.muted in panel.text.toHtml()
    finally:
        theme.apply(app, "dark" if before is theme.DARK else "light")


def test_a_tag_stands_behind_the_last_piece_of_its_word(qtbot):
    row = DataRow(
        1, ("Os", "lo", " is", " it"), (True, False, True, True), tags=("B-LOC", "", "O", "I-X")
    )
    panel = DataPanel()
    qtbot.addWidget(panel)
    panel.receive([DataRecord("rows.jsonl", "tokens + tags", rows=(row,))])
    panel.redraw()
    assert "Oslo B-LOC is it I-X" in panel.text.toPlainText()
    assert "not in the loss" in panel.text.toPlainText()


def test_a_row_begins_at_its_top_though_its_panel_was_small(qtbot):
    """In a dock behind another one the view is a few pixels high, and the head would be cut off."""
    row = DataRow(1, tuple(f"word{i}\n" for i in range(60)), (True,) * 60)
    panel = DataPanel()
    qtbot.addWidget(panel)
    panel.show()
    panel.text.setFixedHeight(7)
    feed(panel, [DataRecord("rows.jsonl", "text", rows=(row, row))])
    panel.redraw()
    qtbot.waitUntil(lambda: panel.text.height() == 7)
    panel.rows.setCurrentRow(1)
    panel.text.setMaximumHeight(400)
    panel.resize(500, 400)
    qtbot.waitUntil(lambda: panel.text.height() > 50)
    qtbot.waitUntil(lambda: panel.text.verticalScrollBar().maximum() > 0)
    assert panel.text.verticalScrollBar().value() == 0


def test_both_answers_of_a_pair_stand_apart(qtbot):
    rejected = DataRow(7, ("Q", " no"), (False, True), cut=2)
    panel = DataPanel()
    qtbot.addWidget(panel)
    row = DataRow(7, ("Q", " yes"), (False, True), rejected=rejected)
    panel.receive([DataRecord("rows.jsonl", "preference pairs", rows=(row,))])
    panel.redraw()
    words = panel.text.toPlainText()
    assert words.index("Chosen") < words.index("yes") < words.index("Rejected") < words.index("no")
    assert "2 more truncated" in words
    assert panel.rows.item(0).text() == "row 7  4 tokens"
    columns = panel.figure_data()
    assert (columns["text"], columns["rejected"]) == (["Q yes"], ["Q no"])


def test_a_source_and_its_target_stand_apart_and_keep_their_entries(qtbot):
    target = DataRow(7, ("gut", "</s>"), (True, True))
    row = DataRow(7, ("good", "</s>"), (False, False), target=target)
    roles = (("source", "translation.en"), ("target", "translation.de"))
    panel = DataPanel()
    qtbot.addWidget(panel)
    panel.receive(
        [DataRecord("rows.jsonl", "source + target", ("translation",), roles, rows=(row,))]
    )
    panel.redraw()
    words = panel.text.toPlainText()
    assert words.index("Source") < words.index("good") < words.index("Target") < words.index("gut")
    assert panel.figure_data()["target"] == ["gut</s>"]
    assert panel.requested_columns() == roles
    assert panel.apply_button.isHidden(), "nothing was moved"


def test_of_a_hundred_thousand_columns_the_first_are_offered_and_those_in_use(qtbot):
    panel = DataPanel()
    qtbot.addWidget(panel)
    columns = (*(f"{number}" for number in range(99_999)), "x" * 10**6)
    record = DataRecord("", "text", columns, (("text", columns[-1]),), notes=("a" * 10**6,))
    panel.receive([record])
    began = time.process_time()
    panel.redraw()
    panel.grab()
    assert time.process_time() - began < 0.5
    combo = panel.column_combos["text"]
    assert combo.count() == OFFERED + 3
    assert combo.itemText(combo.count() - 1) == "99,000 more"
    assert not combo.model().item(combo.count() - 1).isEnabled()
    assert combo.currentData() == columns[-1]
    assert len(combo.currentText()) < 1000
    assert panel.requested_columns() == record.roles


@pytest.mark.parametrize(("form", "several"), [("prompt + completion", True), ("ranks", False)])
def test_the_form_is_named_once(qtbot, form, several):
    """In the list of forms where it can be another, in words where it cannot."""
    panel = DataPanel()
    qtbot.addWidget(panel)
    feed(panel, [DataRecord("rows.jsonl", form, columns=("prompt", "completion"))])
    panel.redraw()
    assert panel.form_combo.isVisibleTo(panel) == several
    (title,) = (label for label in panel.findChildren(QLabel) if label.text() == form)
    assert title.isVisibleTo(panel) != several


def test_rows_and_images_are_called_so_in_the_language_of_the_window(qtbot, monkeypatch):
    for kind in (DataPanel, Pictures):
        monkeypatch.setattr(kind, "tr", lambda self, text: f"⟦{text}⟧")
    panel = DataPanel()
    qtbot.addWidget(panel)
    rows = (DataRow(3, ("a", "b")), DataRow(4, label="nine"))
    feed(panel, [DataRecord("rows.jsonl", "text", rows=rows)])
    panel.redraw()
    listed = [panel.rows.item(place).text() for place in range(panel.rows.count())]
    assert listed == ["⟦row 3⟧  ⟦2 tokens⟧", "⟦row 4⟧  nine"]
    images = (DataRow(5, label="nine", image=np.zeros((2, 2), np.uint8)),)
    feed(panel, [DataRecord("images", "images by folder", rows=images)])
    panel.redraw()
    assert panel.pictures.item(0).toolTip() == "⟦image 5, nine⟧"


def test_of_a_row_without_end_the_first_tokens_are_shown():
    row = DataRow(1, ("a " * 1000, *["ab "] * 300_000), (True,) * 300_001)
    html = row_html(row, theme.current())
    assert html.count("ab ") == 9_999
    assert "300,001 tokens" in html
    assert "the first 10,000 are shown" in html
    assert len(html) < 1_500_000
