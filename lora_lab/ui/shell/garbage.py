"""Garbage is collected in the window's thread, between two events, and nowhere else.

Left to itself the collection begins wherever an object is made: in a training thread, where a
widget must not end, or within Qt's own QObject.disconnect, which holds a lock that the widget's end
waits for in the same thread, and then the window stands still for good.
"""

from __future__ import annotations

import gc
import threading

from PySide6.QtCore import QObject, QTimer, Signal

from lora_lab import garbage

LOOK_MS = 250
PATIENCE = 5.0  # seconds that a thread waits for it; the window may be waiting for that thread


class Garbage(QObject):
    """Collects by Python's counts, whose own collection is off, and where a thread asks for it."""

    _asked = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        gc.disable()
        garbage.collect = self.collect
        self._asked.connect(self._collect)
        self._timer = QTimer(self, interval=LOOK_MS)
        self._timer.timeout.connect(self._look)

    def start(self) -> None:
        """Look from now on; until then it collects only where a thread asks for it."""
        self._timer.start()

    def collect(self) -> None:
        """Of all generations; any thread may ask, and waits for it."""
        done = threading.Event()
        self._asked.emit(done)  # of another thread it waits for the window's next event
        done.wait(PATIENCE)

    def close(self) -> None:
        """Leave it to Python again."""
        self._timer.stop()
        garbage.collect = gc.collect
        gc.enable()

    def _collect(self, done: threading.Event) -> None:
        gc.collect()
        done.set()

    def _look(self) -> None:
        counts, most = gc.get_count(), gc.get_threshold()
        due = [i for i in range(len(counts)) if most[i] and counts[i] > most[i]]
        if due:
            gc.collect(due[-1])
