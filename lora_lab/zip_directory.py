"""The list of a zip's members, which is made only once it is known to be no longer than allowed.

It is as long as the file says: that of a million takes a minute and half a gigabyte, and where its
end is said to be elsewhere, a file of terabytes is gone through for it.
"""

from __future__ import annotations

import zipfile
from typing import Any, BinaryIO

ENTRY = b"PK\x01\x02"  # begins each entry of the directory, which lies at the end in one piece


def open_zip(file: BinaryIO, most: int, largest: int, refusal: Exception) -> zipfile.ZipFile:
    """The zip in an open file.

    Raises `refusal` where its directory has over `most` entries or `largest` bytes, and what
    zipfile does for what is no zip.
    """
    looked_at = _LookedAt(file, most, largest, refusal)
    opened = zipfile.ZipFile(looked_at)  # type: ignore[call-overload]
    looked_at.whole = True
    return opened


class _LookedAt:
    """A file of which each piece is looked at until the directory is read."""

    def __init__(self, file: BinaryIO, most: int, largest: int, refusal: Exception) -> None:
        self._file, self.whole = file, False
        self._most, self._largest, self._refusal = most, largest, refusal

    def read(self, size: int = -1) -> bytes:
        if self.whole:
            return self._file.read(size)
        enough = self._largest + 1
        data = self._file.read(min(size, enough) if size >= 0 else enough)
        if len(data) > self._largest or data.count(ENTRY) > self._most:
            raise self._refusal
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
