"""The files of a run's folder, opened as what they must be: regular files of that folder.

A folder that came by tar, git or a share may hold links into other folders, pipes and devices under
the names that the lab reads and writes. None is followed, waited for or written to.
"""

from __future__ import annotations

import errno
import json
import math
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from lora_lab.errors import LabError, system_reason
from lora_lab.folders import held_folder
from lora_lab.json_size import MOST_LISTS, MOST_VALUES, check_size
from lora_lab.names import shown

PRIVATE = 0o700  # of folders: a run quotes its data and its prompts
SMALL = 2**20  # bytes of a file of settings or facts
HEADER = 2**25  # bytes before the numbers of a safetensors file: of 100,000 tensors 20 MB
DIGITS = 19  # of a whole number: none that the lab writes has more
FLAGS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
FLAGS |= getattr(os, "O_BINARY", 0)
IN_PLACE = ("lock", "metrics.jsonl", "log.txt", "exports.jsonl")  # others are replaced whole
SURROGATE = re.compile("[\ud800-\udfff]")


class Door(BaseModel):
    """What one kind of file may say, in just these types; what a later lab adds is left alone."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


Kind = TypeVar("Kind", bound=Door)


def open_own(path: Path, flags: int = os.O_RDONLY) -> int:
    """A descriptor of a regular file; raises OSError for anything else, at once.

    What is written to may have no second name: it would be another folder's file as well.
    """
    refusal = OSError(errno.EINVAL, "it is no regular file of the run's folder", str(path))
    try:
        kind = os.lstat(path).st_mode
    except FileNotFoundError:
        if not flags & os.O_CREAT:
            raise
    else:
        if stat.S_ISLNK(kind):
            raise OSError(errno.ELOOP, "it is a link, and leads out of the run's folder", str(path))
        if not stat.S_ISREG(kind):  # to open a pipe waits, and a device may do anything
            raise refusal
    fd = os.open(path, flags | FLAGS, 0o666)
    about = os.fstat(fd)
    writes = flags & (os.O_WRONLY | os.O_RDWR)
    if not stat.S_ISREG(about.st_mode) or (writes and about.st_nlink > 1):
        os.close(fd)
        if about.st_nlink > 1:
            reason = "it is also a file of another folder, and would change there; copy the run"
            raise OSError(errno.EMLINK, reason, str(path))
        raise refusal
    return fd


@contextmanager
def own_folder(run: Path, name: str, make: bool = True) -> Iterator[Path]:
    """A folder of the run itself, by a path that stays its own whatever takes its name meanwhile.

    `make` it where there is none. Raises OSError where it is a link.
    """
    folder = run / name
    if make:
        folder.mkdir(exist_ok=True)
    with held_folder(folder) as held:
        yield held


def read_own(path: Path, largest: int = SMALL) -> bytes:
    """All of a regular file; raises OSError, also where it is larger than it may be."""
    with open(open_own(path), "rb") as file:
        data = file.read(largest + 1)
    if len(data) > largest:
        raise OSError(errno.EFBIG, "it is too long for what it should hold", str(path))
    return data


def read_table(path: Path, largest: int = SMALL) -> dict[str, Any]:
    """The JSON object in a file.

    Raises FileNotFoundError, and LabError naming the file and what is wrong.
    """
    try:
        value = plain_json(read_own(path, largest))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise LabError(f"{path} cannot be read: {system_reason(error)}.") from error
    except ValueError as error:
        raise LabError(f"{path} is not valid JSON: {error}.") from error
    if not isinstance(value, dict):
        raise LabError(f"{path} holds no table of values.")
    return value


def plain_json(data: bytes, values: int = MOST_VALUES, lists: int = MOST_LISTS) -> Any:
    """JSON of at most so many values and lists; raises ValueError.

    It is without numbers that no float holds, and without texts that are none.
    """
    check_size(data, lists, values)
    try:
        text = data.decode()
        value = DECODER.decode(text)
        return well_formed(value) if "\\ud" in text.lower() else value
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except UnicodeDecodeError:
        raise ValueError("not UTF-8 text") from None


def header_of(data: bytes) -> Any:
    """What stands before the numbers of a safetensors file; raises ValueError."""
    length = int.from_bytes(data[:8], "little")
    if length > HEADER:
        raise ValueError(f"{length:,} bytes stand before its numbers, and {HEADER:,} may")
    return plain_json(data[8 : 8 + length], values=2 * MOST_VALUES, lists=4 * MOST_LISTS)


def well_formed(value: Any) -> Any:
    """Half a pair of surrogates cannot be written or shown; it becomes the mark of the unknown."""
    if isinstance(value, str):
        return SURROGATE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {well_formed(key): well_formed(item) for key, item in value.items()}
    return [well_formed(item) for item in value] if isinstance(value, list) else value


def _whole(digits: str) -> int:
    if len(digits) > DIGITS + 1:
        raise ValueError(f"a number of {len(digits):,} digits is in it")
    return int(digits)


def _real(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise ValueError(f"the number {digits[:20]} in it is too large")
    return value


DECODER = json.JSONDecoder(parse_int=_whole, parse_float=_real)


def checked(kind: type[Kind], table: dict[str, Any], path: Path) -> Kind:
    """What a file says; raises LabError naming the file and the first value that cannot be."""
    try:
        return kind.model_validate(table)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        value = shown(first["input"])
        raise LabError(
            f"{path} is damaged: {shown(field)[1:-1]} is {value}, which it cannot be."
        ) from None


def refuse_strangers(run: Path) -> None:
    """Raise LabError naming the first thing in a run that is neither file nor folder of its own.

    Asked before the run is written to.
    """
    for folder in (run, *(run / name for name in ("checkpoints", "adapter", "adapter-best"))):
        try:
            entries = list(os.scandir(folder))
        except OSError:
            continue  # not there; what cannot be read is said by its reader
        for entry in entries:
            if stat.S_ISDIR((about := entry.stat(follow_symlinks=False)).st_mode):
                continue
            what = "a link" if stat.S_ISLNK(about.st_mode) else "no regular file"
            if stat.S_ISREG(about.st_mode):
                if about.st_nlink < 2 or entry.name not in IN_PLACE:
                    continue
                what = "also a file of another folder"
            raise LabError(
                f"{entry.path} is {what}, and a run is not written to through such. Copy the run, "
                "or remove it."
            )


def is_own(path: Path) -> bool:
    """Whether a file may be written to in place: a regular one without a second name."""
    try:
        about = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISREG(about.st_mode) and about.st_nlink < 2
