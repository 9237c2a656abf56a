"""Work in Python that takes too long, or that nobody wants any more, is ended from beside it.

What strangers' files have libraries do in Python cannot be bounded from within. A watch raises an
error in the thread that does it, again and again until the thread has left the work; it comes
between two instructions of Python, so that what is one call of C takes as long as that takes.
"""

from __future__ import annotations

import ctypes
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

LOOK = 0.1  # seconds between two looks of the watch
AGAIN = 0.5  # seconds after which an error that was caught on its way is raised once more


@dataclass(eq=False)
class Work:
    """What one thread does under the watch."""

    thread: int
    error: type[Exception]
    seconds: float  # of the thread's processor time that are left, as far as it has been looked at
    seen: float  # its processor time at the last look, where that can be told
    until: float = math.inf  # the wall's time at which it is to end whatever it used
    unwanted: Callable[[], bool] = lambda: False  # whether it is to end at once
    ended: bool = False

    def end_in(self, seconds: float) -> None:
        """End it when so much time has passed; it may end by itself before."""
        self.until = time.monotonic() + seconds
        _watch.wake()

    def go_on(self) -> None:
        """Let it be, after all."""
        self.until = math.inf


@contextmanager
def limited(
    seconds: float, error: type[Exception], unwanted: Callable[[], bool] = lambda: False
) -> Iterator[Work]:
    """What is done in this block ends within so much processor time of its thread, and soon after
    it is `unwanted`; raises `error`, made without arguments, else. Blocks may stand in each
    other."""
    work = Work(threading.get_ident(), error, seconds, time.thread_time(), unwanted=unwanted)
    _watch.add(work)
    try:
        yield work
    finally:
        if _watch.remove(work):
            _absorb(error)
            raise error


def _absorb(error: type[Exception]) -> None:
    """Let what was raised, and may still be under way, arrive here."""
    for _ in range(2):
        try:
            for _ in range(1000):
                pass
        except error:
            continue


class _Watch:
    """One thread that looks at all works, and sleeps where there is none."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._works: list[Work] = []
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def begin_anew(self) -> None:
        """Look at nothing, and let the next work start a thread."""
        self.__init__()  # type: ignore[misc]

    def add(self, work: Work) -> None:
        with self._lock:
            self._works.append(work)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="time-limit", daemon=True)
                self._thread.start()
        self.wake()

    def remove(self, work: Work) -> bool:
        """Look at it no more; whether it was ended."""
        with self._lock:
            self._works.remove(work)
            return work.ended

    def wake(self) -> None:
        self._wake.set()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            time.sleep(LOOK)
            with self._lock:
                self._wake.clear()  # first: what is asked for behind it is not slept through
                if any(min(w.seconds, w.until) < math.inf for w in self._works):
                    self.wake()
                for work in self._works:
                    self._look(work)

    def _look(self, work: Work) -> None:
        try:
            now = time.clock_gettime(time.pthread_getcpuclockid(work.thread))
        except (AttributeError, OSError):  # no such clock here: by the wall
            now = work.seen + LOOK
        work.seconds, work.seen = work.seconds - (now - work.seen), now
        if work.seconds > 0 and time.monotonic() < work.until and not work.unwanted():
            return
        work.ended = True
        work.seconds, work.until = math.inf, time.monotonic() + AGAIN
        work.unwanted = lambda: False  # it was told
        raised = ctypes.py_object(work.error)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(work.thread), raised)


_watch = _Watch()
if hasattr(os, "register_at_fork"):  # a copy of this process has no thread of its own that looks
    os.register_at_fork(after_in_child=_watch.begin_anew)
