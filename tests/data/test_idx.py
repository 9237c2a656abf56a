"""IDX files are read whole, plain or gzipped; everything else is a DataError that says why."""

import gzip
import struct

import numpy as np
import pytest

from lora_lab.data.idx import read_images, read_labels
from lora_lab.errors import DataError


def idx(array: np.ndarray) -> bytes:
    array = np.asarray(array, np.uint8)
    head = struct.pack(f">I{array.ndim}I", 0x800 + array.ndim, *array.shape)
    return head + array.tobytes()


PIXELS = np.arange(24).reshape(2, 3, 4)
IMAGES, LABELS = idx(PIXELS), idx([7, 9])


@pytest.mark.parametrize("packed", [False, True])
def test_good_files(packed, tmp_path):
    for name, raw in (("images", IMAGES), ("labels", LABELS)):
        (tmp_path / name).write_bytes(gzip.compress(raw) if packed else raw)
    images, labels = read_images(tmp_path / "images"), read_labels(tmp_path / "labels")
    np.testing.assert_array_equal(images, PIXELS)
    np.testing.assert_array_equal(labels, [7, 9])
    assert images.dtype == labels.dtype == np.uint8
    assert images.flags.writeable


BAD = {
    "empty": (b"", "empty"),
    "cut-in-magic": (IMAGES[:3], "cut off"),
    "cut-in-header": (IMAGES[:10], "inside its header"),
    "cut-in-pixels": (IMAGES[:-1], "23 of 24 bytes"),
    "too-long": (IMAGES + b"x", "more than the 24 bytes"),
    "labels-instead": (LABELS, "images and labels are swapped"),
    "floats": (b"\0\0\x0d\x03" + IMAGES[4:], "not an IDX file of images"),
    "text": (b"<!DOCTYPE html>", "not an IDX file of images"),
    "too-large": (struct.pack(">4I", 0x803, *(2**31,) * 3), "which cannot be"),
    "no-height": (struct.pack(">4I", 0x803, 1, 0, 28), "images of no pixels"),
    "no-width": (struct.pack(">4I", 0x803, 2**32 - 1, 28, 0), "images of no pixels"),
    "nothing": (struct.pack(">4I", 0x803, 0, 28, 28), "holds no images"),
    "gzip-cut": (gzip.compress(IMAGES)[:-10], "gzip file is cut off or damaged"),
    "gzip-damaged": (gzip.compress(IMAGES)[:-8] + bytes(8), "gzip file is cut off or damaged"),
    "gzip-short": (gzip.compress(IMAGES[:-1]), "23 of 24 bytes"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_images(name, tmp_path):
    raw, reason = BAD[name]
    (tmp_path / name).write_bytes(raw)
    with pytest.raises(DataError, match=reason) as caught:
        read_images(tmp_path / name)
    assert str(caught.value).startswith(f"{name}: ")


def test_images_in_place_of_labels_and_no_file(tmp_path):
    (tmp_path / "labels").write_bytes(IMAGES)
    with pytest.raises(DataError, match="these are images, where labels belong"):
        read_labels(tmp_path / "labels")
    with pytest.raises(DataError, match="none: cannot be read"):
        read_labels(tmp_path / "none")
    with pytest.raises(DataError, match="cannot be read"):
        read_labels(tmp_path)


@pytest.mark.parametrize("packed", [False, True])
def test_what_a_header_claims_is_held_against_the_file(tmp_path, packed):
    """400 MB of zeros are 389 kB as gzip, and sixteen bytes may claim 4 GB."""
    header = struct.pack(">IIII", 0x803, 4_000_000, 10, 10)
    data = gzip.compress(header + bytes(40_000_000)) if packed else header
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(DataError, match="cut off: it claims"):
        read_images(tmp_path / "x")
