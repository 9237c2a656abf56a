"""A disk that remembers in which order it was changed, and what it may hold after a power cut.

Recorded are the calls of `os` that make, write, cut, rename, remove and sync below a folder. A file
system promises no more than this: what a file held when it was synced, and which names a folder had
when that was. The rest may be there in part and in any order; a rename is done or not done.
"""

from __future__ import annotations

import os
import random
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = 0


@dataclass(frozen=True)
class Change:
    """One call: what was done to which file or folder."""

    what: str  # link, unlink, move, write, cut, sync
    id: int  # of the file that is written, or of the folder whose names change
    name: str = ""  # in the folder
    target: int = -1  # what the name stands for
    old: str = ""  # of what is moved
    at: int = 0  # where in the file
    data: bytes = b""


@dataclass
class Disk:
    """All changes below a folder, in order."""

    root: Path
    changes: list[Change] = field(default_factory=list)
    folders: set[int] = field(default_factory=lambda: {ROOT})
    lengths: dict[int, int] = field(default_factory=dict)  # of files, as far as they are recorded

    def laid_out(self, until: int, where: Path, kind: str, chance: random.Random) -> None:
        """Write into the new folder `where` what may be there once the power was cut.

        `kind`: which of what was not synced is there.
        """
        done = self.changes[:until]
        synced = {change.id: at for at, change in enumerate(done) if change.what == "sync"}
        names: dict[int, dict[str, int]] = {}
        contents: dict[int, bytearray] = {}
        share = chance.random()
        for at, change in enumerate(done):
            if change.what == "sync":
                continue
            safe = at < synced.get(change.id, -1)
            of_name = change.what in ("link", "unlink", "move")
            there = safe or {
                "nothing more": False, "names alone": of_name, "bytes alone": not of_name,
                "any part": chance.random() < share, "all": True,
            }[kind]  # fmt: skip
            if of_name:
                if there:
                    _renamed(names.setdefault(change.id, {}), change)
                continue
            _written(contents.setdefault(change.id, bytearray()), change, there, kind, chance)
        self._lay(ROOT, where, names, contents)

    def _lay(
        self, id: int, where: Path, names: dict[int, dict[str, int]], contents: dict[int, bytearray]
    ) -> None:
        where.mkdir()
        for name, target in names.get(id, {}).items():
            if target in self.folders:
                self._lay(target, where / name, names, contents)
            else:
                (where / name).write_bytes(contents.get(target, b""))


def _renamed(names: dict[str, int], change: Change) -> None:
    if change.what == "unlink":
        names.pop(change.name, None)
        return
    if change.what == "move" and names.get(change.old) == change.target:
        del names[change.old]
    names[change.name] = change.target


def _written(
    content: bytearray, change: Change, there: bool, kind: str, chance: random.Random
) -> None:
    """Bytes that are there, or are not; or, as anything may be, in part or as zeros."""
    if change.what == "cut":
        if there:
            content[change.at :] = bytes(max(0, change.at - len(content)))
        return
    data, length = change.data, len(change.data)
    if not there:
        if kind != "any part" or chance.random() < 0.5:
            return
        part = chance.randrange(length + 1)
        data = data[:part] + bytes(chance.choice((0, length - part)))
    content[len(content) : change.at] = bytes(max(0, change.at - len(content)))
    content[change.at : change.at + len(data)] = data


@contextmanager
def recording(root: Path) -> Iterator[Disk]:
    """All that is changed below the empty folder `root` within, by any thread."""
    recorder = _Recorder(root)
    real = {name: getattr(os, name) for name in _Recorder.CALLS}
    for name, call in real.items():
        setattr(os, name, recorder.wrapped(name, call))
    try:
        yield recorder.disk
    finally:
        for name, call in real.items():
            setattr(os, name, call)


class _Recorder:
    CALLS = ("open", "write", "ftruncate", "fsync", "replace", "rename", "mkdir", "unlink", "rmdir")

    def __init__(self, root: Path) -> None:
        self.disk = Disk(root)
        self._ids: dict[int, int] = {os.stat(root).st_ino: ROOT}  # by inode
        self._count = 0
        self._lock = threading.RLock()

    def wrapped(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        after = getattr(self, f"_{name}")

        def recorded(*arguments: Any, **named: Any) -> Any:
            with self._lock:
                return after(call, *arguments, **named)

        return recorded

    def _new(self, inode: int, folder: bool = False) -> int:
        self._count += 1
        self._ids[inode] = self._count
        if folder:
            self.disk.folders.add(self._count)
        return self._count

    def _add(self, *facts: Any, **more: Any) -> None:
        self.disk.changes.append(Change(*facts, **more))

    def _place(self, path: Any, within: int | None = None) -> tuple[int, str] | None:
        """The folder that a path is in and its name there; None where that is not recorded."""
        parent, name = os.path.split(os.fspath(path))
        if parent or within is None:
            about = os.stat(parent or ".", dir_fd=within)
        else:
            about = os.fstat(within)
        id = self._ids.get(about.st_ino)
        return None if id is None or id not in self.disk.folders else (id, name)

    def _open(self, call: Any, path: Any, flags: int, *more: Any, **named: Any) -> int:
        place = self._place(path, named.get("dir_fd")) if flags & os.O_CREAT else None
        known = False
        if place is not None:
            try:
                os.lstat(path, dir_fd=named.get("dir_fd"))
                known = True
            except FileNotFoundError:
                pass
        fd = call(path, flags, *more, **named)
        if place is not None and not known:
            self._add("link", place[0], place[1], self._new(os.fstat(fd).st_ino))
        return int(fd)

    def _file(self, fd: int) -> int | None:
        """The id of an open file, after what changed its length unseen is recorded."""
        about = os.fstat(fd)
        id = self._ids.get(about.st_ino)
        if id is None or not stat.S_ISREG(about.st_mode):
            return id
        if self.disk.lengths.get(id, 0) != about.st_size:
            self._add("cut", id, at=about.st_size)
            self.disk.lengths[id] = about.st_size
        return id

    def _write(self, call: Any, fd: int, data: Any) -> int:
        id = self._file(fd)
        if id is None:
            return int(call(fd, data))
        before = os.fstat(fd).st_size
        written = int(call(fd, data))
        end = os.lseek(fd, 0, os.SEEK_CUR)
        self._add("write", id, at=end - written, data=bytes(memoryview(data)[:written].cast("B")))
        self.disk.lengths[id] = max(before, end)
        return written

    def _ftruncate(self, call: Any, fd: int, length: int) -> None:
        call(fd, length)
        self._file(fd)

    def _fsync(self, call: Any, fd: int) -> None:
        id = self._file(fd)
        call(fd)
        if id is not None:
            self._add("sync", id)

    def _rename(self, call: Any, source: Any, target: Any, **named: Any) -> None:
        one, other = self._place(source), self._place(target)
        inode = os.lstat(source).st_ino
        call(source, target, **named)
        if one is not None and other is not None:
            assert one[0] == other[0], "a rename from one folder to another is not modelled"
            self._add("move", one[0], other[1], self._ids[inode], one[1])

    _replace = _rename

    def _mkdir(self, call: Any, path: Any, *more: Any, **named: Any) -> None:
        place = self._place(path)
        call(path, *more, **named)
        if place is not None:
            self._add("link", place[0], place[1], self._new(os.lstat(path).st_ino, folder=True))

    def _unlink(self, call: Any, path: Any, *, dir_fd: int | None = None) -> None:
        place = self._place(path, dir_fd)
        call(path, dir_fd=dir_fd)
        if place is not None:
            self._add("unlink", place[0], place[1])

    _rmdir = _unlink
