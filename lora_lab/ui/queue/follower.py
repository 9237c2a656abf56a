"""One sweep on a cluster, followed on a thread of its own: the network is never the window's."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from lora_lab.errors import LabError
from lora_lab.progress import Report
from lora_lab.runs.queue import Item
from lora_lab.ui.widgets.background import Works

if TYPE_CHECKING:
    from lora_lab.cluster.sweep import ClusterSweep
    from lora_lab.runs.queue import Queue

    Begin = Callable[[], tuple[Queue, ClusterSweep]]

PATIENCE = 2.0  # seconds that closing waits for an answer that is on its way


@dataclass(frozen=True)
class Seen:
    """What was seen of a sweep the last time that the cluster was asked."""

    words: str
    items: tuple[Item, ...] = ()
    over: bool = False  # its job is at its end, whatever that was
    failed: bool = False
    lost: bool = False  # the job is over before its runs are


class Follower(QObject):
    """Follows until the job ends, a failure, or `close`; `changed` comes with each look."""

    began = Signal()  # it was sent, or found again
    refused = Signal(str)  # it was not, and why
    changed = Signal()
    ended = Signal()  # nothing is asked any more

    def __init__(self, folder: Path, begin: Begin, parent: QObject) -> None:
        """`begin` sends the sweep, or finds it again, on the thread that follows it."""
        super().__init__(parent)
        self.folder, self._begin = folder, begin
        self.seen = Seen(self.tr("Asking the cluster…"))
        self.following = True
        self._begun = self._stopping = False
        self._wake, self._works = threading.Event(), Works(self)
        self._works.start(self._follow, self._on_ended, self._on_failed, self._on_failed,
                          item=self._on_seen)  # fmt: skip

    def stop(self) -> None:
        """Ask for the end of the job; what was saved of its runs stays there."""
        self._stopping = True
        self.look()

    def look(self) -> None:
        """Ask the cluster now."""
        self._wake.set()

    def close(self) -> None:
        """Let go: the cluster goes on by itself."""
        self._works.cancel()
        self._wake.set()
        self._works.finish(PATIENCE)
        self.following = False
        self.changed.emit()

    # -- on the thread -----------------------------------------------------------------------

    def _follow(self, report: Report) -> Iterator[Seen]:
        from lora_lab.cluster.sweep import CutOffError

        queue, sweep = self._begin()
        try:
            yield Seen(sweep.words, queue.items)
            while not sweep.ended:
                self._wake.clear()
                report("", -1.0)  # raises where nobody follows any more
                try:
                    if self._stopping:
                        self._stopping = False
                        sweep.stop()
                    sweep.poll()
                except CutOffError as error:
                    yield Seen(error.words, queue.items, over=True, failed=True, lost=True)
                    return
                except LabError as error:
                    yield Seen(str(error), queue.items, over=True, failed=True)
                    return
                lost = sweep.ended and not sweep.complete
                yield Seen(sweep.words, queue.items, sweep.ended, bool(sweep.trouble), lost)
                if not sweep.ended:
                    self._wake.wait(sweep.wait)
        finally:
            sweep.close()
            queue.close()

    # -- on the window's ---------------------------------------------------------------------

    def _on_seen(self, seen: Seen) -> None:
        self.seen = seen
        if not self._begun:
            self._begun = True
            self.began.emit()
        self.changed.emit()

    def _on_failed(self, words: str) -> None:
        self.seen = Seen(words, self.seen.items, over=True, failed=True)
        self.following = False
        self.changed.emit()
        if self._begun:
            self.ended.emit()
        else:
            self.refused.emit(words)

    def _on_ended(self, _: object) -> None:
        self.following = False
        self.changed.emit()
        self.ended.emit()
