"""The IDX files in which MNIST is handed round: big-endian header, then bytes; plain or gzipped.

The header is 0, 0, a type (8: unsigned byte), the number of dimensions, and each dimension in 4
bytes (yann.lecun.com/exdb/mnist, "File formats").
"""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from lora_lab.door import door
from lora_lab.errors import DataError, system_reason

IMAGES, LABELS = 0x803, 0x801
WHAT = {IMAGES: "images", LABELS: "labels"}
MAX_BYTES = 2**32
RATIO = 100  # of unpacked to packed bytes; MNIST's is 5
AGAIN = "Download it again."


@door(DataError)
def read_images(path: Path) -> np.ndarray:
    """(N, height, width) of uint8. Raises DataError for what is no whole file of images."""
    return _read(path, IMAGES)


@door(DataError)
def read_labels(path: Path) -> np.ndarray:
    """(N) of uint8. Raises DataError for what is no whole file of labels."""
    return _read(path, LABELS)


def _read(path: Path, wanted: int) -> np.ndarray:
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):  # a pipe would block
            raise DataError("this is no regular file. Choose another")
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            file = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if packed else raw
            size = raw.seek(0, 2)
            raw.seek(0)
            return _parse(file, wanted, RATIO * size + 2**20 if packed else size)
    except DataError as error:
        raise DataError(f"{path.name}: {error}") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path.name}: the gzip file is cut off or damaged. {AGAIN}") from error
    except OSError as error:
        reason = system_reason(error)
        raise DataError(f"{path.name}: cannot be read ({reason}).") from error


def _parse(file: BinaryIO, wanted: int, most: int) -> np.ndarray:
    """`most`: bytes that the file can hold, before memory is given to them."""
    head = file.read(4)
    if len(head) < 4:
        raise DataError(f"the file is {'cut off' if head else 'empty'}. {AGAIN}")
    (magic,) = struct.unpack(">I", head)
    if magic != wanted and magic in WHAT:
        raise DataError(
            f"these are {WHAT[magic]}, where {WHAT[wanted]} belong: images and labels are swapped. "
            "Give each file its own name back."
        )
    if magic != wanted:
        raise DataError(
            f"this is not an IDX file of {WHAT[wanted]} (it begins with {head.hex(' ')}). {AGAIN}"
        )
    dimensions = magic & 0xFF
    sizes = file.read(4 * dimensions)
    if len(sizes) < 4 * dimensions:
        raise DataError(f"the file is cut off inside its header. {AGAIN}")
    shape = struct.unpack(f">{dimensions}I", sizes)
    if 0 in shape:
        what = "no images" if not shape[0] else "images of no pixels"
        what = "no labels" if wanted == LABELS else what
        raise DataError(f"it says that it holds {what} ({' × '.join(map(str, shape))}). {AGAIN}")
    count = int(np.prod([int(n) for n in shape], dtype=object))
    if count > MAX_BYTES:
        raise DataError(f"it claims {count:,} bytes of {WHAT[wanted]}, which cannot be. {AGAIN}")
    if count > most:
        raise DataError(
            f"the file is cut off: it claims {count:,} bytes, more than it holds. {AGAIN}"
        )
    data = file.read(count + 1)  # one more, to notice what is too long
    if len(data) < count:
        raise DataError(f"the file is cut off: {len(data):,} of {count:,} bytes are there. {AGAIN}")
    if len(data) > count:
        raise DataError(f"it holds more than the {count:,} bytes its header speaks of. {AGAIN}")
    return np.frombuffer(data, np.uint8).reshape(shape).copy()
