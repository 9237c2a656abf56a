"""The fingerprint of a run's data, so that a resumed run notices that its file has changed."""

from __future__ import annotations

import glob
import hashlib
import stat
from pathlib import Path

from lora_lab.data.row_files import files_of, matching, of_training
from lora_lab.errors import DataError
from lora_lab.folders import folders_in

WHOLE = 256 * 2**20  # bytes of a file that are hashed; a larger one goes by size and date
CHUNK = 2**20
NAMES = "utf-8", "surrogatepass"  # a name in another encoding holds halves of characters


def data_fingerprint(path: str | None, rows: bool = False) -> str:
    """SHA-256 of a file, or of a folder's names and sizes; "" where there is no data of one's own.

    Of a folder of `rows` in splits only the files that are read count, those of training. A file
    that cannot be read has none either: the task says what is wrong with it.
    """
    if not path:
        return ""
    digest = hashlib.sha256()
    try:
        place = Path(path)
        if rows and (read := _read_of_splits(place)):
            for file in read:
                digest.update(f"read: {file.name}\0{file.stat().st_size}\0".encode(*NAMES))
            return digest.hexdigest()
        if not place.exists() and glob.has_magic(path):  # a pattern: its files, one by one
            for file in matching(path):
                digest.update(f"{file.name}\0{data_fingerprint(str(file))}\0".encode(*NAMES))
            return digest.hexdigest()
        if place.is_dir():
            for folder, names in folders_in(place):
                for name in names:
                    file = folder / name
                    about = f"{file.relative_to(place).as_posix()}\0{file.stat().st_size}\0"
                    digest.update(about.encode(*NAMES))
            return digest.hexdigest()
        status = place.stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe would block, a device would never end
            return ""
        if status.st_size > WHOLE:
            return f"{status.st_size} bytes of {status.st_mtime_ns}"
        with place.open("rb") as file:
            while part := file.read(CHUNK):
                digest.update(part)
    except (OSError, ValueError, DataError):  # ValueError: of a NUL in its name
        return ""
    return digest.hexdigest()


def is_in_splits(path: str | None) -> bool:
    """Whether a path is a folder of rows of which only some files are read."""
    return bool(path and _read_of_splits(Path(path)))


def _read_of_splits(place: Path) -> list[Path]:
    """The files that are read of a folder of splits; none of what is no such folder."""
    try:
        read, others = of_training(files_of(place)) if place.is_dir() else ([], [])
    except (DataError, OSError):
        return []
    return read if others else []
