"""Images of every mode as bytes in gray or RGB, with what can be seen in them kept.

Pillow's own conversion clips deep images at 255 and leaves transparent ones black.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lora_lab.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

DEEP = 65535  # the largest value of 16 bits
STRIP = 2**21  # pixels that are taken together, since in between they take many bytes each


def in_mode(image: Image, mode: str) -> Image:
    """`image` in "L" or "RGB". Raises DataError for numbers whose range is not known."""
    if is_number(image):
        scale = _scale(image)
        return _made((_bytes(part, scale) for part in _strips(image)), image, mode)[0]
    if is_clear(image):  # on white, or on black where it could not be seen on white
        found, varied = _made(_on_ground(image, "white"), image, mode)
        return found if varied else _made(_on_ground(image, "black"), image, mode)[0]
    return image if image.mode == mode else image.convert(mode)


def is_number(image: Image) -> bool:
    """Whether its pixels are whole numbers of more than 8 bits, or fractions."""
    return image.mode.startswith("I") or image.mode == "F"


def is_clear(image: Image) -> bool:
    """Whether there may be nothing in places of it."""
    return image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info


def _strips(image: Image) -> Iterator[Image]:
    rows = max(1, STRIP // image.width)
    for top in range(0, image.height, rows):
        yield image.crop((0, top, image.width, min(image.height, top + rows)))


def _made(strips: Iterator[Image], like: Image, mode: str) -> tuple[Image, bool]:
    """The strips below each other, and whether they have more than one color."""
    from PIL import Image as images

    made, top = images.new(mode, like.size), 0
    colors: set[tuple[int, ...]] = (
        set()
    )  # the least of each band, and the most: two where they vary
    for strip in strips:
        pairs = strip.getextrema()
        pairs = pairs if isinstance(pairs[0], tuple) else (pairs,)
        colors.update(zip(*pairs, strict=True))  # type: ignore[arg-type]
        made.paste(strip.convert(mode), (0, top))
        top += strip.height
    return made, len(colors) > 1


def _scale(image: Image) -> float:
    """What numbers of 16 or 32 bits, or fractions, are bytes by: by the range of their kind."""
    import numpy as np  # few images need it, and it takes longer to load than most to decode

    ends = [(part.min(), part.max()) for part in map(np.asarray, _strips(image))]
    low, high = float(np.min(ends)), float(np.max(ends))
    if not (np.isfinite(low) and np.isfinite(high)) or low < 0 or high > DEEP:
        raise DataError(f"its values go from {low:.6g} to {high:.6g}, whose range is not known")
    kind = np.asarray(image.crop((0, 0, 1, 1))).dtype
    if kind.kind == "f" and high <= 1:
        return 255.0
    if kind.kind != "f" and kind.itemsize == 2:
        return 255 / DEEP
    return 1.0 if high <= 255 else 255 / DEEP


def _bytes(part: Image, scale: float) -> Image:
    import numpy as np
    from PIL import Image as images

    return images.fromarray(np.rint(np.asarray(part).astype(np.float64) * scale).astype(np.uint8))


def _on_ground(image: Image, ground: str) -> Iterator[Image]:
    from PIL import Image as images

    for part in _strips(image):
        flat = images.new("RGBA", part.size, ground)
        flat.alpha_composite(part.convert("RGBA"))
        yield flat.convert("RGB")
