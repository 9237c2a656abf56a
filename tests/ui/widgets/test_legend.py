"""A legend shows whole rows or none, and tells the rest where the mouse rests."""

import pytest

from lora_lab.ui.widgets.legend import Legend

ROWS = (("■", "#111111", "adapter off"), ("■", "#222222", "adapter on"), ("", "#333333", "step 9"))


@pytest.mark.parametrize("shown", [3, 2, 1, 0])
def test_as_many_rows_as_fit_and_how_many_more_there_are(qtbot, shown):
    legend = Legend()
    qtbot.addWidget(legend)
    more = (("", "#333333", f"+{3 - shown}"),) if shown < 3 else ()
    width = legend.width_of((*ROWS[:shown], *more)) + 1
    legend.show_rows(ROWS)
    legend.resize(width, 20)
    legend.show()
    legend.resize(width, 20)
    words = [words for _, _, words in ROWS]
    assert [word for word in words if word in legend.text()] == words[:shown]
    assert (f"+{3 - shown}" in legend.text()) == (shown < 3)
    assert (legend.toolTip() == "") == (shown == 3)
    assert shown == 3 or all(word in legend.toolTip() for word in words)
    legend.resize(1000, 20)
    assert words[2] in legend.text()


def test_shorter_words_come_before_fewer_rows(qtbot):
    legend = Legend()
    qtbot.addWidget(legend)
    short = [(sign, color, words.removeprefix("adapter ")) for sign, color, words in ROWS]
    legend.show_rows(ROWS, short)
    legend.resize(legend.width_of(short) + 1, 20)
    legend.show()
    assert "step 9" in legend.text()
    assert "adapter" not in legend.text()
    assert "adapter off" in legend.toolTip()
    legend.resize(legend.width_of(ROWS) + 1, 20)
    assert "adapter off" in legend.text()
    assert legend.toolTip() == ""
