"""The loss of each token of the chosen row, coloured in the Data panel on request."""

import math
from dataclasses import replace

import pytest
from PySide6.QtCore import Qt

from lora_lab.measured import TokenLossRecord
from lora_lab.opening_records import DataRecord
from lora_lab.ui.panels.data import DataPanel
from lora_lab.ui.preview import samples


@pytest.fixture
def panel(qtbot):
    made = DataPanel()
    qtbot.addWidget(made)
    made.resize(800, 500)
    made.show()
    records = samples("text", 5)
    made.standing.take(replace(records[0], scores_tokens=True))
    made.receive(records)
    made.redraw()
    made.data = next(r for r in records if isinstance(r, DataRecord))
    return made


def test_it_is_asked_for_and_told_of_the_row_that_is_shown(qtbot, panel):
    asked = []
    panel.command_asked.connect(lambda command: asked.append(command.row))
    plain = panel.text.toHtml()
    row = panel.data.rows[0]
    qtbot.mouseClick(panel.losses_button, Qt.MouseButton.LeftButton)
    assert asked == [row.number]
    off = (math.nan, *[4.0] * (len(row.tokens) - 1))
    on = (math.nan, *[1.0] * (len(row.tokens) - 2), 7.5)
    panel.receive([TokenLossRecord(12, row.number + 1, off, on)])  # of another row
    assert "Loss per token" not in panel.text.toPlainText()
    panel.receive([TokenLossRecord(12, row.number, off, on)])
    said = panel.text.toPlainText()
    assert "Loss per token at step 12" in said
    assert "highest: " in said
    assert "7.50" in said
    assert panel.text.toHtml() != plain
    panel.rows.setFocus()
    qtbot.keyClick(panel.rows, Qt.Key.Key_Down)
    assert asked == [row.number, panel.data.rows[1].number]
    qtbot.mouseClick(panel.losses_button, Qt.MouseButton.LeftButton)  # off again
    assert "Loss per token" not in panel.text.toPlainText()
    assert len(asked) == 2


def test_a_task_without_such_losses_offers_none(qtbot, panel):
    assert panel.losses_button.isVisible()
    panel.standing.take(samples("digits", 3)[0])
    panel.redraw()
    assert not panel.losses_button.isVisible()
