"""Where the engine of a run has its door, its key and its log: a folder that is this user's alone.

The folder's name is made of the run's, so that whoever knows the run finds its engine, and it lies
where a logout leaves it. That an engine lives is a lock that the system lets go of with it.
"""

from __future__ import annotations

import getpass
import hashlib
import os
import re
import secrets
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from lora_lab import paths
from lora_lab.atomic import write_file
from lora_lab.errors import LabError, system_reason
from lora_lab.folders import remove_folder
from lora_lab.runs.own_files import PRIVATE, is_own, read_own

DOOR, KEY, LOCK, LOG, RUN = "door", "key", "lock", "engine.log", "run"
CLOSED = "bolt"  # the door before anybody listens at it; its name is no longer than DOOR
LONGEST = 100  # bytes of a socket's path; the systems take 107 and 103
NAME = 16  # letters of an engine's folder
OURS = re.compile(f"[0-9a-f]{{{NAME}}}")
KEY_BYTES = 32


@dataclass(frozen=True)
class Place:
    """The folder of the engine of one run."""

    folder: Path

    @property
    def door(self) -> Path:
        return self.folder / DOOR

    @property
    def closed_door(self) -> Path:
        return self.folder / CLOSED

    @property
    def log(self) -> Path:
        return self.folder / LOG

    @property
    def live(self) -> bool:
        """Whether an engine holds it now."""
        if not is_own(self.folder / LOCK):
            return False
        lock = FileLock(str(self.folder / LOCK), thread_local=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return True
        except OSError:
            return False
        lock.release()
        return False

    def key(self) -> str:
        """What a caller must know; raises LabError where it cannot be read."""
        try:
            _refuse_others(self.folder)
            return read_own(self.folder / KEY, 200).decode("ascii").strip()
        except (OSError, ValueError) as error:
            raise LabError(
                f"The key of the engine in {self.folder} cannot be read: {system_reason(error)}."
            ) from error

    def take(self, run: Path) -> FileLock:
        """Make it this process's: what a dead engine left is put away, and a new key is written.

        Raises LabError where an engine lives there already, or the folder is not private.
        """
        lock = FileLock(str(self.folder / LOCK), mode=0o600, thread_local=False)
        try:
            _make_private(self.folder)
            lock.acquire(timeout=0.5)
        except Timeout:
            raise LabError(f"{run.name} has an engine already. Attach to that one.") from None
        except OSError as error:
            raise LabError(
                f"The engine's folder {self.folder} cannot be used: {system_reason(error)}."
            ) from error
        for left in (self.door, self.closed_door):  # by one that was killed
            with suppress(OSError):
                left.unlink()
        fd = os.open(self.folder / KEY, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(fd, "w", encoding="ascii") as file:
            os.fchmod(fd, 0o600)
            file.write(secrets.token_hex(KEY_BYTES))
        self.name_run(run)
        return lock

    def name_run(self, run: Path) -> None:
        """Write down which run it is: it may have moved to another folder."""
        write_file(self.folder / RUN, os.fsencode(os.path.realpath(run)))

    def clear(self) -> None:
        """Put away what an engine leaves behind that ends; its folder with it."""
        with suppress(OSError):
            remove_folder(self.folder)
        with suppress(OSError):
            self.folder.parent.rmdir()  # where it was the last one


def new_place(run: Path) -> Place:
    """Where a new engine of a run may be."""
    name = hashlib.sha256(os.fsencode(os.path.realpath(run))).hexdigest()[:NAME]
    return Place(_home() / name)


def live_places() -> dict[str, Place]:
    """The engines of this user that live now, by the real path of what they train."""
    found = {}
    for folder in _listed(_home()):
        place = Place(folder)
        if place.live:
            with suppress(OSError):
                found[os.fsdecode(read_own(folder / RUN, 2**16))] = place
    return found


def live_place(run: str | Path) -> Place | None:
    """The engine that trains this run now."""
    return live_places().get(os.path.realpath(run))


def sweep() -> None:
    """Put away the folders of engines that were killed; nothing but what is called like one."""
    for folder in _listed(_home()):
        if OURS.fullmatch(folder.name) and not (place := Place(folder)).live:
            place.clear()


def _home() -> Path:
    """In the user's data; where that is too deep for a socket, in the system's temporary folder."""
    home = paths.user_data() / "engines"
    if len(os.fsencode(os.path.abspath(home))) + NAME + len(DOOR) + 2 <= LONGEST:
        return home
    digest = hashlib.sha256(os.fsencode(os.path.abspath(home))).hexdigest()[:8]
    return Path(tempfile.gettempdir()) / f"lora-lab-{getpass.getuser()}-{digest}"


def _listed(home: Path) -> list[Path]:
    """The folders in a home of this user's alone: in a temporary folder anybody may make one, or a
    link to folders of this user's that are none of the lab's."""
    try:
        _refuse_others(home)
        entries = os.scandir(home)
        return [Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def _make_private(folder: Path) -> None:
    """Raises OSError where it is, or would be, somebody else's as well."""
    for each in (folder.parent, folder):
        each.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        about = os.lstat(each)
        if stat.S_ISLNK(about.st_mode) or about.st_uid != os.getuid():
            raise PermissionError(1, f"{each} is not this user's own", str(each))
        os.chmod(each, PRIVATE)


def _refuse_others(folder: Path) -> None:
    """Raises OSError where others could have put something there."""
    about = os.lstat(folder)
    if stat.S_ISLNK(about.st_mode) or about.st_uid != os.getuid() or about.st_mode & 0o077:
        raise PermissionError(1, f"{folder} is not private to this user", str(folder))
