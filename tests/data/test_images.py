"""Images come in one size with their classes; one that lies about itself is named."""

import gzip
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from lora_lab.data import images
from lora_lab.data.images import read_image_folder, read_pictures
from lora_lab.errors import DataError


def write(folder, name, color=(10, 20, 30), size=(12, 8), mode="RGB", **how):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).convert(mode).save(path, **how)
    return path


@pytest.fixture
def folder(tmp_path):
    for i in range(3):
        write(tmp_path, f"cat/{i}.png", (i, 0, 0))
        write(tmp_path, f"dog/{i}.jpg", (0, 200, 0), quality=95)
    return tmp_path


def test_a_folder_per_class(folder):
    found = read_image_folder(folder, (4, 6), 3)
    assert found.images.shape == (6, 4, 6, 3)
    assert found.images.dtype == np.uint8
    assert found.classes == ("cat", "dog")
    assert found.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert found.images[2, 0, 0].tolist() == [2, 0, 0]
    assert found.given_validation is None
    assert found.chosen(np.array([5, 0])).labels.tolist() == [1, 0]


def test_without_a_size_the_first_image_gives_it(folder):
    assert read_image_folder(folder, None, None).images.shape == (6, 8, 12, 3)
    assert read_image_folder(folder, (0, 0), 1).images.shape == (6, 8, 12, 1)


def test_held_out_folders_are_taken_up(tmp_path):
    for part in ("train", "val"):
        write(tmp_path, f"{part}/a/1.png")
        write(tmp_path, f"{part}/b/1.png", (9, 9, 9))
    found = read_image_folder(tmp_path, None, 3)
    assert (len(found.labels), len(found.given_validation.labels)) == (2, 2)
    assert "val/" in found.notes[0]
    write(tmp_path, "val/c/1.png")
    with pytest.raises(DataError, match="no class 'c'"):
        read_image_folder(tmp_path, None, 3)


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "1", "LA"])
def test_every_kind_of_pixels_is_read(tmp_path, mode):
    write(tmp_path, "a/1.png", (255, 255, 255), mode=mode)
    found = read_image_folder(tmp_path, (4, 4), 3)
    assert (found.images == 255).all()


def test_images_are_turned_as_the_camera_says(tmp_path):
    image = Image.fromarray(np.arange(6, dtype=np.uint8).reshape(2, 3) * 40)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90° to the right
    (tmp_path / "a").mkdir()
    image.save(tmp_path / "a" / "1.png", exif=exif)
    found = read_image_folder(tmp_path, None, 1)
    assert found.images[0, ..., 0].tolist() == [[120, 0], [160, 40], [200, 80]]


def test_a_wide_image_is_cut_in_the_middle(tmp_path):
    pixels = np.zeros((4, 12, 3), np.uint8)
    pixels[:, 4:8] = 255
    (tmp_path / "a").mkdir()
    Image.fromarray(pixels).save(tmp_path / "a" / "1.png")
    assert (read_image_folder(tmp_path, (4, 4), 3).images == 255).all()


def idx(path, array):
    magic = struct.pack(">I", 0x800 | array.ndim)
    path.write_bytes(magic + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes())


def test_idx_files_are_read_with_their_test_part(tmp_path):
    images = np.random.default_rng(0).integers(0, 255, (5, 7, 7)).astype(np.uint8)
    labels = np.array([0, 1, 2, 1, 0], np.uint8)
    for part in ("train", "t10k"):
        idx(tmp_path / f"{part}-images-idx3-ubyte", images)
        idx(tmp_path / f"{part}-labels-idx1-ubyte", labels)
    found = read_image_folder(tmp_path, None, None)
    assert np.array_equal(found.images[..., 0], images)
    assert found.classes == ("0", "1", "2")
    assert found.given_validation.labels.tolist() == labels.tolist()
    assert read_image_folder(tmp_path, (4, 4), 3).images.shape == (5, 4, 4, 3)


def png(width, height):
    """A PNG that claims to be of this size and holds next to nothing."""

    def chunk(kind, data):
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(bytes(10))), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def cut(folder, name, **how):
    raw = write(folder, name, **how).read_bytes()
    return raw[: len(raw) // 2]


BAD = {
    "bomb.png": lambda f: png(60_000, 60_000),
    "lying.png": lambda f: png(300, 300),
    "text.png": lambda f: b"hello, I am an image",
    "empty.jpg": lambda f: b"",
    "cut.png": lambda f: cut(f, "dog/x.png", size=(90, 90)),
    "cut.jpg": lambda f: cut(f, "dog/x.jpg", size=(90, 90)),
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", BAD)
def test_an_image_that_lies_is_named_and_may_be_left_out(folder, name):
    (folder / "cat" / name).write_bytes(BAD[name](folder))
    with pytest.raises(DataError, match=f"cat.{name}: "):
        read_image_folder(folder, (8, 8), 3)
    (folder / "dog" / "x.png").unlink(missing_ok=True)
    (folder / "dog" / "x.jpg").unlink(missing_ok=True)
    found = read_image_folder(folder, (8, 8), 3, skip_bad=True)
    assert len(found.labels) == 6
    assert name in found.notes[0]


def test_what_holds_no_images_is_said(tmp_path):
    with pytest.raises(DataError, match="no image"):
        read_image_folder(tmp_path, None, None)
    with pytest.raises(DataError, match="not a folder"):
        read_image_folder(tmp_path / "nowhere", None, None)


LIES = {  # what a decoder may answer that a file has taken over
    "nothing": [],
    "an empty part": [({"images": []}, b"")] * 10**6,
    "no images": [({}, b"")],
    "None": [({"images": None}, b"")],
    "numbers": [({"images": [1]}, b"")],
    "one side": [({"images": [[1]]}, b"abc")],
    "infinity": [({"images": [[float("inf"), 1]]}, b"abc")],
    "digits": [({"images": [[int("1" * 4000), 1]]}, b"abc")],
    "below zero": [({"images": [[-1, -1]]}, b"abc")],
    "more bytes": [({"images": [[9, 9]]}, b"abc")],
    "more images": [({"images": [[1, 1]] * 5}, b"abc" * 5)],
}


@pytest.mark.parametrize("lie", LIES)
def test_a_decoder_is_not_believed(tmp_path, monkeypatch, lie):
    paths = [write(tmp_path, f"{i}.png") for i in range(2)]
    monkeypatch.setattr(images, "ask", lambda *a, **k: iter(LIES[lie]))
    found = list(read_pictures(paths))
    assert [str(image) for image in found] == ["this is no image that can be read"] * 2


def test_a_reason_is_no_book(tmp_path, monkeypatch):
    answers = [({"images": ["x" * 10**6]}, b"")]
    monkeypatch.setattr(images, "ask", lambda *a, **k: iter(answers))
    (found,) = read_pictures([write(tmp_path, "0.png")])
    assert len(str(found)) == 1000


def test_small_images_are_not_blown_up_to_a_large_first_one(tmp_path):
    """Sixty bytes each, which took gigabytes as soon as the first was large."""
    for name in "ab":
        (tmp_path / name).mkdir()
    Image.new("L", (3000, 3000)).save(tmp_path / "a" / "0.png")
    for number in range(1, 40):
        Image.new("L", (3, 20), number).save(tmp_path / "ab"[number % 2] / f"{number}.png")
    with pytest.raises(DataError, match=r"40 images of 3000 × 3000 pixels would take 1\.1 GB"):
        read_image_folder(tmp_path, None, None)
    assert read_image_folder(tmp_path, (20, 30), None).images.shape == (40, 20, 30, 3)


@pytest.mark.parametrize("size", [(384, 384), (518, 518)])
def test_small_digits_are_enlarged_for_a_model(tmp_path, size, monkeypatch):
    monkeypatch.setattr("lora_lab.data.images.FREELY", 2**20)
    digit = np.zeros((28, 28), np.uint8)
    digit[4:24, 9:19] = np.random.default_rng(0).integers(0, 256, (20, 10))
    for number in range(12):
        folder = tmp_path / "ab"[number % 2]
        folder.mkdir(exist_ok=True)
        Image.fromarray(np.roll(digit, number)).save(folder / f"{number}.png")
    assert read_image_folder(tmp_path, size, 3).images.shape == (12, *size, 3)


def test_scans_of_one_size_are_read_in_it(tmp_path, monkeypatch):
    """Pages in black and white have a thousand times the bytes of their files."""
    monkeypatch.setattr("lora_lab.data.images.FREELY", 2**20)
    for number in range(4):
        folder = tmp_path / "ab"[number % 2]
        folder.mkdir(exist_ok=True)
        page = Image.new("1", (1240, 1754), 1)
        page.paste(0, (100, 100 + number, 900, 140))
        page.save(folder / f"{number}.png")
    assert read_image_folder(tmp_path, None, 3).images.shape == (4, 1754, 1240, 3)


def test_more_images_than_memory_holds_are_refused(tmp_path, monkeypatch):
    for name in "ab":
        (tmp_path / name).mkdir()
        noise = np.random.default_rng(ord(name)).integers(0, 256, (40, 40), np.uint8)
        Image.fromarray(noise).save(tmp_path / name / "0.png")
    monkeypatch.setattr("lora_lab.data.images.FREELY", 1)
    monkeypatch.setattr("lora_lab.data.images.MEMORY", 9000)
    with pytest.raises(DataError, match="2 images of 40 × 40 pixels do not fit into memory"):
        read_image_folder(tmp_path, None, None)
    monkeypatch.setattr("lora_lab.data.images.MEMORY", 10_000)
    assert read_image_folder(tmp_path, None, None).images.shape == (2, 40, 40, 3)


def test_few_bytes_of_idx_are_not_blown_up(tmp_path):
    count = 20_000
    head = struct.pack(">4I", 0x803, count, 1, 1)
    with gzip.open(tmp_path / "train-images-idx3-ubyte.gz", "wb") as file:
        file.write(head + bytes([255]) + bytes(count - 1))
    with gzip.open(tmp_path / "train-labels-idx1-ubyte.gz", "wb") as file:
        file.write(struct.pack(">2I", 0x801, count) + bytes(count - 1) + b"\x01")
    with pytest.raises(DataError, match=r"20,000 images of 224 × 224 pixels would take 3\.0 GB"):
        read_image_folder(tmp_path, (224, 224), 3)
    assert read_image_folder(tmp_path, (8, 8), 3).images.shape == (count, 8, 8, 3)
