"""Rows as tokens that are kept until the next opening: the very same come back, or none.

An entry is a folder with a file for each array and an index of their types, sizes and digests. Its
name is a digest of all that the tokens are made of, so that what has changed is not found.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lora_lab import paths
from lora_lab.atomic import replace_folder, temporary_folder
from lora_lab.folders import remove_folder
from lora_lab.json_size import check_size

FORMAT = 1
MOST = 10 * 2**30  # bytes of all entries together; the oldest give way
HELD = 64 * 2**20  # bytes of an array that are read into memory; longer ones stay on the disk
BLOCK = 2**22  # bytes that are read or written at a time
LARGEST_INDEX = 2**22  # bytes: of rows with 10,000 classes and columns some 400 kB
MOST_LISTS = 2**16  # and tables in it: what is no number takes up to thirty times its text
INDEX = "index.json"
ENDLESS = (RecursionError, OverflowError)  # nested too deeply, a size beyond all numbers
TYPES = ("|b1", "|i1", "<u2", "<i4", "<i8", "<u8", "<f4")


class Kept(NamedTuple):
    """Arrays by name, and what else is to be known of them, as plain values of JSON."""

    arrays: dict[str, np.ndarray]
    facts: dict[str, Any]


class Damaged(Exception):
    """An entry is there, and is not what was written."""


def folder() -> Path:
    """Where the entries lie."""
    return paths.caches() / "tokens"


def load(key: str) -> Kept | None:
    """What was kept under `key`; None where there is nothing.

    Raises Damaged where it is not what was written; it is gone then.
    """
    place = folder() / key
    if not place.is_dir():
        return None
    try:
        found = _loaded(place)
        with suppress(OSError):  # the oldest is the one that was not asked for the longest
            os.utime(place / INDEX)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, *ENDLESS) as error:
        with suppress(OSError):
            remove_folder(place)
        raise Damaged(str(error)) from error
    return found


def keep(key: str, kept: Kept) -> None:
    """Keep what is to be found under `key`. Raises OSError where it cannot be, and changes nothing.

    What is larger than all entries may be together is not kept, nor what has a longer index than
    is read.
    """
    size = sum(array.nbytes for array in kept.arrays.values())
    if size > MOST or len(json.dumps(kept.facts)) > LARGEST_INDEX // 2:  # the arrays take a kB
        return
    home = folder()
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    _make_room(size)
    with temporary_folder(home / key) as made:
        made.chmod(0o700)
        about = {name: _written(made / name, array) for name, array in kept.arrays.items()}
        body = {"format": FORMAT, "arrays": about, "facts": kept.facts}
        text = json.dumps({"digest": _digest_of(body), **body})
        with open(made / INDEX, "w", encoding="utf-8", opener=_private) as file:
            file.write(text)
        replace_folder(made, home / key)


def _loaded(place: Path) -> Kept:
    if _size(place / INDEX) > LARGEST_INDEX:
        raise ValueError("the index is too long")
    text = (place / INDEX).read_bytes()
    check_size(text, lists=MOST_LISTS)
    body = json.loads(text)
    digest = body.pop("digest")
    if digest != _digest_of(body) or body["format"] != FORMAT:
        raise ValueError("the index is not the one that was written")
    arrays = {}
    for name, about in body["arrays"].items():
        if Path(name).name != name or about["type"] not in TYPES:
            raise ValueError(f"{name} is no array")
        path, kind = place / name, np.dtype(about["type"])
        size = _size(path)
        if size != kind.itemsize * int(np.prod(about["shape"])):
            raise ValueError(f"{name} has another size")
        if size > HELD:
            array = np.asarray(np.memmap(path, kind, "r"))
        else:
            array = np.fromfile(path, kind)
        if _digest(_blocks(array)) != about["digest"]:
            raise ValueError(f"{name} is not the one that was written")
        arrays[name] = array.reshape(about["shape"])
    return Kept(arrays, body["facts"])


def _size(path: Path) -> int:
    """Bytes of a regular file: a pipe would be waited for, and a device never ends."""
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"{path.name} is no regular file")
    return status.st_size


def _written(path: Path, array: np.ndarray) -> dict[str, Any]:
    """What the index says of an array, once it is written."""
    with open(path, "wb", opener=_private) as file:
        for block in _blocks(array):
            file.write(block)
    kind = array.dtype.newbyteorder("<").str
    return {"type": kind, "shape": array.shape, "digest": _digest(_blocks(array))}


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_EXCL, 0o600)


def _blocks(array: np.ndarray) -> Iterator[bytes]:
    flat = array.reshape(-1)
    step = BLOCK // array.itemsize
    return (flat[i : i + step].tobytes() for i in range(0, len(flat), step))


def _digest(blocks: Iterator[bytes]) -> str:
    digest = blake2b(digest_size=16)
    for block in blocks:
        digest.update(block)
    return digest.hexdigest()


def _digest_of(body: Mapping[str, Any]) -> str:
    return blake2b(json.dumps(body, sort_keys=True).encode(), digest_size=16).hexdigest()


def _make_room(size: int) -> None:
    """Take the entries away that were not asked for the longest, until `size` more bytes fit."""
    entries = []
    for place in folder().iterdir():
        with suppress(OSError):
            files = [file.stat() for file in place.iterdir()]
            used = max((status.st_mtime for status in files), default=0.0)
            entries.append((used, sum(status.st_size for status in files), place))
    entries.sort()
    total = sum(bytes_ for _, bytes_, _ in entries) + size
    for _, bytes_, place in entries:
        if total <= MOST:
            return
        with suppress(OSError):
            remove_folder(place)
        total -= bytes_
