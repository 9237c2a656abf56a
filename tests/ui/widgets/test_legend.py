"""A legend shows whole rows or none, and tells the rest where the mouse rests."""

import pytest

from lora_lab.ui.widgets.legend import Legend

ROWS = (("■", "#111111", "adapter off"), ("■", "#222222", "adapter on"), ("", "#333333", "step 9"))


@pytest.mark.parametrize(("width", "shown"), [(1000, 3), (190, 2), (100, 1), (5, 1)])
def test_as_many_rows_as_fit(qtbot, width, shown):
    legend = Legend()
    qtbot.addWidget(legend)
    legend.show_rows(ROWS)
    legend.resize(width, 20)
    legend.show()
    legend.resize(width, 20)
    words = [words for _, _, words in ROWS]
    assert [word for word in words if word in legend.text()] == words[:shown]
    assert (legend.toolTip() == "") == (shown == 3)
    assert shown == 3 or all(word in legend.toolTip() for word in words)
    legend.resize(1000, 20)
    assert words[2] in legend.text()
