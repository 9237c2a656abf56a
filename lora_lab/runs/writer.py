"""Writes checkpoints on a thread of its own, so that no training step waits for a disk.

Of the rolling ones one waits at most: a newer one takes its place. What must be
kept waits in turn. What the disk refuses is reported once until it recovers, and tried again with
the next.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

Job = Callable[[], Any]
LAST = 10  # of its priority (nice): it steps back, and yet a busy machine lets it come to its end


class Writer:
    """Runs the newest job that was offered; used by one thread beside its own."""

    def __init__(self) -> None:
        self._news = threading.Condition()
        self._job: Job | None = None
        self._lasting: deque[Job] = deque()  # these are never left out
        self._busy = False
        self._closing = False
        self._outcomes: list[Any] = []  # what jobs returned, or the exception that ended them
        self._thread: threading.Thread | None = None

    def offer(self, job: Job, lasting: bool = False) -> None:
        """Run `job` after the one before; unless it is `lasting` a newer one replaces it."""
        with self._news:
            if lasting:
                self._lasting.append(job)
            else:
                self._job = job
            if self._thread is None:
                # Not a daemon: one in the middle of a write at interpreter exit is cut off.
                self._thread = threading.Thread(target=self._run, name="lora-lab-writer")
                self._thread.start()
            self._news.notify_all()

    def outcomes(self) -> list[Any]:
        """What has come of the jobs since this was asked last."""
        if not self._outcomes:
            return []
        with self._news:
            taken, self._outcomes = self._outcomes, []
            return taken

    @property
    def busy(self) -> bool:
        """Whether something is being done now."""
        return self._busy

    def wait(self) -> None:
        """Until all that was offered has been done."""
        with self._news:
            self._news.wait_for(lambda: not (self._job or self._lasting or self._busy))

    def close(self) -> None:
        """Do what was offered, and end."""
        with self._news:
            self._closing = True
            self._news.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        if sys.platform.startswith("linux"):  # where a thread has a priority of its own
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LAST)
        while True:
            with self._news:
                self._news.wait_for(lambda: self._lasting or self._job or self._closing)
                if self._lasting:
                    job = self._lasting.popleft()
                else:
                    job, self._job = self._job, None
                if job is None:
                    return
                self._busy = True
            try:
                outcome: Any = job()
            except Exception as error:  # noqa: BLE001 - reported by the reader of outcomes
                outcome = error
            with self._news:
                self._outcomes.append(outcome)
                self._busy = False
                self._news.notify_all()
