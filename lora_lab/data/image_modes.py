"""Images of every mode as bytes in gray or RGB, with what can be seen in them kept.

Pillow's own conversion clips deep images at 255 and leaves transparent ones black.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lora_lab.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

DEEP = 65535  # the largest value of 16 bits


def in_mode(image: Image, mode: str) -> Image:
    """`image` in "L" or "RGB". Raises DataError for numbers whose range is not known."""
    from PIL import Image as images

    if image.mode.startswith("I") or image.mode == "F":
        import numpy as np  # few images need it, and it takes longer to load than most to decode

        image = images.fromarray(_bytes(np.asarray(image)))
    elif image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = _on_ground(image.convert("RGBA"))
    return image.convert(mode)


def _bytes(values: np.ndarray) -> np.ndarray:
    """Numbers of 16 or 32 bits, or fractions, as bytes: by the range of their kind."""
    import numpy as np

    low, high = float(values.min()), float(values.max())
    if not (np.isfinite(low) and np.isfinite(high)) or low < 0 or high > DEEP:
        raise DataError(f"its values go from {low:.6g} to {high:.6g}, whose range is not known")
    if values.dtype.kind == "f" and high <= 1:
        scale = 255.0
    elif values.dtype.kind != "f" and values.dtype.itemsize == 2:
        scale = 255 / DEEP
    else:
        scale = 1.0 if high <= 255 else 255 / DEEP
    return np.rint(values.astype(np.float64) * scale).astype(np.uint8)


def _on_ground(image: Image) -> Image:
    """A transparent image on white, or on black where it could not be seen on white."""
    from PIL import Image as images

    for ground in ("white", "black"):
        flat = images.new("RGBA", image.size, ground)
        flat.alpha_composite(image)
        flat = flat.convert("RGB")
        if any(low < high for low, high in flat.getextrema()):
            break
    return flat
