"""Starts the process of an engine, which outlives the one that started it."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from lora_lab import paths
from lora_lab.engine.lines import HANDS_OVER, is_own_user
from lora_lab.engine.places import Place, live_place, new_place, sweep
from lora_lab.errors import Cancelled, LabError, system_reason
from lora_lab.runs.own_files import PRIVATE
from lora_lab.runs.queue_kept import mark_kept, withdraw

QUEUE_LOG = "queue.log"
LOADING = 120.0  # seconds in which a process opens its door; a busy disk imports slowly
LOOK = 0.02  # seconds between two looks whether it has
CONNECT = 5.0  # seconds
_started: list[subprocess.Popen[bytes]] = []  # asked now and then, so that none is left unburied


class Gone(LabError):
    """No engine answers: it has ended, or was killed."""


def can_start() -> str:
    """Why no engine can be started here; "" where it can."""
    if HANDS_OVER:
        return ""
    return "A run in a process of its own needs sockets that this system's Python does not have."


def start_queue(folder: Path, agreed: bool) -> None:
    """Let a process without a window continue the queue in `folder`; raises LabError.

    `agreed`: whether a person has agreed to run the code that its runs name.
    """
    if reason := can_start():
        raise LabError(reason)
    withdraw(folder)  # what was meant for an earlier one
    try:
        more = ["--run-factory"] if agreed else []
        mark_kept(folder, _outliving(folder / QUEUE_LOG, "lora_lab.__main__", "queue", *more).pid)
    except OSError as error:
        raise LabError(f"The queue cannot continue by itself: {system_reason(error)}.") from error


def _outliving(log: Path, module: str, *arguments: str) -> subprocess.Popen[bytes]:
    """A process of this lab that a closed terminal does not end; raises OSError."""
    with open(log, "ab") as words:
        return subprocess.Popen(
            paths.python(module, *arguments),
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=words,
            start_new_session=True,
        )


class Starting:
    """One process on its way to its open door."""

    def __init__(self, run: Path) -> None:
        """Start the engine of `run`; raises LabError where one lives, or none can be started."""
        if reason := can_start():
            raise LabError(reason)
        if live_place(run) is not None:
            raise LabError(f"{run.name} trains in the background already. Attach to it.")
        sweep()
        self.place = new_place(run)
        try:
            self.place.folder.mkdir(PRIVATE, parents=True, exist_ok=True)
            self._process = _outliving(self.place.log, "lora_lab.engine.process", str(run))
        except OSError as error:
            raise LabError(f"No engine could be started: {system_reason(error)}.") from error
        self._until = time.monotonic() + LOADING
        _started[:] = [process for process in _started if process.poll() is None]
        _started.append(self._process)

    @property
    def pid(self) -> int:
        return self._process.pid

    def cancel(self) -> None:
        """End the process; it has opened nothing yet."""
        self._process.kill()
        self._process.wait()
        self.place.clear()

    def ready(self) -> bool:
        """Whether its door is open; raises LabError with its last words where it has ended."""
        if self.place.door.exists():
            return True
        if self._process.poll() is not None:
            raise LabError(f"The engine did not start. {self._last_words()}")
        if time.monotonic() > self._until:
            self.cancel()
            raise LabError("The engine did not start in time.")
        return False

    def wait(self, gives_up: Callable[[], bool] = lambda: False) -> None:
        """Until its door is open, or `gives_up`; raises LabError, and Cancelled then."""
        while not self.ready():
            if gives_up():
                self.cancel()
                raise Cancelled("The engine is no longer wanted.")
            time.sleep(LOOK)

    def _last_words(self) -> str:
        with suppress(OSError):
            lines = self.place.log.read_text("utf-8", "replace").splitlines()
            return next((line.strip() for line in reversed(lines) if line.strip()), "")[:500]
        return ""


def connect(place: Place) -> socket.socket:
    """A connection to the engine in a place; raises Gone where none answers there."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    until = time.monotonic() + CONNECT
    try:
        while code := connection.connect_ex(str(place.door)):
            if code != errno.EAGAIN or time.monotonic() > until:  # a queue stands before it
                raise OSError(code, os.strerror(code))
            time.sleep(LOOK)
        if not is_own_user(connection):
            raise PermissionError(1, "it is another user's")
    except OSError as error:
        connection.close()
        raise Gone(f"No engine answers at {place.door}: {system_reason(error)}.") from error
    return connection
