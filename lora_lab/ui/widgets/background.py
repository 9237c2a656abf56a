"""Work beside the window: one function on a thread of its own, its progress and end as signals."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from PySide6.QtCore import QCoreApplication, QEvent, QObject, Qt, Signal

from lora_lab.errors import Cancelled, LabError
from lora_lab.progress import Report
from lora_lab.ui.style.figures import in_words

BEHIND_PAINTING = -2  # priority of an event; Qt's requests to paint have -1
DRAWN = 0.1  # seconds that a work waits at most until the window has drawn what it yields


class Background(QObject):
    """Runs `work(report)` once. One of `done`, `failed`, `broke` follows, unless it is cancelled.

    Where `work` is a generator, each thing that it yields is an `item`, and `done` has None. It
    goes on once the item is drawn: else each call of Qt waits for it to give up Python's lock.
    The signals are emitted on the thread that this was made on. After the last, it is deleted.
    """

    progress = Signal(str, float)  # what is being done, and its share
    item = Signal(object)  # what it yields
    done = Signal(object)  # what `work` returned
    failed = Signal(str)  # a LabError in words
    broke = Signal(str)  # any other exception, which itself goes to the one place; where to look
    _sent = Signal(str, tuple)  # name of one of the above and its arguments; "": the thread ends

    def __init__(self, work: Callable[[Report], Any], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._work = work
        self._cancelled, self._drawn = threading.Event(), threading.Event()
        self._reported: tuple[str, float] = ("", -1.0)
        self._thread = threading.Thread(target=self._run, name="lora-lab-background", daemon=True)
        self._sent.connect(self._receive, Qt.ConnectionType.QueuedConnection)

    def start(self) -> None:
        self._thread.start()

    def cancel(self) -> None:
        """No signal follows from now on; the work ends where it reports next."""
        self._cancelled.set()
        self._drawn.set()

    def join(self, seconds: float | None = None) -> bool:
        """Wait for the thread; whether it has ended."""
        if self._thread.is_alive():
            self._thread.join(seconds)
        return not self._thread.is_alive()

    def customEvent(self, event: QEvent) -> None:
        self._drawn.set()

    def _report(self, what: str, share: float) -> None:
        if self._cancelled.is_set():
            raise Cancelled("cancelled")
        if self._reported != (what, share):  # some ask between any two steps whether to go on
            self._reported = what, share
            self._sent.emit("progress", (in_words(what), share))

    def _receive(self, name: str, arguments: tuple[Any, ...]) -> None:
        """Emit what the thread sent, unless the work was cancelled since."""
        if not name:
            self._thread.join()
            self.deleteLater()
        elif not self._cancelled.is_set():
            getattr(self, name).emit(*arguments)
            if name == "item":
                QCoreApplication.postEvent(self, QEvent(QEvent.Type.User), BEHIND_PAINTING)

    def _sent_items(self, items: Iterator[Any]) -> None:
        for item in items:
            if self._cancelled.is_set():
                raise Cancelled("cancelled")
            self._drawn.clear()
            self._sent.emit("item", (item,))
            self._drawn.wait(DRAWN)

    def _run(self) -> None:
        try:
            found = self._work(self._report)
            if isinstance(found, Iterator):
                found = self._sent_items(found)
            self._sent.emit("done", (found,))
        except Cancelled:
            pass
        except LabError as error:
            self._sent.emit("failed", (str(error),))
        except BaseException:
            words = self.tr("It failed; the main window shows the reason.")
            self._sent.emit("broke", (words,))
            raise
        finally:
            with suppress(RuntimeError):  # who asked for it may be gone by now
                self._sent.emit("", ())


class Works:
    """The works of one owner: how each is begun, cancelled, and waited for in the end."""

    def __init__(self, owner: QObject) -> None:
        self._owner = owner
        self._running: list[Background] = []

    def start(
        self,
        work: Callable[[Report], Any],
        done: Callable[..., object],
        failed: Callable[..., object],
        broke: Callable[..., object] | None = None,
        progress: Callable[[str, float], object] | None = None,
        item: Callable[..., object] | None = None,
    ) -> Background:
        """Begin `work(report)`, and call back on this thread; `item` for each that it yields.

        `broke` is for what has to end in any case: the error itself is a notice already.
        """
        self._drop_ended()
        background = Background(work, self._owner)
        self._running.append(background)
        background.done.connect(done)
        background.failed.connect(failed)
        if broke is not None:
            background.broke.connect(broke)
        if progress is not None:
            background.progress.connect(progress)
        if item is not None:
            background.item.connect(item)
        background.start()
        return background

    def cancel(self) -> tuple[Background, ...]:
        """Cancel what runs, and return it: each ends where it reports next."""
        self._drop_ended()
        for background in self._running:
            background.cancel()
        return tuple(self._running)

    def finish(self, seconds: float | None = None) -> None:
        """Cancel what runs, and wait for it."""
        for background in self.cancel():
            background.join(seconds)
        self._running.clear()

    def _drop_ended(self) -> None:
        self._running = [work for work in self._running if not work.join(0)]


class BusyWorks:
    """Calls `show` with what is being done, in words and as a share; "" once nothing is."""

    def __init__(self, show: Callable[[str, float], None]) -> None:
        self._show = show
        self._doing: dict[Background, tuple[str, float]] = {}

    def watch(self, work: Background, words: str = "") -> None:
        """Show a work until it is over; without `words` from its first report."""
        if words:
            self._update(work, words, -1.0)
        work.progress.connect(lambda what, share: self._update(work, what, share))
        for over in (work.done, work.failed, work.broke):
            over.connect(lambda _: self.end(work))

    def end(self, work: Background) -> None:
        """This work is over, or was cancelled; what else is done is still shown."""
        if self._doing.pop(work, None) is not None:
            self._show_newest()

    def _update(self, work: Background, words: str, share: float) -> None:
        self._doing[work] = words, share
        self._show_newest()

    def _show_newest(self) -> None:
        self._show(*next(reversed(self._doing.values()), ("", -1.0)))
