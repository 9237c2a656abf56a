"""Whether a run is being written by a living process: a lock that dies with it."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated

from filelock import FileLock, Timeout
from pydantic import Field

from lora_lab.atomic import write_file
from lora_lab.errors import LabError, system_reason
from lora_lab.runs.own_files import Door, checked, is_own, read_table, refuse_strangers

NAME = "lock"
OWNER = "owner.json"
PATIENCE = 0.5  # seconds; who only looks whether it is free holds it for a moment


class RunLock:
    """Held from the first record to the last; the system lets go of it when the process ends."""

    def __init__(self, run: Path) -> None:
        self._run = run
        self._held: os.stat_result | None = None  # the file that was locked
        self._lock = FileLock(str(run / NAME), thread_local=False)

    def take(self) -> None:
        """Raises `LabError` where another process has it, none can be made, or links are there."""
        refuse_strangers(self._run)
        try:
            self._lock.acquire(timeout=PATIENCE)
        except Timeout:
            raise LabError(
                f"{self._run.name} is being trained by {owner(self._run) or 'another process'}. "
                "Close it there first."
            ) from None
        except OSError as error:
            raise LabError(f"{self._run} cannot be locked: {system_reason(error)}.") from error
        with suppress(OSError):
            self._held = os.stat(self._run / NAME)
        about = {"pid": os.getpid(), "since": time.strftime("%Y-%m-%dT%H:%M:%S%z")}
        try:
            write_file(self._run / OWNER, json.dumps(about).encode())
        except OSError:
            return  # it is for people only

    @property
    def in_place(self) -> bool:
        """Whether the locked file is still the one in the run: a folder may be moved away."""
        try:
            return self._held is not None and os.path.samestat(
                self._held, os.stat(self._run / NAME)
            )
        except OSError:
            return False

    def release(self) -> None:
        with suppress(OSError):  # the disk may be gone, and the lock with it
            (self._run / OWNER).unlink(missing_ok=True)  # before it can be another's
        with suppress(OSError):
            self._lock.release()


def is_live(run: Path) -> bool:
    """Whether some process holds the run."""
    if not is_own(run / NAME):  # to try it would empty it
        return False
    lock = FileLock(str(run / NAME), thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:
        return False  # a read-only disk: no process writes there
    lock.release()
    return False


def owner(run: Path) -> str:
    """Who holds it, for people; "" where that is not known."""
    try:
        about = checked(Owner, read_table(run / OWNER), run / OWNER)
    except (OSError, LabError):
        return ""
    return f"process {about.pid} (since {about.since})"


class Owner(Door):
    """owner.json: who holds a run."""

    pid: Annotated[int, Field(ge=0, lt=2**32)]
    since: Annotated[str, Field(max_length=40)]
