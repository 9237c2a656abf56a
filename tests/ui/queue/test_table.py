"""A row of the queue dragged by hand, which needs a display server that knows of dragging."""

import pytest
from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtTest import QTest

from lora_lab.config import RunConfig
from lora_lab.runs.queue import DONE, WAITING, Item
from lora_lab.ui.queue.table import KIND, QueueTable
from tests.ui.seen import settle

pytestmark = pytest.mark.xcb
LEFT = Qt.MouseButton.LeftButton


@pytest.mark.parametrize(("row", "requests"), [(3, [("3", 1)]), (0, [])])
def test_a_waiting_row_is_dragged_between_others(qtbot, row, requests):
    class Observed(QueueTable):
        def startDrag(self, actions):
            QTimer.singleShot(0, self, drop)  # dragging has a loop of its own
            super().startDrag(actions)

        def dragMoveEvent(self, event):
            super().dragMoveEvent(event)
            passed.append(event.position().toPoint())

    passed, dropped = [], []
    table = Observed()
    qtbot.addWidget(table)
    config = RunConfig(task="digits")
    table.show_items([Item(str(n), config, WAITING if n else DONE) for n in range(5)], ())
    table.resize(900, 300)
    table.show()
    qtbot.waitExposed(table)
    view, height = table.viewport(), table.rowHeight(0)
    heard = []
    table.queue.move_requested.connect(lambda id, place: heard.append((id, place)))

    def at(row, below=0):
        return table.visualRect(table.queue.index(row, KIND)).center() + QPoint(0, below)

    def drop():
        target = at(1, -height // 2 + 1)
        try:
            for place in (at(1), target):
                QTest.mouseMove(view, place)
                qtbot.waitUntil(lambda place=place: place in passed)
        finally:  # else the loop never ends
            QTest.mouseRelease(view, LEFT, pos=target)
        dropped.append(target)

    QTest.mousePress(view, LEFT, pos=at(row))
    for place in (at(row, 4), at(2), at(2, 3)):
        QTest.mouseMove(view, place)
        settle()
    if requests:
        qtbot.waitUntil(lambda: heard == requests)
    else:
        QTest.mouseRelease(view, LEFT, pos=at(2, 3))
        settle()
    assert bool(dropped) == bool(requests)
    assert heard == requests
    assert len(table.queue.rows) == 5  # the view takes none out
