"""The sweeps that are on clusters: the list of them, a new one sent, an old one followed again."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lora_lab import paths
from lora_lab.cluster.jobs import Cluster, UnreachableError
from lora_lab.cluster.sweep import FILE, ClusterSweep, where
from lora_lab.config import RunConfig
from lora_lab.errors import LabError, system_reason
from lora_lab.folders import contents, is_there, remove_folder
from lora_lab.runs.queue import Item, Queue, items_of


@dataclass(frozen=True)
class Sent:
    """One sweep: its folder, the head that it was sent to, and what is known here of its runs."""

    folder: Path
    address: str
    items: tuple[Item, ...]
    flaw: str = ""  # why it cannot be read


def sweeps() -> Path:
    """Where the sweeps of this person are, each in a folder of its own."""
    return paths.user_data() / "sweeps"


def new_sweep() -> Path:
    """A folder for a sweep that begins now; another one of this second may have been made."""
    folder = sweeps() / time.strftime("%Y%m%d-%H%M%S")
    taken = (folder.with_name(f"{folder.name}-{n}") for n in itertools.count(2))
    return next(path for path in itertools.chain((folder,), taken) if not path.exists())


def sent_sweeps() -> list[Sent]:
    """Those that were sent to a cluster, the newest first; a damaged one says what is wrong."""
    found = []
    try:
        folders = contents(sweeps())
    except OSError as error:
        return [Sent(sweeps(), "", (), f"{sweeps()} cannot be read: {system_reason(error)}.")]
    for folder in reversed(folders):
        try:
            if is_there(folder / FILE) and (known := where(folder)) is not None:
                found.append(Sent(folder, known.address, items_of(folder)))
        except OSError as error:
            reason = system_reason(error)
            found.append(Sent(folder, "", (), f"{folder} cannot be read: {reason}."))
        except LabError as error:
            found.append(Sent(folder, "", (), str(error)))
    return found


def line_up(configs: Sequence[RunConfig]) -> Path:
    """The folder of a new sweep of these runs, which is not sent yet; raises LabError."""
    folder = new_sweep()
    queue = Queue(folder)
    try:
        queue.add(configs)
    finally:
        queue.close()
    return folder


def send(folder: Path, cluster: Cluster, storage: str, cpus: int) -> tuple[Queue, ClusterSweep]:
    """Send the sweep in `folder`; raises LabError, and then nothing was sent.

    Where the answer was lost on its way, nobody can say that: then it counts as sent, and whoever
    follows it learns whether it was.
    """
    queue = Queue(folder)
    try:
        return queue, ClusterSweep.send(queue, cluster, storage, cpus)
    except LabError as error:
        queue.close()
        if not isinstance(error, UnreachableError):
            (folder / FILE).unlink(missing_ok=True)
        raise


def is_sent(folder: Path) -> bool:
    """Whether the runs of a sweep are a cluster's, or may be."""
    return (folder / FILE).exists()


def taken_aside(folder: Path) -> Path | None:
    """Where a sweep lies that nobody sends any more; None where it was sent, or may be.

    Who sends it may be about to, on another thread: under its old name nothing can be noted then.
    """
    aside = folder.with_name(f".{folder.name}")
    try:
        folder.rename(aside)
    except OSError:  # Windows: it is open
        aside = folder
    if not is_sent(aside):
        return aside
    if aside != folder:
        aside.rename(folder)
    return None


def drop(folder: Path) -> None:
    """Remove a sweep that was not sent."""
    with suppress(OSError):
        remove_folder(folder)


def attach(folder: Path, cluster: Cluster, restore: bool) -> tuple[Queue, ClusterSweep]:
    """Follow the sweep in `folder` again, or begin another job that goes on; raises LabError."""
    queue = Queue(folder)
    try:
        known = where(folder)
        if known is None:
            raise LabError(f"The sweep in {folder} was begun here, not on a cluster.")
        sweep = ClusterSweep.attach(queue, known, cluster)
        if restore:
            sweep.restore()
    except LabError:
        queue.close()
        raise
    return queue, sweep
