"""What all sessions share: a thread of their own, and its records until somebody drains them."""

from __future__ import annotations

import threading

from lora_lab.records import Record, State


class Drained:
    """Subclasses have `_run`, which is the thread, and `request_close`."""

    def __init__(self, name: str) -> None:
        """`name`: of the thread."""
        self._records: list[Record] = []
        self._lock = threading.Lock()  # of the records, and of what a subclass counts with them
        self._state, self._step = State.LOADING, 0
        # Not a daemon: a daemon inside torch at interpreter exit aborts the process.
        self._thread = threading.Thread(target=self._run, name=name)

    @property
    def state(self) -> State:
        return self._state

    @property
    def step(self) -> int:
        return self._step

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()

    def drain(self) -> list[Record]:
        """All records since the last call, in order."""
        with self._lock:
            return self._taken()

    def request_close(self, save: bool = True) -> None:
        """Let the thread end; CLOSED is its last record."""
        raise NotImplementedError

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the thread; True when it has ended."""
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def close(self, save: bool = True) -> None:
        self.request_close(save)
        self.join()

    def _run(self) -> None:
        raise NotImplementedError

    def _taken(self) -> list[Record]:
        """What waits, which waits no more; the lock is held."""
        taken, self._records = self._records, []
        return taken
