"""The engine's own process: what it is started with, what it serves, and how it ends."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lora_lab.allocator import keep_freed_memory
from lora_lab.engine.host import Host
from lora_lab.engine.openings import unpack_opening
from lora_lab.engine.places import new_place
from lora_lab.errors import LabError
from lora_lab.training.session import Session

SWITCH_INTERVAL = 0.001  # seconds; the door gets its turn as a window does


def main() -> None:
    """Serve the run whose folder is the last argument; the rest is asked at the door."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    keep_freed_memory()
    faulthandler.enable()
    sys.setswitchinterval(SWITCH_INTERVAL)
    os.umask(0o077)
    run = Path(sys.argv[-1])
    place = new_place(run)
    try:
        lock = place.take(run)
    except LabError as error:
        sys.exit(str(error))
    try:
        _load()
        host = Host(place, _opened, _say)
        _listen_to_signals(host)
        _say(f"process {os.getpid()} trains {run}")
        host.serve()
        _say(f"ended at step {host.step:,}")
    except LabError as error:
        sys.exit(str(error))
    finally:
        place.clear()
        lock.release()


def _load() -> None:
    """What takes a second or more to import, before the door opens and a run waits for it."""
    import torch  # noqa: F401

    from lora_lab.training import run  # noqa: F401


def _opened(message: dict[str, Any], wake: Callable[[], None]) -> Session:
    opening = unpack_opening(message.get("opening"))
    threads = max(1, (os.cpu_count() or 2) - 1)  # a core for whoever works at this machine
    paused = message.get("paused") is not False
    return Session(opening, paused=paused, threads=threads, wake=wake)


def _listen_to_signals(host: Host) -> None:
    """SIGTERM, as at the end of the system, saves and ends; what a terminal sends is not for us."""
    signal.signal(signal.SIGTERM, lambda *_: host.end())
    for name in ("SIGINT", "SIGHUP"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)


def _say(words: str) -> None:
    sys.stderr.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {words}\n")
    sys.stderr.flush()
