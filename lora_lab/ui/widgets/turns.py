"""Long work of the window's thread, done in slices between its events."""

from __future__ import annotations

from collections.abc import Generator
from time import perf_counter
from typing import TypeVar

from PySide6.QtCore import QObject, QTimer

T = TypeVar("T")
Work = Generator[None, None, T]  # it yields wherever it can be left for a while

SLICE = 0.03  # seconds in one turn of Qt's loop
PART = 250  # small things that are done between two looks at the clock


def done(work: Work[T]) -> T:
    """What comes of a piece of work, all of it now."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


class Turns(QObject):
    """One piece of work at a time; another takes the place of one that is not done."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._work: Work[None] | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._go_on)

    @property
    def busy(self) -> bool:
        return self._work is not None

    def start(self, work: Work[None], at_once: bool) -> None:
        """Do it, all of it now or a slice in each turn."""
        self._work = None
        self._timer.stop()
        if at_once:
            done(work)
        else:
            self._work = work
            self._timer.start()

    def _go_on(self) -> None:
        end, work = perf_counter() + SLICE, self._work
        self._work = None  # it stays so where the work fails
        self._timer.stop()
        if work is None:
            return
        for _ in work:
            if perf_counter() > end:
                self._work = work
                self._timer.start()
                return
