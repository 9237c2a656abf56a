"""Work beside the window: one function on a thread of its own, its progress and end as signals."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal

from lora_lab.errors import Cancelled, LabError
from lora_lab.progress import Report


class Background(QObject):
    """Runs `work(report)` once. One of `done`, `failed`, `broke` follows, unless it is called off.

    The signals are emitted on the thread that this was made on. When all is said, it is deleted.
    """

    told = Signal(str, float)  # what is being done, and its share
    done = Signal(object)  # what `work` returned
    failed = Signal(str)  # a LabError in words
    broke = Signal(str)  # any other exception, which itself goes to the one place; where to look
    _came = Signal(str, tuple)  # name of one of the above and what it says; "": the thread ends

    def __init__(self, work: Callable[[Report], Any], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._work = work
        self._cancelled = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lora-lab-background", daemon=True)
        self._came.connect(self._hear, Qt.ConnectionType.QueuedConnection)

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
        self._came.emit("told", (what, share))

    def _hear(self, name: str, said: tuple[Any, ...]) -> None:
        """Say what the thread said, unless it was called off after it had said it."""
        if not name:
            self._thread.join()
            self.deleteLater()
        elif not self._cancelled.is_set():
            getattr(self, name).emit(*said)

    def _run(self) -> None:
        try:
            self._came.emit("done", (self._work(self._report),))
        except Cancelled:
            pass
        except LabError as error:
            self._came.emit("failed", (str(error),))
        except BaseException:
            words = self.tr("It broke off, for a reason that the lab’s main window tells.")
            self._came.emit("broke", (words,))
            raise
        finally:
            with suppress(RuntimeError):  # who asked for it may be gone by now
                self._came.emit("", ())


class BusyWorks:
    """Says to `show` what is being done, in words and as a share; "" once nothing is."""

    def __init__(self, show: Callable[[str, float], None]) -> None:
        self._show = show
        self._doing: dict[Background, tuple[str, float]] = {}

    def watch(self, work: Background, words: str = "") -> None:
        """Show a work until it is over; without `words` from where it first tells something."""
        if words:
            self._tell(work, words, -1.0)
        work.told.connect(lambda what, share: self._tell(work, what, share))
        for over in (work.done, work.failed, work.broke):
            over.connect(lambda _: self.end(work))

    def end(self, work: Background) -> None:
        """This work is over, or was called off; what else is done is still shown."""
        if self._doing.pop(work, None) is not None:
            self._show_newest()

    def _tell(self, work: Background, words: str, share: float) -> None:
        self._doing[work] = words, share
        self._show_newest()

    def _show_newest(self) -> None:
        self._show(*next(reversed(self._doing.values()), ("", -1.0)))
