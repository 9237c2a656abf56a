"""Activations that are kept beside a run: one file, appended to, each entry sealed.

The file is of one base, one device and one lab, which its first line names; of another it is begun
anew, and so is one that another person's lab has sealed: what a stranger has put there is not
trained on. An entry is found by the digest of its text, so other data finds nothing. It may be
deleted at any time and is in no copy of a run. A disk that is full ends the keeping, and no more.
"""

from __future__ import annotations

import json
import os
import struct
import weakref
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

from lora_lab.errors import system_reason
from lora_lab.runs.own_files import open_own
from lora_lab.runs.own_key import own_key

NAME = ".activations"  # hidden: what packs or copies a run leaves it out
ENTRY = struct.Struct("<16sQ16s")  # digest, bytes, seal of both and of what follows
FORMAT = 2
ENTRIES = 2**19  # that are looked for: to find so many takes a second


class KeptInMemory:
    """The same for a run that has no folder, or none yet; `most` bytes are held."""

    def __init__(self, most: int) -> None:
        self.entries: dict[bytes, bytes] = {}
        self.full, self.problem = False, ""
        self._room = most

    def get(self, digest: bytes, size: int) -> bytearray | None:
        del size  # this process put it there
        found = self.entries.get(digest)
        return None if found is None else bytearray(found)

    def put(self, digest: bytes, data: bytes) -> None:
        if len(data) <= self._room and digest not in self.entries:
            self.entries[digest] = data
            self._room -= len(data)


class KeptStates:
    """What is kept in the folder of a run, `most` bytes of it; used by one thread."""

    def __init__(self, folder: Path, key: str, most: int) -> None:
        """Open what is there of the same `key`, or begin anew. Raises OSError where it cannot."""
        self.folder, self._most = folder, most
        self.full = False
        self.problem = ""  # why no more is kept: of the disk
        self._places: dict[bytes, tuple[int, int]] = {}  # digest: (offset, bytes)
        self._fd = open_own(folder / NAME, os.O_RDWR | os.O_CREAT)
        self._close = weakref.finalize(self, os.close, self._fd)
        self._key = own_key(f"entries {FORMAT} {key}")
        seal = own_key(f"file {FORMAT} {key}").hex()
        head = json.dumps({"format": FORMAT, "key": key, "seal": seal}).encode() + b"\n"
        self._end = len(head)
        if self._read(0, len(head)) == head:
            self._scan()
        else:
            os.ftruncate(self._fd, 0)
            self._write(0, head)

    def __len__(self) -> int:
        return len(self._places)

    def get(self, digest: bytes, size: int) -> bytearray | None:
        """What was put there, of `size` bytes; None where there is nothing, or another thing."""
        place = self._places.get(digest)
        if place is None:
            return None
        if place[1] != ENTRY.size + size:
            del self._places[digest]
            return None
        try:
            raw = self._read(*place)
        except OSError as error:
            self._fail(error)
            return None
        head = memoryview(raw)[: ENTRY.size]
        data = memoryview(raw)[ENTRY.size :]
        if len(raw) != place[1] or self._head(digest, data) != head:
            del self._places[digest]
            return None
        return raw[ENTRY.size :]

    def put(self, digest: bytes, data: bytes) -> None:
        """Keep it while there is room; a disk that fails ends that, with a `problem`."""
        size = ENTRY.size + len(data)
        if self.problem or digest in self._places:
            return
        if self._end + size > self._most:
            self.full = True
            return
        try:
            self._write(self._end, self._head(digest, data) + data)
        except OSError as error:
            self._fail(error)
            return
        self._places[digest] = (self._end, size)
        self._end += size

    def close(self) -> None:
        self._close()
        self._places = {}

    def _fail(self, error: OSError) -> None:
        self.problem = system_reason(error)
        with suppress(OSError):  # a torn entry would be passed over all the same
            os.ftruncate(self._fd, self._end)

    def _scan(self) -> None:
        """Find the entries of an earlier process; a torn one, and what is too much, is cut off."""
        size = min(os.fstat(self._fd).st_size, self._most)
        for _ in range(ENTRIES):
            head = self._read(self._end, ENTRY.size)
            digest, length, _ = ENTRY.unpack(head) if len(head) == ENTRY.size else (b"", 0, 0)
            if not length or self._end + ENTRY.size + length > size:
                break
            self._places[digest] = (self._end, ENTRY.size + length)
            self._end += ENTRY.size + length
        os.ftruncate(self._fd, self._end)

    def _read(self, offset: int, size: int) -> bytearray:
        """`size` bytes, fewer at the end of the file."""
        os.lseek(self._fd, offset, os.SEEK_SET)
        found = bytearray()
        while len(found) < size and (part := os.read(self._fd, size - len(found))):
            found += part
        return found

    def _write(self, offset: int, data: bytes) -> None:
        os.lseek(self._fd, offset, os.SEEK_SET)
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]

    def _head(self, digest: bytes, data: bytes | memoryview) -> bytes:
        """What stands before `data`: none but this person's lab can make its seal.

        BLAKE2b: 1.4 GB in a second on any processor; SHA-256 takes thrice as long on one without
        instructions for it.
        """
        seal = blake2b(digest + len(data).to_bytes(8, "little"), key=self._key, digest_size=16)
        seal.update(data)
        return ENTRY.pack(digest, len(data), seal.digest())
