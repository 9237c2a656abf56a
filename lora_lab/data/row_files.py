"""Which files a path of data names, and their bytes: one, a folder of them, a pattern, packed ones.

They are read as streams: neither a file nor what is packed in it is ever in memory as a whole.
"""

from __future__ import annotations

import bz2
import glob
import gzip
import io
import lzma
import os
import re
import stat
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any

from lora_lab.errors import DataError

LARGEST = 2**40  # bytes of a file, unpacked
RATIO, BESIDE = 200, 2**24  # of unpacked to packed bytes, and bytes beyond; text shrinks by 3 to 20
SPLIT = re.compile(
    r"(?:^|[-._ ])(?:(train|training)|validation|valid|val|dev|test|testing|eval|evaluation)"
    r"(?=[-._ \d])"
)
CHUNK = 2**20  # bytes that are read at a time
ENDINGS = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".arrow", ".txt")
ABOUT = ("readme", "license", "licence", "notice", "citation", "changelog")  # + .txt: no rows
FILES = 10_000  # of one folder or pattern
DEEP, MATCHES = 3, 2 * FILES  # parts of a pattern, and what is looked at of what fits it
COLUMNS, NAMES = 10_000, 2**20  # of a table, and the characters of their names

State = tuple[int, int, int]  # size, time of change and identity of a file


def _zstd(file: IO[bytes]) -> IO[bytes]:
    import pyarrow

    return pyarrow.CompressedInputStream(pyarrow.PythonFile(file, mode="r"), "zstd")


CHANGED = "it changed while it was read. Wait until it is written, then open it"
PACKED: dict[bytes, tuple[str, Callable[[IO[bytes]], IO[bytes]]]] = {  # by their first bytes
    b"\x1f\x8b": (".gz", lambda file: gzip.GzipFile(fileobj=file)),
    b"BZh": (".bz2", bz2.BZ2File),
    b"\xfd7zXZ\x00": (".xz", lzma.LZMAFile),
    b"\x28\xb5\x2f\xfd": (".zst", _zstd),
}


def files_of(path: str | Path) -> list[Path]:
    """The files that a path names, in the order of their names: itself, or those of a folder or of
    a pattern with `*`. Raises DataError where there is none, or none of rows."""
    given = Path(path)
    try:
        folder = given.is_dir()
        exists = given.exists()
    except (OSError, ValueError):
        return [given]  # opening it says what is wrong
    if folder:
        files = [p for p in sorted(given.iterdir()) if is_table(p)]
        if not files:
            raise DataError(
                "this is a folder with no file of rows in it ("
                f"{', '.join(ENDINGS)}). Choose a file, or image classification"
            )
    elif not exists and glob.has_magic(str(given)):
        files = [p for p in matching(str(given)) if p.is_file()]
        if not files:
            raise DataError("no file fits this pattern. Choose another")
    else:
        return [given]
    if len(files) > FILES:
        raise DataError(f"{len(files):,} files are too many. Take fewer, or put them into one")
    return files


def matching(pattern: str) -> list[Path]:
    """What fits a pattern, in the order of names. Raises DataError for one that fits whole disks:
    each part with `*` looks into all that the part before it found, and `..` behind one again."""
    parts = Path(pattern).parts
    first = next((i for i, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    if len(parts) - first > DEEP or ".." in parts[first:]:
        raise DataError(
            f"a pattern may have * in its last {DEEP} parts, and no .. behind one. Name the folder"
        )
    return [Path(found) for found in sorted(islice(glob.iglob(pattern), MATCHES))]


def of_training(files: list[Path]) -> tuple[list[Path], list[Path]]:
    """The files of a folder that are trained on, and those of other splits beside them.

    A split is named as the Hub has it: train.jsonl, test.csv, validation-00000-of-00002.parquet.
    """
    splits = [SPLIT.search(file.name.lower()) for file in files]
    if not any(split and split[1] for split in splits):
        return files, []
    other = [file for file, split in zip(files, splits, strict=True) if split and not split[1]]
    return [file for file in files if file not in other], other


def is_table(path: Path) -> bool:
    """Whether a file of a folder is one of rows, packed or not."""
    name = path.name.lower()
    for _, (ending, _) in PACKED.items():
        name = name.removesuffix(ending)
    described = name in ("dataset_info.json", "state.json", "dataset_dict.json")
    described = described or name.removesuffix(".txt") in ABOUT
    return name.endswith(ENDINGS) and not described and name[0] != "." and path.is_file()


def kind_of(path: Path) -> str:
    """The ending that says what is in a file, without that of its packing."""
    name = path.name.lower()
    for ending, _ in PACKED.values():
        name = name.removesuffix(ending)
    return Path(name).suffix


@contextmanager
def opened(
    path: Path, known: State | None = None, still: Callable[[], None] | None = None
) -> Iterator[io.BufferedReader]:
    """A regular file to be read from its beginning, unpacked on the way.

    `still` is called before each part is read, and may raise Cancelled. Raises DataError, also
    where it is damaged, where its state is not the `known` one, and where it changes until it is
    left.
    """
    before = state_of(path)
    if known not in (None, before):
        raise DataError(CHANGED)
    with path.open("rb", buffering=CHUNK) as file:
        mark = file.peek(8)
        packed = next((how for start, how in PACKED.items() if mark.startswith(start)), None)
        if packed is None and still is None:
            yield file
        else:
            source: Any = file if packed is None else _Unpacked(file, *packed)
            with io.BufferedReader(_Told(source, still) if still else source, CHUNK) as read:
                yield read
    if state_of(path) != before:
        raise DataError(CHANGED)


class _Told(io.RawIOBase):
    """A stream that tells of each part of it that is read."""

    def __init__(self, source: Any, still: Callable[[], None]) -> None:
        self._source, self._still = source, still

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._still()
        return int(self._source.readinto(buffer))


class _Unpacked(io.RawIOBase):
    """What is packed in a file, as a stream; what is wrong with it is a DataError."""

    def __init__(
        self, file: IO[bytes], ending: str, unpack: Callable[[IO[bytes]], IO[bytes]]
    ) -> None:
        self._ending, self._size = ending, 0
        self._most = min(LARGEST, BESIDE + RATIO * os.fstat(file.fileno()).st_size)
        self._source = unpack(file)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            part = self._source.read(len(buffer))
        except (OSError, EOFError, ValueError, lzma.LZMAError, zlib.error) as error:
            reason = str(error).split("\n")[0][:80] or type(error).__name__
            what = f"the {self._ending} file is damaged ({reason}). Download it again"
            raise DataError(what) from error
        self._size += len(part)
        if self._size > self._most:
            raise DataError(
                f"unpacked it has over {self._most:,} bytes, more than {RATIO} times its size, "
                "which no data has. Unpack it where you trust it"
            )
        buffer[: len(part)] = part
        return len(part)


def state_of(path: Path) -> State:
    """Size, time of change and identity of a regular file that may be read."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        raise DataError("there is no such file. Choose another") from None
    except ValueError:  # a NUL byte
        raise DataError("this is not a path. Choose another") from None
    if not stat.S_ISREG(status.st_mode):  # a pipe would block, a device never end
        raise DataError("this is not a regular file. Choose another")
    if status.st_size == 0:
        raise DataError("the file is empty")
    if status.st_size > LARGEST:
        raise DataError(f"{status.st_size:,} bytes are too many. Take a part of it")
    return status.st_size, status.st_mtime_ns, status.st_ino
