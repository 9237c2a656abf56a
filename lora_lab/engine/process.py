"""The engine's own process: what it is started with, what it serves, and how it ends."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from lora_lab.allocator import keep_freed_memory
from lora_lab.awake import Awake
from lora_lab.desktop_note import LONG, notify
from lora_lab.engine.host import Host
from lora_lab.engine.openings import unpack_opening
from lora_lab.engine.places import new_place
from lora_lab.errors import LabError
from lora_lab.opening_records import LoadedRecord
from lora_lab.records import Record, State, StateRecord
from lora_lab.runs.saved_config import SavedConfig
from lora_lab.training.session import Session, threads_beside_a_person

ENDS = (State.FINISHED, State.STOPPED, State.FAILED)
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
        _load(run)
        host = Host(place, opened, _say)
        _listen_to_signals(host)
        _say(f"process {os.getpid()} trains {run}")
        with closing(Awake(host.news)) as awake:
            host.serve(Ends(host, awake).note)
        _say(f"ended at step {host.step:,}")
    except LabError as error:
        sys.exit(str(error))
    finally:
        place.clear()
        lock.release()


class Ends:
    """Keeps the machine awake while the run trains, and has its end told when nobody watches."""

    def __init__(self, host: Host, awake: Awake) -> None:
        self._host, self._awake = host, awake
        self._title, self._since = "LoRA Lab", 0.0

    def note(self, record: Record) -> None:
        self._awake.follow(record)
        if isinstance(record, LoadedRecord):
            self._title = record.title
        if not isinstance(record, StateRecord):
            return
        if record.state is State.RUNNING:
            self._since = time.monotonic()
        elif record.state in ENDS and self._since and not self._host.watchers:
            if time.monotonic() - self._since >= LONG and self._host.notes:
                words = f"{record.state.value} at step {record.step:,}"
                notify(self._title, f"{words}: {record.message}" if record.message else words)
            self._since = 0.0


def _load(run: Path) -> None:
    """What takes seconds to import, before the door opens and a run waits for it."""
    import torch

    from lora_lab.training import run as _  # noqa: F401

    torch.optim.AdamW([torch.zeros(1)])  # imports a compiler as it is made
    with suppress(LabError):
        if SavedConfig.read(run).config.model:
            import transformers  # noqa: F401


def opened(message: dict[str, Any], wake: Callable[[], None]) -> Session:
    """The session that is asked for; raises LabError."""
    opening = unpack_opening(message.get("opening"))
    paused = message.get("paused") is not False
    return Session(opening, paused=paused, threads=threads_beside_a_person(), wake=wake)


def _listen_to_signals(host: Host) -> None:
    """SIGTERM, as at the end of the system, saves and ends; what a terminal sends is not for us."""
    signal.signal(signal.SIGTERM, lambda *_: host.end())
    for name in ("SIGINT", "SIGHUP"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)


def _say(words: str) -> None:
    sys.stderr.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {words}\n")
    sys.stderr.flush()
