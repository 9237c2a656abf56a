"""Keeps the machine from going to sleep while a run trains, by the means of its own system.

Linux: an inhibitor of logind, held by a small process that ends with this one; macOS: caffeinate;
Windows: the execution state of a thread. A closed lid is beyond all of them.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable

from lora_lab.records import Record, State, StateRecord

AFTER = 10.0  # seconds of training before it is held: no machine falls asleep sooner
LOOK = 0.5  # seconds between two looks whether it is still held
CONTINUOUS, SYSTEM_REQUIRED = 0x80000000, 0x00000001  # of SetThreadExecutionState
Tell = Callable[[str], None]


def holders() -> list[list[str]]:
    """Commands that hold it until their standard input ends, the best first."""
    if sys.platform == "darwin":
        return [["caffeinate", "-i", "-w", str(os.getpid())]]
    who = ["--who=LoRA Lab", "--why=A run is training", "--mode=block"]
    found = [
        ["systemd-inhibit", "--what=idle:sleep", *who, "cat"],
        ["gnome-session-inhibit", "--inhibit", "idle:suspend", "cat"],
    ]
    return [command for command in found if shutil.which(command[0])]


class Awake:
    """Follows a run: held while it trains, let go when it pauses or ends. Close it at the end."""

    def __init__(self, tell: Tell) -> None:
        """`tell` receives, once, why the machine may go to sleep; on a thread of its own."""
        self._tell, self._told = tell, False
        self._news = threading.Condition()
        self._wanted = self._closing = False
        self._thread: threading.Thread | None = None
        self.held = False  # now

    def follow(self, record: Record) -> None:
        """A record of the run; what is no change of state says nothing."""
        if isinstance(record, StateRecord):
            self.want(record.state is State.RUNNING)

    def want(self, wanted: bool) -> None:
        with self._news:
            self._wanted = wanted
            if wanted and self._thread is None and not self._closing:
                self._thread = threading.Thread(target=self._run, name="lora-lab-awake")
                self._thread.start()
            self._news.notify_all()

    def close(self) -> None:
        """Let go, and end."""
        with self._news:
            self._closing, self._wanted = True, False
            self._news.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while True:
            with self._news:
                self._news.wait_for(lambda: self._wanted or self._closing)
                if self._closing:
                    return
                if self._news.wait_for(lambda: not self._wanted, AFTER):
                    continue
            self._hold()
            with self._news:  # what could not be held is not tried again in the same stretch
                self._news.wait_for(lambda: not self._wanted)

    def _hold(self) -> None:
        if sys.platform == "win32":
            state = ctypes.windll.kernel32.SetThreadExecutionState
            self.held = bool(state(CONTINUOUS | SYSTEM_REQUIRED))
            if self.held:
                self._wait(lambda: True)
                state(CONTINUOUS)
                self.held = False
                return
        reason = "this system has nothing that could hold it"
        for command in holders():
            reason = self._hold_by(command)
            if not reason:
                return
        if not self._told:
            self._told = True
            self._tell(
                f"This machine may go to sleep while the run trains: {reason}. See its power "
                "settings."
            )

    def _hold_by(self, command: list[str]) -> str:
        """Hold it by a process for as long as it is wanted; why that could not be done, or ""."""
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            )
        except OSError as error:
            return f"{command[0]} cannot be run ({error.strerror})"
        self.held = True
        self._wait(lambda: process.poll() is None)
        self.held = False
        refused = process.poll() is not None
        if not refused:
            process.terminate()
        _, said = process.communicate()
        lines = said.decode("utf-8", "replace").strip().splitlines()
        return f"{command[0]} says “{lines[-1][:200] if lines else 'no'}”" if refused else ""

    def _wait(self, holds: Callable[[], bool]) -> None:
        with self._news:
            while self._wanted and holds():
                self._news.wait_for(lambda: not self._wanted, LOOK)
