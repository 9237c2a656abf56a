"""The fingerprint of a run's data, so that a resumed run notices that its file has changed."""

from __future__ import annotations

import glob
import hashlib
import os
import stat
from pathlib import Path

WHOLE = 256 * 2**20  # bytes of a file that are hashed; a larger one goes by size and date
CHUNK = 2**20


def data_fingerprint(path: str | None) -> str:
    """SHA-256 of a file, or of a folder's names and sizes; "" where there is no data of one's own.

    A file that cannot be read has none either: the task says what is wrong with it.
    """
    if not path:
        return ""
    digest = hashlib.sha256()
    try:
        place = Path(path)
        if not place.exists() and glob.has_magic(path):  # a pattern: its files, one by one
            for file in sorted(glob.glob(path)):
                digest.update(f"{Path(file).name}\0{data_fingerprint(file)}\0".encode())
            return digest.hexdigest()
        if place.is_dir():
            for folder, folders, names in os.walk(place):
                folders.sort()
                for name in sorted(names):
                    file = Path(folder) / name
                    about = f"{file.relative_to(place).as_posix()}\0{file.stat().st_size}\0"
                    digest.update(about.encode("utf-8", "surrogatepass"))
            return digest.hexdigest()
        status = place.stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe would block, a device would never end
            return ""
        if status.st_size > WHOLE:
            return f"{status.st_size} bytes of {status.st_mtime_ns}"
        with place.open("rb") as file:
            while part := file.read(CHUNK):
                digest.update(part)
    except OSError:
        return ""
    return digest.hexdigest()
