"""A queue of runs in a file: what is to be trained, in which order, and what came of each.

The file is replaced whole at every change, so that a crash between two runs loses nothing; a run
that was cut off waits again, and is resumed from its own checkpoint.
"""

from __future__ import annotations

import json
import math
import os
import secrets
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from lora_lab import paths
from lora_lab.atomic import make_folder, write_file
from lora_lab.config import RunConfig, checked
from lora_lab.errors import LabError, system_reason
from lora_lab.names import is_text
from lora_lab.runs.listing import Seconds, Steps, new_name, summary_of
from lora_lab.runs.lock import RunLock, is_live
from lora_lab.runs.own_files import PRIVATE, Door, plain_json, read_own
from lora_lab.runs.own_files import checked as door
from lora_lab.runs.queue_kept import KEPT
from lora_lab.runs.saves import resumable

WAITING, RUNNING, DONE, FAILED, ABORTED = "waiting", "running", "done", "failed", "aborted"
PRUNED = "pruned"  # ended by its search, since it promised nothing
STATES = (WAITING, RUNNING, DONE, FAILED, ABORTED, PRUNED)
FILE = "queue.json"
LARGEST = 2**26  # bytes of a queue's file
VALUES, LISTS = 2**22, 2**21  # in it: 20,000 runs have 2 million of the former
LONGEST = 255  # bytes of the name of a folder
SCHEMA = 1


class DamagedError(LabError):
    """The file of a queue is none that any lab has written."""


@dataclass(frozen=True)
class Item:
    """One run of a queue. Of a run that was made, `seconds` are of training, without pauses."""

    id: str
    config: RunConfig
    state: str = WAITING
    run: str = ""  # its folder, once it has one
    max_steps: int = 0  # 0: not known before its data are read
    step: int = 0
    best: float = math.nan  # lowest validation loss, the untrained adapter's among them
    parameters: int = 0  # that train
    seconds: float = 0.0
    message: str = ""  # why it failed
    search: str = ""  # that has chosen it, and as which of its trials
    trial: int = -1

    @property
    def ended(self) -> bool:
        return self.state in (DONE, FAILED, ABORTED, PRUNED)

    @property
    def resumes(self) -> bool:
        """Whether it has begun and can be resumed where it was saved."""
        return self.state == WAITING and bool(self.run) and resumable(Path(self.run)) is not None


def new_item(config: RunConfig, max_steps: int = 0) -> Item:
    """A run that waits; `max_steps` where epochs are known to make so many."""
    known = config.max_steps if config.epochs is None else max_steps
    return Item(secrets.token_hex(6), config, max_steps=known)


class Queue:
    """The items of one queue, in a folder that one process holds at a time."""

    def __init__(self, folder: Path) -> None:
        """Read the queue in `folder`, or begin one there; raises LabError.

        It does so where another process has the queue, and for a file that cannot be read. One that
        is damaged is moved aside first, so that it is not written over; a newer lab's stays.
        """
        self.folder = folder
        self.items: tuple[Item, ...] = ()
        self._known: tuple[tuple[Item, ...], dict[str, Item]] = (), {}  # items, and by their ids
        try:
            make_folder(folder, PRIVATE)
        except OSError as error:
            raise LabError(
                f"The queue cannot be kept in {folder}: {system_reason(error)}."
            ) from error
        self._lock = RunLock(folder)
        try:
            self._lock.take()
        except LabError:
            if not is_live(folder):  # no lock can be made there
                raise
            raise LabError(
                "The queue is in use by another window or process of the lab. Close it there first."
            ) from None
        with suppress(OSError):
            (folder / KEPT).unlink(missing_ok=True)  # of whoever had it before
        try:
            self.items = tuple(_woken(item) for item in items_of(folder))
        except DamagedError as error:
            try:
                raise _moved_aside(folder / FILE, error) from error
            finally:
                self.close()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the queue; the file stays."""
        self._lock.release()

    @property
    def running(self) -> Item | None:
        return next((item for item in self.items if item.state == RUNNING), None)

    @property
    def waiting(self) -> tuple[Item, ...]:
        return tuple(item for item in self.items if item.state == WAITING)

    def next(self) -> Item | None:
        """The first that waits; one that was resumed elsewhere and has come to its end is done."""
        self._keep(_caught_up(item) for item in self.items)
        return next(iter(self.waiting), None)

    def find(self, id: str) -> Item | None:
        """The item called `id`, as it is now."""
        items, by_id = self._known
        if items is not self.items:
            by_id = {item.id: item for item in reversed(self.items)}
            self._known = self.items, by_id
        return by_id.get(id)

    def add(self, configs: Iterable[RunConfig], max_steps: int = 0, **facts: Any) -> None:
        """Put runs at the end. Raises LabError like every change, where it cannot be written.

        `facts` are known of each of them beforehand.
        """
        new = (replace(new_item(config, max_steps), **facts) for config in configs)
        self._keep((*self.items, *new))

    def put_back(self, items: Iterable[Item]) -> None:
        """Put items at the end that were removed."""
        self._keep((*self.items, *items))

    def remove(self, ids: Iterable[str]) -> None:
        """Take items out; what runs stays, and so do the folders of runs."""
        gone = set(ids)
        self._keep(i for i in self.items if i.id not in gone or i.state == RUNNING)

    def place(self, id: str, row: int) -> None:
        """Move a waiting item to before what is at `row` now.

        It stays behind all that has run or is running.
        """
        item = self.find(id)
        if item is None or item.state != WAITING:
            return
        before = [i for i in self.items[:row] if i.id != id]
        after = [i for i in self.items[row:] if i.id != id]
        while after and after[0].state != WAITING:
            before.append(after.pop(0))
        self._keep((*before, item, *after))

    def note(self, id: str, *, keep: bool = True, **facts: Any) -> None:
        """Replace what is known of an item; without `keep` it is not written yet."""
        items = tuple(replace(i, **facts) if i.id == id else i for i in self.items)
        if keep:
            self._keep(items)
        else:
            self.items = items

    def _keep(self, items: Iterable[Item]) -> None:
        """Write `items` down, and only then have them."""
        items = tuple(items)
        text = json.dumps({"schema": SCHEMA, "items": [_plain(i) for i in items]}, indent=1)
        try:
            write_file(self.folder / FILE, text.encode())
        except OSError as error:
            reason = system_reason(error)
            raise LabError(f"The queue was not written to {self.folder}: {reason}.") from error
        self.items = items


def items_of(folder: Path) -> tuple[Item, ...]:
    """What stands in the file of a queue, whoever has the queue; raises LabError.

    The file stays as it is: whoever has the queue may be a newer lab.
    """
    path = folder / FILE
    try:
        stored = plain_json(read_own(path, LARGEST), VALUES, LISTS)
        schema = stored["schema"]
        if schema == SCHEMA:
            return _with_own_runs(_item(values, path) for values in stored["items"])
        if type(schema) is not int or schema < SCHEMA:
            raise ValueError("no lab has written such a version")
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise LabError(f"The queue {path} cannot be read: {system_reason(error)}.") from error
    except (LabError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DamagedError(f"The queue {path} could not be read ({error}).") from error
    raise LabError(
        f"The queue {path} is of a newer version of the lab, and stays as it is. Open it with that "
        "one, or move the file away."
    )


def _with_own_runs(items: Iterable[Item]) -> tuple[Item, ...]:
    """`items`, of which no two go on in one folder, whatever it is called: the first of them does.

    Folders are looked through for each item that may go on.
    """
    found, seen = list[Item](), set[tuple[int, int]]()
    for item in items:
        if item.run and not item.ended:
            with suppress(OSError, ValueError):
                about = os.stat(item.run)
                place = (about.st_dev, about.st_ino)
                item = replace(item, run="") if place in seen else item
                seen.add(place)
        found.append(item)
    return tuple(found)


def new_folder(item: Item) -> Path:
    """A folder of its own, named beforehand so that a run that was killed is found again."""
    return paths.runs() / f"{new_name(item.config)}-{item.id[:8]}"


def reached(run: Path) -> dict[str, Any]:
    """How far the run in a folder has come, as facts of its item; raises LabError."""
    found = summary_of(run)
    seconds = found.seconds if math.isfinite(found.seconds) else 0.0
    return {"step": found.step, "max_steps": found.max_steps, "best": found.best,
            "seconds": seconds}  # fmt: skip


def seconds_left(items: Iterable[Item], step_seconds: Callable[[RunConfig], float]) -> float:
    """Seconds that are left in `items`, by what a step of each takes; nan where one is not known.

    `step_seconds` is nan for a config of which no step was ever measured.
    """
    total = 0.0
    for item in items:
        if not item.ended:
            steps = max(0, item.max_steps - item.step) if item.max_steps else math.nan
            total += steps * step_seconds(item.config)
    return total


def pareto(items: Sequence[Item]) -> tuple[str, ...]:
    """Ids of the runs than which no other has both fewer parameters and a lower loss.

    By rising parameters. Runs that are equal in both are all included; those without a finite
    loss or without parameters are left out, and so is what is still running.
    """
    measured = [i for i in items if i.ended and i.parameters and math.isfinite(i.best)]
    front: list[Item] = []
    for item in sorted(measured, key=lambda i: (i.parameters, i.best)):
        if not front or item.best < front[-1].best or _equal(item, front[-1]):
            front.append(item)
    return tuple(item.id for item in front)


def _equal(one: Item, other: Item) -> bool:
    return (one.parameters, one.best) == (other.parameters, other.best)


def _woken(item: Item) -> Item:
    """What ran when the program ended waits again, to be resumed from its checkpoint."""
    return _caught_up(replace(item, state=WAITING) if item.state == RUNNING else item)


def _caught_up(item: Item) -> Item:
    """`item`, done where it waits and its run has come to its last step meanwhile."""
    reached = resumable(Path(item.run)) if item.state == WAITING and item.run else None
    if reached is None:
        return item
    try:
        run = summary_of(Path(item.run))
    except LabError:
        return replace(item, state=DONE, step=reached) if 0 < item.max_steps <= reached else item
    # Its own last step is known where epochs were asked for, and where patience has ended it.
    if reached < min(item.max_steps or run.max_steps, run.max_steps):
        return item
    return replace(item, state=DONE, step=reached, best=run.best, seconds=run.seconds)


def _plain(item: Item) -> dict[str, Any]:
    values = asdict(replace(item, config=None))  # type: ignore[arg-type]
    values["config"] = item.config.model_dump(mode="json")
    values["best"] = item.best if math.isfinite(item.best) else None
    return values


def _moved_aside(path: Path, error: DamagedError) -> LabError:
    """What to say of a damaged file, which lies elsewhere then; asked under the queue's lock."""
    damaged = path.with_name(f"{path.name}.damaged-{secrets.token_hex(3)}")
    try:
        path.replace(damaged)
    except OSError as refused:
        return LabError(f"{error} Nor can it be moved aside: {system_reason(refused)}.")
    return LabError(f"{error} It is kept as {damaged}; an empty one takes its place.")


def _is_name(name: str) -> bool:
    """Whether a folder among others can be called that."""
    return name != ".." and "\0" not in name and is_text(name) and len(name.encode()) <= LONGEST


class StoredItem(Door):
    """An item as it is written."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]  # names the run's folder
    state: Literal["waiting", "running", "done", "failed", "aborted", "pruned"]
    run: Annotated[str, Field(max_length=4096)]
    max_steps: Steps
    step: Steps
    best: float | None
    parameters: Steps
    seconds: Seconds
    message: str
    config: dict[str, Any]
    search: Annotated[str, Field(max_length=64)] = ""
    trial: Annotated[int, Field(ge=-1, le=10**6)] = -1


def _item(values: Any, path: Path) -> Item:
    """Raises LabError for what no queue writes.

    A run that is no folder among the lab's own is not resumed: the queue may be somebody else's.
    """
    stored = door(StoredItem, values, path)
    config = checked(RunConfig, stored.config, str(path))
    best = math.nan if stored.best is None else stored.best
    item = Item(**{**dict(stored), "config": config, "best": best})
    run = Path(item.run)
    own = item.ended or (run.parent == paths.runs() and _is_name(run.name))
    return item if own else replace(item, run="")
