"""Images that claim more than they hold, or more than a child process may take, are named."""

import io
import sys
import zlib

import numpy as np
import psutil
import pytest
from PIL import Image

from lora_lab.apart.client import end_children, pids
from lora_lab.data import images
from lora_lab.data.images import Wanted, read_image, read_image_folder
from lora_lab.errors import DataError
from tests.spent import processor_seconds


def chunk(kind, data):
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def png(width, height, data=b"", kind=(8, 0), more=b""):
    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes((*kind, 0, 0, 0))
    parts = chunk(b"IHDR", head) + more + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def black(width, height, kind=(8, 0), depth=1, more=b""):
    packer, row = zlib.compressobj(9), bytes(width * depth + 1)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    return png(width, height, data, kind, more)


def saved(image, form, **options):
    raw = io.BytesIO()
    image.save(raw, form, **options)
    return raw.getvalue()


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


NOTHING = chunk(b"PLTE", bytes(6)) + chunk(b"tRNS", b"\0\xff")
ONE_COLOR = {  # of 8,400 × 8,400 pixels, and what a pixel takes
    "colors": (lambda: black(8400, 8400, (8, 2), 3), "x.png"),
    "deep colors, transparent": (lambda: black(8400, 8400, (16, 6), 8), "x.png"),
    "named colors, transparent": (lambda: black(8400, 8400, (8, 3), 1, NOTHING), "x.png"),
    "fractions": (lambda: saved(Image.new("F", (8400, 8400)), "TIFF", compression="tiff_deflate"),
                  "x.tif"),
    "inks": (lambda: saved(Image.new("CMYK", (8400, 8400)), "TIFF", compression="tiff_deflate"),
             "x.tif"),
    "webp": (lambda: saved(Image.new("RGBA", (16383, 4200)), "WEBP", lossless=True), "x.webp"),
}  # fmt: skip


@pytest.mark.parametrize("case", ONE_COLOR)
def test_an_image_of_one_color_is_refused_by_what_it_would_take(tmp_path, case):
    make, name = ONE_COLOR[case]
    (tmp_path / name).write_bytes(make())
    Image.new("L", (9, 9)).save(tmp_path / "good.png")
    read_image(tmp_path / "good.png", Wanted(None, 3))
    began = processor_seconds()
    with pytest.raises(DataError, match=r"^it claims [\d,]+ × [\d,]+ pixels in [\d,]+ bytes"):
        read_image(tmp_path / name, Wanted((28, 28), 3))
    assert processor_seconds() - began < 1
    assert all(psutil.Process(pid).memory_info().rss < 150 * 2**20 for pid in pids())


PAGES = {  # A4 at 600 dpi, as scanners write pages without anything on them
    "colors": (lambda: saved(Image.new("RGB", (4960, 7016), "white"), "PNG"), 255),
    "gray": (lambda: saved(Image.new("L", (4960, 7016), 255), "PNG"), 255),
    "deep gray": (lambda: black(4960, 7016, (16, 0), 2), 0),
    "transparent": (lambda: saved(Image.new("RGBA", (4960, 7016)), "PNG"), 0),
}


@pytest.mark.parametrize("case", PAGES)
@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux alone")
def test_an_empty_page_takes_little_more_than_its_pixels(tmp_path, monkeypatch, case):
    make, color = PAGES[case]
    (tmp_path / "x.png").write_bytes(make())
    monkeypatch.setattr(images, "DECODER", 2**29)
    began = processor_seconds()
    assert (read_image(tmp_path / "x.png", Wanted((28, 28), 3)) == color).all()
    assert processor_seconds() - began < 3


@pytest.mark.parametrize("case", LYING)
def test_what_an_image_claims_is_compared_with_its_file(tmp_path, case):
    make, words = LYING[case]
    path = tmp_path / ("x.jpg" if "scans" in case else "x.png")
    path.write_bytes(make())
    Image.new("L", (9, 9)).save(tmp_path / "good.png")
    end_children()  # what others were read in may still hold their memory
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
        side = 8000 if number == place else 10
        Image.new("L", (side, side), number).save(tmp_path / "a" / f"{number}.png")
    monkeypatch.setattr(images, "DECODER", 2**24)
    end_children()  # one that has read larger images has room of theirs
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
