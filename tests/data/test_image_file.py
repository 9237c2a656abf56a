"""Images that claim more than they hold, or more than a child process may take, are named."""

import io
import sys
import zlib

import numpy as np
import psutil
import pytest
from PIL import Image

from lora_lab.apart.client import pids
from lora_lab.data import images
from lora_lab.data.images import Wanted, read_image, read_image_folder
from lora_lab.errors import DataError
from tests.spent import processor_seconds


def chunk(kind, data):
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def png(width, height, data=b""):
    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes((8, 0, 0, 0, 0))
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def black(width, height):
    packer = zlib.compressobj(9)
    return png(width, height, b"".join(packer.compress(bytes(width + 1)) for _ in range(height))
               + packer.flush())  # fmt: skip


def many_scans():
    raw = io.BytesIO()
    Image.new("L", (5000, 5000), 255).save(raw, "JPEG", progressive=True, quality=50)
    data = raw.getvalue()
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * 1000 + data[-2:]


LYING = {
    "a hundred million pixels": (lambda: black(10_000, 10_000), "10,000 × 10,000 pixels in 97,"),
    "one pixel wide": (lambda: png(1, 10**8), "1 × 100,000,000 pixels are too many"),
    "more than can be": (lambda: png(2**31 - 1, 2**31 - 1), "pixels are too many"),
    "a thousand scans": (many_scans, "it goes over its picture 1,005 times"),
}


@pytest.mark.parametrize("case", LYING)
def test_what_an_image_claims_is_compared_with_its_file(tmp_path, case):
    make, words = LYING[case]
    path = tmp_path / ("x.jpg" if "scans" in case else "x.png")
    path.write_bytes(make())
    Image.new("L", (9, 9)).save(tmp_path / "good.png")
    read_image(tmp_path / "good.png", Wanted(None, 3))  # the child is there
    here, began = psutil.Process().memory_info().rss, processor_seconds()
    with pytest.raises(DataError, match=words):
        read_image(path, Wanted((28, 28), 3))
    assert processor_seconds() - began < 2
    assert psutil.Process().memory_info().rss - here < 20 * 2**20
    assert all(psutil.Process(pid).memory_info().rss < 150 * 2**20 for pid in pids())


def test_a_blank_page_of_a_scanner_is_read(tmp_path):
    Image.new("1", (4960, 7016), 1).save(tmp_path / "a4.tif", compression="group4")  # at 600 dpi
    assert (tmp_path / "a4.tif").stat().st_size < 10_000
    assert (read_image(tmp_path / "a4.tif", Wanted((64, 64), 1)) == 255).all()


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux alone")
@pytest.mark.parametrize("place", [0, 1, 4])
def test_of_many_images_it_is_the_one_that_ends_the_child_that_is_named(
    tmp_path, monkeypatch, place
):
    (tmp_path / "a").mkdir()
    for number in range(5):
        side = 5000 if number == place else 10
        Image.new("L", (side, side), number).save(tmp_path / "a" / f"{number}.png")
    monkeypatch.setattr(images, "DECODER", 2**24)
    with pytest.raises(DataError, match=rf"^a/{place}\.png: it takes over 16 MB to read\. Fix it"):
        read_image_folder(tmp_path, (4, 4), 1)
    found = read_image_folder(tmp_path, (4, 4), 1, skip_bad=True)
    assert found.images[:, 0, 0, 0].tolist() == [n for n in range(5) if n != place]
    assert "1 left out" in found.notes[0]


def test_images_of_many_groups_come_in_their_order(tmp_path):
    (tmp_path / "a").mkdir()
    for number in range(3 * images.GROUP + 1):
        Image.new("L", (3, 2), number).save(tmp_path / "a" / f"{number:03}.png")
    found = read_image_folder(tmp_path, None, 1)
    assert np.array_equal(found.images[:, 0, 0, 0], np.arange(len(found.images)))
