"""The processes of a run that is in several: met where torchrun started them, else started here.

Those that are started here run on this machine, meet by a file in a folder of this user's alone,
and end with the first: it holds their stdin, which ends with it in whatever way.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lora_lab import paths
from lora_lab.config import RunConfig
from lora_lab.errors import LabError, system_reason
from lora_lab.folders import remove_folder
from lora_lab.progress import Report, silent
from lora_lab.training.parallel.place import Place, place_here

if TYPE_CHECKING:
    from lora_lab.training.parallel.group import Group

MODULE = "lora_lab.training.parallel.launch"
READY = "ready."  # and a process's number: the file by which it says so
LOADING = 300.0  # seconds in which they import what they need; a busy disk is slow
LOOK = 0.02  # seconds between two looks whether they have
LAST = 10.0  # seconds in which one ends by itself


@contextmanager
def together(config: RunConfig, report: Report = silent) -> Iterator[Group | None]:
    """The processes of a run of `config`, of which this is the first; None where it is alone.

    Raises LabError where they cannot be started, or do not meet.
    """
    place = place_here()
    if place is None and config.processes == 1:
        yield None
        return
    from lora_lab.training.parallel.group import Group

    if place is not None:
        place.device(config.device)  # or it is refused
        group = Group(place)
        try:
            yield group
        finally:
            group.close(tell=True)
        return
    with _cores_shared(config.processes), _Others(config.processes) as others:
        report(f"Starting {config.processes - 1} more", -1)
        others.wait()
        group = Group(others.place)
        try:
            yield group
        finally:
            group.close(tell=True)


@contextmanager
def _cores_shared(processes: int) -> Iterator[None]:
    """Each process has its part of the threads that one would have."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(max(1, before // processes))
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _Others:
    """All processes of a run but the first, from their start to their end."""

    def __init__(self, processes: int) -> None:
        import torch

        self._folder = Path(tempfile.mkdtemp(prefix="lora-lab-together-"))  # this user's alone
        self.place = Place(0, processes, 0, str(self._folder / "meeting"))
        self._running: list[subprocess.Popen[bytes]] = []
        threads = {"OMP_NUM_THREADS": str(torch.get_num_threads())}
        try:
            for number in range(1, processes):
                about = (str(number), str(processes), self.place.meeting)
                self._running.append(
                    subprocess.Popen(
                        paths.python(MODULE, *about),
                        stdin=subprocess.PIPE,
                        stdout=2,  # what the run answers with is the first one's
                        env={**os.environ, **threads},
                        start_new_session=True,  # a terminal's Ctrl-C is for the first one
                    )
                )
        except OSError as error:
            self._end()
            raise LabError(f"No more processes can be started: {system_reason(error)}.") from error

    def __enter__(self) -> _Others:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def wait(self) -> None:
        """Until all have what they need; raises LabError for one that has ended or takes long."""
        until = time.monotonic() + LOADING
        waiting = dict(enumerate(self._running, 1))
        while waiting:
            for number, process in list(waiting.items()):
                if (self._folder / f"{READY}{number}").exists():
                    del waiting[number]
                elif (code := process.poll()) is not None or time.monotonic() > until:
                    how = "does not start in time" if code is None else f"has ended (code {code})"
                    raise LabError(
                        f"Process {number} of {self.place.processes} {how}, so that the run was "
                        "not begun. What it said is above, or in the engine's log."
                    )
            time.sleep(LOOK)

    def _end(self) -> None:
        until = time.monotonic() + LAST
        for process in self._running:
            with suppress(OSError):
                process.stdin.close()
        for process in self._running:
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        with suppress(OSError):
            remove_folder(self._folder)


def main() -> None:
    """Take part in the run whose first process has started this one."""
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    number, processes, meeting = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    threading.Thread(target=_end_with_the_first, daemon=True).start()
    from lora_lab.training.parallel import follower as _  # noqa: F401 - it takes seconds

    Path(meeting).with_name(f"{READY}{number}").touch()
    try:
        sys.exit(follows(Place(number, processes, number, meeting)))
    except LabError as error:
        sys.exit(str(error))


def follows(place: Place) -> int:
    """Follow the first process to the end; the code to exit with.

    Raises LabError with what this one is to say; where another says it there is a code alone.
    """
    from lora_lab.training.parallel.follower import follow
    from lora_lab.training.parallel.group import LostProcess, NotReady

    try:
        follow(place)
    except NotReady:  # the first one says why
        return 1
    except LostProcess:
        if place.number > 1:  # one of them says so
            return 1
        raise
    return 0


def _end_with_the_first() -> None:
    """Whoever waits for what will not come has his time to say so."""
    sys.stdin.buffer.read()
    time.sleep(LAST / 2)
    os._exit(1)
