"""Writes that survive a crash: what stood before stands until the new one is whole on the disk.

The order is always the same: write beside the target under a name of its own, flush and sync the
bytes, rename, sync the directory. Without the sync a power cut may leave a file of zeros under the
right name. Nothing is caught and nothing is translated: a full disk or a folder that may not be
written reaches the caller as the `OSError` that it is, with the old file or folder untouched.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lora_lab.folders import folders_in, held_folder, remove_folder

LEFT = re.compile(r"\..*\.[0-9a-f]{12}\.tmp")  # the name of what is being made
HOUR = 3600.0
BEING_MADE: set[Path] = set()  # by this process
ASIDE = ".lora-lab-old"  # ends the name of a folder that waits to be replaced


def write_file(path: Path, *parts: bytes | memoryview, mode: int = 0o666) -> None:
    """Write `parts`, one behind the other, to `path`, replacing what stood there in one step.

    Others may read it as far as `mode` and the umask let them.

    Raises `OSError`; the old file then still stands and nothing is left beside it. (Only a failure
    of the very last sync comes after the replacement: the new file stands, its name may not yet
    survive a power cut.)
    """
    check_target(path)
    temporary = _beside(path)
    try:
        # O_EXCL: never write through a file or link that somebody else put there. A mode lets the
        # umask decide, unlike tempfile, which would leave a file that only its owner can read.
        fd = os.open(
            temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode
        )
        try:
            for part in parts:
                rest = memoryview(part)
                while rest:  # one call may write less than it was given, and never more than 2 GB
                    rest = rest[os.write(fd, rest) :]
            os.fsync(fd)
        finally:
            os.close(fd)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def check_target(path: Path, folder: bool = False) -> None:
    """Raise `OSError` where something stands at `path` that is no plain file, or no `folder`.

    To rename over a device takes it from the machine, and over a link leaves its file as it was.
    """
    try:
        kind = os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    if stat.S_ISLNK(kind):
        raise OSError(errno.ELOOP, f"it is a link, to {os.readlink(path)}; name that", str(path))
    if not (stat.S_ISDIR(kind) if folder else stat.S_ISREG(kind)):
        wanted = "folder" if folder else "plain file"
        code = errno.EISDIR if stat.S_ISDIR(kind) else errno.EEXIST
        raise OSError(code, f"it is no {wanted}, and is not replaced", str(path))


def replace_file(temporary: Path, target: Path) -> None:
    """Let the finished file `temporary`, on the same disk, take the place of `target`.

    Raises `OSError`; the old file then still stands.
    """
    check_target(target)
    with temporary.open("rb+") as file:
        os.fsync(file.fileno())
    os.replace(temporary, target)
    sync_folder(target.parent)


def make_folder(path: Path, mode: int = 0o777, exist_ok: bool = True) -> None:
    """Make a folder and those above it, so that a power cut takes none of their names away.

    Raises `OSError`.
    """
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(mode, parents=True, exist_ok=exist_ok)
    for folder in reversed(missing):
        sync_folder(folder.parent)


@contextmanager
def temporary_folder(beside: Path) -> Iterator[Path]:
    """A new empty folder in the same directory as `beside`, gone afterwards unless it was renamed.

    The same directory means the same file system, so that `replace_folder` can rename it.
    """
    folder = _beside(beside)
    folder.mkdir()
    BEING_MADE.add(folder)
    try:
        yield folder
    finally:
        with suppress(OSError):  # it must not hide the one that brought us here
            remove_folder(folder)
        BEING_MADE.discard(folder)


def tidy_leftovers(parent: Path) -> None:
    """Take away the folders in `parent` whose making was cut off over an hour ago."""
    for path in parent.glob(".*.tmp"):
        made_here = LEFT.fullmatch(path.name) and path not in BEING_MADE
        with suppress(OSError):
            old = time.time() - path.lstat().st_mtime > HOUR
            if made_here and old and path.is_dir() and not path.is_symlink():
                remove_folder(path)


def replace_folder(temporary: Path, target: Path) -> Path | None:
    """Let the finished folder `temporary` take the place of `target`.

    Everything in it is synced, the old folder is renamed aside, the new one renamed into place,
    and only then is the old one removed. On `OSError` the old folder is back under its name. A
    crash between the two renames is mended by `restore_folder`.

    An empty `target` is kept and filled: somebody may be standing in it.

    Returns None, or the place where the old folder was left because it could not be removed.
    """
    check_target(target, folder=True)
    _sync_tree(temporary)
    if target.is_dir() and not any(target.iterdir()):
        _fill(temporary, target)
        return None
    restore_folder(target)
    old = aside(target)
    replacing = os.path.lexists(target)
    if replacing:
        if old.exists():
            remove_folder(old)  # left by an earlier replacement that had succeeded
        os.chmod(temporary, target.stat().st_mode & 0o7777)
        os.rename(target, old)
    moved = False
    try:
        os.rename(temporary, target)
        moved = True
        sync_folder(target.parent)
    except BaseException:
        if moved:
            os.rename(target, temporary)
        if replacing:
            os.rename(old, target)
        raise
    if not replacing:
        return None
    with suppress(OSError):  # the new folder stands: the write has succeeded
        remove_folder(old)
    return old if old.exists() else None


def give_name(temporary: Path, wanted: Path) -> Path:
    """Let the finished folder `temporary` have the name `wanted`, or the first free one after it.

    Nothing is replaced, whoever takes a name meanwhile: it is asked for and had in one step. Raises
    `OSError`.
    """
    _sync_tree(temporary)
    for number in range(1, 10_000):
        target = wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}")
        made = False
        try:
            if os.name != "nt":  # there no folder is renamed over another
                target.mkdir(stat.S_IMODE(temporary.stat().st_mode))
                made = True
            os.rename(temporary, target)  # refuses where something was put into it
        except OSError as error:
            if made:
                with suppress(OSError):  # its own, and still empty
                    target.rmdir()
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
            if made and not os.path.lexists(target):  # a file system that replaces none at all
                os.rename(temporary, target)
            else:
                continue
        sync_folder(target.parent)
        return target
    raise OSError(errno.EEXIST, "too many folders have this name and a number", str(wanted))


def _fill(temporary: Path, target: Path) -> None:
    """Move the files of one folder into another, empty one; on `OSError` it is empty again."""
    moved = []
    with held_folder(target) as held:
        try:
            for path in sorted(temporary.iterdir(), reverse=True):
                os.rename(path, held / path.name)
                moved.append(path)
            sync_folder(held)
        except BaseException:
            for path in moved:
                os.rename(held / path.name, path)
            raise


def restore_folder(target: Path) -> bool:
    """Put the old folder back if a crash came after it was moved aside; True if it was."""
    old = aside(target)
    if os.path.lexists(target) or not old.is_dir():
        return False
    os.rename(old, target)
    sync_folder(target.parent)
    return True


def aside(target: Path) -> Path:
    """Where the old folder waits while the new one is moved into place."""
    return target.with_name(f".{target.name}{ASIDE}")


def restore_all(parent: Path) -> list[str]:
    """Put back, or take away where they are no longer needed, the old folders that crashes left.

    Returns the names of what was put back.
    """
    restored = []
    for path in sorted(parent.glob(f".*{ASIDE}")):
        target = parent / path.name[1 : -len(ASIDE)]
        if restore_folder(target):
            restored.append(target.name)
        else:
            with suppress(OSError):
                remove_folder(path)
    return restored


def _beside(path: Path) -> Path:
    return path.with_name(f".{shortened(path.name)}.{secrets.token_hex(6)}.tmp")


def shortened(name: str) -> str:
    """As much of a name as leaves room for more before and behind it, in 255 bytes."""
    return os.fsencode(name)[:200].decode("utf-8", "ignore")


def _sync_tree(folder: Path) -> None:
    for where, names in folders_in(folder):
        for name in names:
            fd = os.open(where / name, os.O_RDWR)  # Windows syncs writable files only
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
        sync_folder(where)


def sync_folder(folder: Path) -> None:
    """Wait until the disk has the names in a folder as they are now; raises `OSError`."""
    if os.name == "nt":  # NTFS journals names itself, and a directory cannot be opened there
        return
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
