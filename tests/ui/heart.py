"""How a test sees that the window takes its turns: how late a timer is, a reading that is held."""

import threading
import time

from PySide6.QtCore import QTimer

LATE = 0.1  # seconds
TRIES = 4  # a machine that is busy with other things makes a timer late as well


class Heart:
    """A timer of the window, and how late it was at most.

    By the clock, and no more than this process has computed meanwhile: what other processes do to
    the clock is not the window's, and two threads at work count twice in the other.
    """

    def __init__(self):
        self.latest, self.last = 0.0, (time.perf_counter(), time.process_time())
        self.timer = QTimer(interval=10)
        self.timer.timeout.connect(self.beat)
        self.timer.start()

    def beat(self):
        now = time.perf_counter(), time.process_time()
        late = min(b - a for a, b in zip(self.last, now, strict=True))
        self.latest, self.last = max(self.latest, late), now


class Held:
    """In place of what reads a file: it begins, and goes on once `go` is set."""

    def __init__(self, read):
        self._read, self.threads, self.go = read, [], threading.Event()

    def __call__(self, *arguments):
        self.threads.append(threading.current_thread())
        if threading.current_thread() is not threading.main_thread():  # it would wait for itself
            assert self.go.wait(60)
        return self._read(*arguments)

    @property
    def beside(self):
        """Whether it has begun, and not in the window's thread."""
        return bool(self.threads) and threading.main_thread() not in self.threads

    @property
    def ended(self):
        return not any(thread.is_alive() for thread in self.threads)
