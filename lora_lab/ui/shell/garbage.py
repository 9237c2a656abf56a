"""Python's garbage is searched for by a timer of the window, and at no other moment.

Left to itself the search begins wherever an object is made: in a training thread, where a widget
must not end, or within Qt's own QObject.disconnect, which holds a lock that the widget's end waits
for in the same thread, and then the window stands still for good.
"""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, QTimer

LOOK_MS = 250


class Garbage(QObject):
    """Searches by the counts of Python, whose own search is off from now on."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        gc.disable()
        timer = QTimer(self, interval=LOOK_MS)
        timer.timeout.connect(self._look)
        timer.start()

    def _look(self) -> None:
        counts, most = gc.get_count(), gc.get_threshold()
        due = [i for i in range(len(counts)) if most[i] and counts[i] > most[i]]
        if due:
            gc.collect(due[-1])
