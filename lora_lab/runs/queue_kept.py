"""A queue that is kept without a window: a mark beside it, and how whoever wants it asks for it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lora_lab.atomic import write_file
from lora_lab.errors import not_written
from lora_lab.runs.lock import is_live
from lora_lab.runs.own_files import read_own

KEPT, WANTED, HEARD = "kept", "wanted", "heard"  # files of the queue's folder
GIVE, STOP = "give", "stop"  # hand it over, its run trains on; or end the run as well
STARTS = 60.0  # seconds in which a keeper that was started has the queue, and an answer is due


def is_kept(folder: Path) -> bool:
    """Whether a process without a window has the queue in `folder`, or starts to."""
    mark = folder / KEPT
    return mark.exists() and (is_live(folder) or (_is_fresh(mark) and _is_alive(mark)))


def mark_kept(folder: Path, pid: int) -> None:
    """Say that process `pid` keeps it, or will have it in a moment; raises LabError."""
    _write(folder / KEPT, f"{pid}")


def ask_for(folder: Path, what: str) -> None:
    """Ask the keeper to `GIVE` or to `STOP`; it answers by letting go. Raises LabError."""
    (folder / HEARD).unlink(missing_ok=True)
    _write(folder / WANTED, what)


def is_heard(folder: Path) -> bool:
    """Whether the keeper is about to let go; one that stands at a question hears nothing."""
    return (folder / HEARD).exists()


def withdraw(folder: Path) -> None:
    """Ask for nothing any more."""
    (folder / WANTED).unlink(missing_ok=True)


@contextmanager
def kept(folder: Path) -> Iterator[Callable[[], str]]:
    """Mark the queue, which this process has, as kept; what it is asked for, "" while nothing is.

    Raises LabError.
    """
    mark_kept(folder, os.getpid())

    def wanted() -> str:
        with suppress(OSError):
            asked = read_own(folder / WANTED).decode("ascii", "replace")
            if asked in (GIVE, STOP) and _is_fresh(folder / WANTED):
                (folder / HEARD).touch()
                return asked
        return ""

    try:
        yield wanted
    finally:
        for name in (KEPT, WANTED, HEARD):
            (folder / name).unlink(missing_ok=True)


def _is_fresh(path: Path) -> bool:
    """Whether it was written just now; what one who was killed left behind says nothing."""
    with suppress(OSError):
        return abs(time.time() - path.stat().st_mtime) < STARTS
    return False


def _is_alive(mark: Path) -> bool:
    """Whether the process that is named there lives; it may have failed to start."""
    with suppress(OSError, ValueError, OverflowError):  # no process has a number of 25 digits
        os.kill(max(1, int(read_own(mark))), 0)
        return True
    return False


def _write(path: Path, text: str) -> None:
    try:
        write_file(path, text.encode())
    except OSError as error:
        raise not_written(path, error) from error
