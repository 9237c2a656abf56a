"""Work beside the window: one function on a thread of its own, its progress and end as signals."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Signal

from lora_lab.errors import Cancelled, LabError
from lora_lab.progress import Report


class Background(QObject):
    """Runs `work(report)` once. Just one of `done` and `failed` follows, unless it is called off.

    The signals are emitted on the thread of the work and heard on the one of the listener.
    """

    told = Signal(str, float)  # what is being done, and its share
    done = Signal(object)  # what `work` returned
    failed = Signal(str)  # a LabError in words; any other exception goes to the one place

    def __init__(self, work: Callable[[Report], Any], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._work = work
        self._cancelled = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lora-lab-background", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def cancel(self) -> None:
        """Nothing is told from now on; the work ends where it reports next."""
        self._cancelled.set()

    def join(self, seconds: float | None = None) -> bool:
        """Wait for the thread; whether it has ended."""
        if self._thread.is_alive():
            self._thread.join(seconds)
        return not self._thread.is_alive()

    def _report(self, what: str, share: float) -> None:
        if self._cancelled.is_set():
            raise Cancelled("called off")
        self.told.emit(what, share)

    def _run(self) -> None:
        try:
            found = self._work(self._report)
        except Cancelled:
            return
        except LabError as error:
            if not self._cancelled.is_set():
                self.failed.emit(str(error))
            return
        if not self._cancelled.is_set():
            self.done.emit(found)
