"""Rows of a table are selected by the program, whatever keys a person holds meanwhile."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit, QTableWidget

from lora_lab.ui.widgets.table import dress, select_row

Held = Qt.KeyboardModifier


@pytest.mark.parametrize("held", [Held.NoModifier, Held.ShiftModifier, Held.ControlModifier])
def test_a_row_is_selected_alone_whatever_key_is_held(qtbot, held):
    table, field = QTableWidget(4, 2), QLineEdit()
    for widget in (table, field):
        qtbot.addWidget(widget)
        widget.show()
    dress(table)
    QTest.keyPress(field, Qt.Key.Key_A, held)
    for row in (2, 2, 3):
        select_row(table, row)
        assert [index.row() for index in table.selectionModel().selectedRows()] == [row]
        assert table.currentIndex().row() == row
