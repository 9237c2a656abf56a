"""Folders held, gone through and removed, in loops: one of a thousand levels is like any other."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

OPEN_FOLDERS = Path("/proc/self/fd")  # each of this process by its number


@contextmanager
def held_folder(folder: Path) -> Iterator[Path]:
    """A path of a folder that stays its own, whatever takes the folder's name meanwhile.

    Raises OSError where it is a link. (Where the system has no path of an open folder, as only
    Linux has one, it is looked at before and not held.)
    """
    if folder.is_symlink():
        raise OSError(errno.ELOOP, "it is a link, and leads to another folder", str(folder))
    if not OPEN_FOLDERS.is_dir():
        yield folder
        return
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield OPEN_FOLDERS / str(fd)
    finally:
        os.close(fd)


def folders_in(folder: Path, all_of_it: bool = False) -> Iterator[tuple[Path, list[str]]]:
    """A folder and each within it, with the names of its files; by name, and its own files first.

    No link is followed. What cannot be read is passed over; where `all_of_it` is wanted, its
    OSError is raised.
    """
    waiting = [str(folder)]
    while waiting:
        here = waiting.pop()
        try:
            entries = sorted(os.scandir(here), key=lambda entry: entry.name)
            names = [entry.name for entry in entries if not entry.is_dir()]
            inner = [entry.path for entry in entries if _is_folder(entry)]
        except OSError:
            if all_of_it:
                raise
            continue
        yield Path(here), names
        waiting += reversed(inner)


def contents(folder: Path) -> list[Path]:
    """What is in a folder, by name: nothing where there is none. Raises OSError if it is hidden."""
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def is_there(path: Path) -> bool:
    """Whether something has this name; raises OSError where the system does not let that be seen.

    `exists` and its kin say no then, and what is there would be passed over without a word.
    """
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def remove_folder(folder: Path) -> None:
    """Remove a folder with all that is in it, links and not what they lead to.

    A folder within another is moved up to the outermost one first, so that no path becomes longer
    than the system takes. What cannot be removed stays, and the first OSError is raised at the end.
    """
    refused: list[OSError] = []
    folder.lstat()  # raises where there is none
    with held_folder(folder) as outer:
        waiting, count, mark = [outer], 0, secrets.token_hex(6)
        while waiting:
            path = waiting.pop()
            try:
                with held_folder(path) if path != outer else nullcontext(outer) as here:
                    # Files first: on a full disk they make room for the names of what moves up.
                    for entry in sorted(os.scandir(here), key=_is_folder):
                        try:
                            if not _is_folder(entry):
                                os.unlink(entry.path)
                                continue
                            count += 1
                            os.rename(entry.path, moved := outer / f".{mark}.{count}")
                            waiting.append(moved)
                        except OSError as error:
                            refused.append(error)
                if path != outer:
                    os.rmdir(path)
            except OSError as error:
                refused.append(error)
    if refused:
        raise refused[0]
    os.rmdir(folder)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder of its own: neither a link, nor Windows' junction to another one."""
    if not entry.is_dir(follow_symlinks=False):
        return False
    tag = getattr(entry.stat(follow_symlinks=False), "st_reparse_tag", 0)
    return tag != getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", -1)
