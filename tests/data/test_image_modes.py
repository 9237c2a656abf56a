"""Images of every mode keep what can be seen in them."""

import numpy as np
import pytest
from PIL import Image

from lora_lab.data import image_modes
from lora_lab.data.image_modes import in_mode
from lora_lab.data.images import Wanted, read_image, read_image_folder
from lora_lab.errors import DataError

RAMP = np.tile(np.arange(0, 256, dtype=np.uint16), (4, 1))


def gray(image):
    return np.asarray(in_mode(image, "L"))


@pytest.mark.parametrize("ending", [".png", ".tif"])
def test_sixteen_bits_are_the_same_picture_as_eight(tmp_path, ending):
    path = tmp_path / f"deep{ending}"
    Image.fromarray(RAMP * 257).save(path)
    values = read_image(path, Wanted(None, 1))[:, :, 0]
    np.testing.assert_array_equal(values, RAMP)
    np.testing.assert_array_equal(read_image(path, Wanted(None, 3))[:, :, 2], RAMP)


@pytest.mark.parametrize(
    "values",
    [RAMP.astype(np.int32), RAMP.astype(np.int32) * 257, RAMP.astype(np.float32) / 255,
     RAMP.astype(np.float32)],
    ids=["bytes in 32 bits", "16 bits in 32", "fractions", "bytes as fractions"],
)  # fmt: skip
def test_numbers_are_read_by_the_range_of_their_kind(values):
    np.testing.assert_array_equal(gray(Image.fromarray(values)), RAMP)


@pytest.mark.parametrize("values", [[-1.0, 2.0], [0.0, 1e6], [0.0, float("nan")]])
def test_numbers_of_an_unknown_range_are_refused(values):
    with pytest.raises(DataError, match="range is not known"):
        in_mode(Image.fromarray(np.array([values], dtype=np.float32)), "L")


@pytest.mark.parametrize("ink", [0, 255])
def test_an_icon_on_nothing_can_be_seen(ink):
    values = np.zeros((8, 8, 4), dtype=np.uint8)
    values[..., :3] = ink
    values[2:6, 2:6, 3] = 255
    shown = gray(Image.fromarray(values))
    assert shown[3, 3] == ink
    assert shown[0, 0] == 255 - ink


@pytest.mark.parametrize("strip", [1, 256, 600])
@pytest.mark.parametrize("kind", ["deep", "fractions", "icon", "on white", "names"])
def test_an_image_is_the_same_in_strips(monkeypatch, kind, strip):
    draw = np.random.default_rng(0)
    values = draw.integers(0, 256, (8, 256, 4), dtype=np.uint8)
    if kind == "on white":
        values[..., :3] = 255
    image = Image.fromarray(values)
    if kind == "deep":
        image = Image.fromarray(draw.integers(0, 65536, (8, 256), dtype=np.uint16))
    elif kind == "fractions":
        image = Image.fromarray(draw.random((8, 256), dtype=np.float32))
    elif kind == "names":
        image = image.convert("RGB").convert("P")
        image.info["transparency"] = 3
    whole = [np.asarray(in_mode(image, mode)) for mode in ("L", "RGB")]
    monkeypatch.setattr(image_modes, "STRIP", strip)
    for mode, expected in zip(("L", "RGB"), whole, strict=True):
        np.testing.assert_array_equal(np.asarray(in_mode(image, mode)), expected)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "LAB", "HSV", "YCbCr", "LA"])
def test_modes_without_depth_are_pillows_own(mode):
    picture = Image.fromarray(np.stack([RAMP.astype(np.uint8)] * 3, axis=2))
    image = picture.convert("L").convert(mode) if mode == "LA" else picture
    if mode not in ("LA", "LAB"):
        image = picture.convert(mode)
    np.testing.assert_array_equal(
        np.asarray(in_mode(image, "RGB")), np.asarray(image.convert("RGB"))
    )


def test_images_that_come_out_alike_are_named(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (4, 4)).save(tmp_path / name / "x.png")
    with pytest.raises(DataError, match="all 2 images come out alike"):
        read_image_folder(tmp_path, (4, 4), 3)


def test_files_of_other_kinds_are_counted(tmp_path):
    for number, name in enumerate(("a", "b")):
        (tmp_path / name).mkdir()
        Image.new("RGB", (4, 4), (200 * number,) * 3).save(tmp_path / name / "x.png")
        (tmp_path / name / "x.heic").write_bytes(b"x")
    (tmp_path / "a" / "readme.txt").write_text("x")
    found = read_image_folder(tmp_path, (4, 4), 3)
    assert found.notes == ("3 files of other kinds passed over (.heic 2, .txt 1)",)


def test_a_postscript_file_under_another_name_is_never_run(tmp_path):
    path = tmp_path / "x.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n")
    with pytest.raises(DataError, match="no image that can be read"):
        read_image(path, Wanted((4, 4), 3))
