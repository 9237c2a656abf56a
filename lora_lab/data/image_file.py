"""Images decoded, in the child process: Pillow's decoders are native, and the files a stranger's.

Each is measured before it is decoded, by what it claims and by what it could hold.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator
from typing import Any

from PIL import Image, ImageMode, ImageOps, UnidentifiedImageError

from lora_lab.apart.limits import allow
from lora_lab.data.image_modes import in_mode, is_clear, is_number
from lora_lab.errors import DataError

# Decoders that may read a file; others, such as those that call Ghostscript, are never asked.
FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "GIF", "TIFF", "AVIF", "PPM")
LARGEST = 100_000_000  # pixels of one image
LONGEST = 65_535  # pixels of a side
SCANS, SCAN = 100, b"\xff\xda"  # of a progressive JPEG, each of which goes over all of it
# Of a page of one color: pixels, and bytes, which are A4 in color and A3 in black at 600 dpi. What
# is larger has bytes for each of its file.
EMPTY, DEEP, SPARSE = 70_000_000, 150_000_000, 500
TOGETHER = 2**22  # bytes of images that are answered together
SECONDS, MEGAPIXEL = 1.0, 0.15  # of processor time: for any image, and for each million of pixels


def decoded(
    data: Any, size: list[int] | None, mode: str, prepared: bool, group: int
) -> Iterator[tuple[dict[str, Any], bytes]]:
    """The images at the paths that `data` lists, some at a time: of each height and width or what
    is wrong, and the bytes of all.

    They cover `size` (height, width), or that of the first, and are cut in the middle, unless they
    are to be `prepared` elsewhere.
    """
    Image.MAX_IMAGE_PIXELS = None  # sizes are checked here
    about: list[list[int] | str] = []
    images: list[bytes] = []
    for path in json.loads(bytes(data)):
        try:
            image = _decoded(path, size, mode, prepared)
        except DataError as error:
            about.append(str(error))
        else:
            about.append([image.height, image.width])
            images.append(image.tobytes())
            size = size if prepared else size or about[-1]  # type: ignore[assignment]
        if len(about) >= group or sum(map(len, images)) > TOGETHER:
            yield {"images": about}, b"".join(images)
            about, images = [], []
    if about:
        yield {"images": about}, b"".join(images)


def _decoded(path: str, size: list[int] | None, mode: str, prepared: bool) -> Image.Image:
    """One image in `mode`, turned as the camera says. Raises DataError."""
    allow(SECONDS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as image:
                _check(*image.size, _depth(image), os.stat(path).st_size)
                _check_scans(image, path)
                allow(SECONDS + MEGAPIXEL * image.width * image.height / 1e6)
                if size is not None and not prepared:
                    image.draft(mode, (2 * size[1], 2 * size[0]))  # JPEG decodes smaller at once
                image.load()
                ImageOps.exif_transpose(image, in_place=True)
                gray = image.mode in ("1", "L") or is_number(image)
                turned = in_mode(image, "L" if gray and not is_clear(image) else mode)
            if size is not None and not prepared and turned.size != (size[1], size[0]):
                turned = ImageOps.fit(turned, (size[1], size[0]), Image.Resampling.BILINEAR)
            turned = in_mode(turned, mode)
    except DataError:
        raise
    except UnidentifiedImageError:
        raise DataError("this is no image that can be read") from None
    except Image.DecompressionBombError:
        raise DataError("it claims too many pixels") from None
    except (MemoryError, ImportError):
        raise
    except Exception as error:
        reason = str(error).split("\n")[0][:80]
        raise DataError(f"the image is damaged ({reason})") from error
    return turned


def _depth(image: Image.Image) -> int:
    """Bytes that a pixel takes while it is read."""
    if is_clear(image):
        return 4
    kind = ImageMode.getmode(image.mode)
    return len(kind.bands) * int(kind.typestr[-1])


def _check(width: int, height: int, depth: int, size: int) -> None:
    pixels = width * height
    if pixels > LARGEST or max(width, height) > LONGEST:
        raise DataError(f"{width:,} × {height:,} pixels are too many")
    if pixels > max(min(EMPTY, DEEP // depth), SPARSE * size // depth):
        raise DataError(f"it claims {width:,} × {height:,} pixels in {size:,} bytes")


def _check_scans(image: Image.Image, path: str) -> None:
    if image.format != "JPEG":
        return
    with open(path, "rb") as file:
        count = sum(part.count(SCAN) for part in iter(lambda: file.read(2**20), b""))
    if count > SCANS:
        raise DataError(f"it goes over its picture {count:,} times")
