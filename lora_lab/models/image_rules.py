"""What a vision model wants of an image, by the rules of its own image processor.

transformers' processor scales and cuts every image, so that each family's rules are its own; what
it does to the numbers afterwards is linear in each channel, and is measured once and checked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lora_lab.door import door
from lora_lab.errors import CheckpointError
from lora_lab.models.architecture import first_line, quiet
from lora_lab.models.hf_config import read_config
from lora_lab.models.image_cost import check_cost
from lora_lab.models.named_classes import check_beyond_pixels, check_classes
from lora_lab.models.shards import inside
from lora_lab.models.strict_json import read_json
from lora_lab.names import shown
from lora_lab.time_limit import limited

LARGEST_EDGE, LARGEST_AREA = 8192, 2**24  # pixels
# Of what a model is given, as it is cut: those of today take up to 1536 × 1536, and each image is
# made of this size, and six of them to find out what is done to it.
LARGEST_IMAGE = 2**22
SECONDS = 5.0  # to find that out; the largest takes two
SIZES = ("size", "crop_size", "pad_size")
SMALLEST_PART = 0.1
STEP = 1e-6  # the least image_std; the most of it and of image_mean is its inverse
TOLERANCE = 0.5 / 255  # of the range of an image: half a step of a byte
PROBE = (61, 97)  # height and width of the picture that the rules are checked on


class _Endless(CheckpointError):
    """Rules that make far more of an image than the model can be given."""

    def __init__(self) -> None:
        super().__init__("its image processor takes far too long over one image. Choose another")


@dataclass(frozen=True)
class ImageRules:
    """Bytes of an image in the size a model takes, and value · scale + shift of each channel."""

    size: tuple[int, int]  # (height, width)
    channels: int
    scale: tuple[float, ...]
    shift: tuple[float, ...]
    # (height, width, channels) of uint8 → the same in `size`; None: cover `size`, cut in the middle
    prepare: Callable[[np.ndarray], np.ndarray] | None = None
    notes: tuple[str, ...] = ()


@door(CheckpointError)
def open_image_rules(path: str | Path) -> ImageRules:
    """The rules of a folder: its preprocessor_config.json, else those of its kind.

    Raises CheckpointError for rules that are unsound, that ask for code of their author, or that
    do more to an image than can be followed.
    """
    path = Path(path)
    config = read_config(path)
    channels = config.get("num_channels", 3)
    if channels not in (1, 3):
        raise _unsound(path, f"num_channels is {channels!r}")
    values = _values(path)
    if values is None:
        return _without_rules(path, config, channels)
    check_classes(values, path.name)
    check_beyond_pixels(values, path.name)
    if values.get("auto_map"):
        raise CheckpointError(
            f"{path.name}: its image processor asks for code of its author to be run, which is not "
            "done. Choose a model whose processor is transformers' own."
        )
    _check_numbers(path, values, channels)
    processor = _processor(path, values)
    check_cost(processor, path.name, LARGEST_IMAGE)
    prepare = _prepared_by(processor, channels)
    try:
        with limited(SECONDS, _Endless):
            return _measured(processor, prepare, channels)
    except CheckpointError as error:
        raise CheckpointError(f"{path.name}: {str(error).removesuffix('.')}.") from None
    except Exception as error:
        raise _unsound(path, first_line(error)) from error


def _values(path: Path) -> dict[str, Any] | None:
    """What the library goes by: the part of a processor's file where that has one, else a file of
    its own; None where there is neither."""
    values = (_settings(path, "processor_config.json") or {}).get("image_processor")
    if values is None:
        return _settings(path, "preprocessor_config.json")
    if not isinstance(values, dict):
        raise _unsound(path, f"image_processor is {shown(values)}")
    return values


def _settings(path: Path, name: str) -> dict[str, Any] | None:
    return read_json(inside(path, name)) if (path / name).exists() else None


def _without_rules(path: Path, config: dict[str, Any], channels: int) -> ImageRules:
    size = config.get("image_size") or 224
    size = tuple(size) if isinstance(size, list) else (size, size)
    if len(size) != 2 or not all(type(n) is int and 1 <= n <= LARGEST_EDGE for n in size):
        raise _unsound(path, f"image_size is {size}")
    note = (
        f"{path.name} has no preprocessor_config.json, so images cover {size[1]} × {size[0]} "
        "pixels and their values go from -1 to 1"
    )
    return ImageRules(size, channels, (2 / 255,) * channels, (-1.0,) * channels, None, (note,))


def _processor(path: Path, values: dict[str, Any]) -> Any:
    """The image processor on PIL, which transformers takes as the reference."""
    from transformers import AutoImageProcessor

    how = {"local_files_only": True, "trust_remote_code": False}
    with quiet(path.name):
        try:
            try:
                return AutoImageProcessor.from_pretrained(str(path), backend="pil", **how)
            except TypeError:  # an older transformers
                return AutoImageProcessor.from_pretrained(str(path), use_fast=False, **how)
        except Exception as error:
            raise _unsound(path, first_line(error)) from error


def _prepared_by(processor: Any, channels: int) -> Callable[[np.ndarray], np.ndarray]:
    """Scaling and cutting alone: bytes in, bytes out."""

    plain = {"do_rescale": False, "do_normalize": False}
    if hasattr(processor, "include_top"):  # EfficientNet's: a second normalization
        plain["include_top"] = False

    def prepare(image: np.ndarray) -> np.ndarray:
        values = _called(processor, image, **plain)
        if values.ndim != 3 or values.shape[0] != channels:
            raise CheckpointError("its image processor gives no picture of the channels it names")
        return np.clip(np.rint(values), 0, 255).astype(np.uint8).transpose(1, 2, 0)

    return prepare


def _called(processor: Any, image: np.ndarray, **how: Any) -> np.ndarray:
    """(channels, height, width) of one image, as the model would get it."""
    with quiet():
        result = processor(
            images=[image], input_data_format="channels_last", return_tensors="np", **how
        )
    return np.asarray(result["pixel_values"])[0]


def _measured(
    processor: Any, prepare: Callable[[np.ndarray], np.ndarray], channels: int
) -> ImageRules:
    """The line that leads from bytes to numbers in each channel, checked on a picture."""
    generator = np.random.default_rng(0)
    picture = generator.integers(0, 256, (*PROBE, channels), dtype=np.uint8)
    tall = picture.transpose(1, 0, 2).copy()
    black, white = (_called(processor, np.full_like(picture, v)) for v in (0, 255))
    row, column = black.shape[1] // 2, black.shape[2] // 2  # a border may be padding
    shift = black[:, row, column].astype(np.float64)
    scale = (white[:, row, column].astype(np.float64) - shift) / 255
    if not (np.isfinite(scale).all() and (scale != 0).all()):
        raise CheckpointError("its image processor makes one number of every image")
    sizes = set()
    for image in (picture, tall):
        bytes_, numbers = prepare(image), _called(processor, image)
        sizes.add(bytes_.shape[:2])
        line = bytes_.transpose(2, 0, 1) * scale[:, None, None] + shift[:, None, None]
        away = np.abs(line - numbers) / (np.abs(scale[:, None, None]) * 255)
        if line.shape != numbers.shape or away.max() > TOLERANCE:
            raise CheckpointError(
                "its image processor does more to an image than scaling, cutting and a line for "
                "each channel, which is not followed here"
            )
    if len(sizes) > 1:
        raise CheckpointError(
            "its image processor gives images of different sizes, which cannot stand in one batch. "
            'Set "do_center_crop" with a "crop_size", or a "size" of height and width, in '
            "preprocessor_config.json"
        )
    (size,) = sizes
    return ImageRules(size, channels, tuple(scale.tolist()), tuple(shift.tolist()), prepare)


def _check_numbers(path: Path, values: dict[str, Any], channels: int) -> None:
    """Sizes that would fill the memory, and mean and std of other channels, before any is used."""
    for name in SIZES:
        size = values.get(name)
        edges = size.values() if isinstance(size, dict) else size
        for edge in edges if isinstance(edges, list | type({}.values())) else [edges]:
            if edge is not None and not (type(edge) is int and 1 <= edge <= LARGEST_EDGE):
                raise _unsound(path, f"{name} is {size!r}")
    numbers = list(_numbers(values))
    for name, value in numbers:
        small = _is_part(name)
        most = LARGEST_AREA if "pixels" in name else LARGEST_EDGE
        most = LARGEST_IMAGE if "min_pixels" in name else most
        if (small and not SMALLEST_PART <= value <= 1) or (isinstance(value, int) and value > most):
            raise _unsound(path, f"{name} is {value!r}")
    part = min((n for name, n in numbers if _is_part(name)), default=1)
    for name in SIZES:
        if (area := _area(values.get(name))) > LARGEST_IMAGE * max(part, SMALLEST_PART) ** 2:
            raise _unsound(path, f"{name} is {values[name]!r}, of {area:,} pixels")
    for name in ("image_mean", "image_std"):
        given = values.get(name)
        if given is None:
            continue
        numbers = given if isinstance(given, list) else [given]
        if not all(isinstance(n, int | float) and not isinstance(n, bool) for n in numbers):
            raise _unsound(path, f"{name} is {given!r}")
        if isinstance(given, list) and len(given) != channels:
            raise _unsound(path, f"{name} has {len(given)} numbers for {channels} channels")
        least = STEP if name == "image_std" else -1 / STEP
        if not all(least <= n <= 1 / STEP for n in numbers):
            raise _unsound(path, f"{name} is {shown(given)}")


def _is_part(name: str) -> bool:
    """Whether a number says which part is cut out of what is scaled up."""
    return "pct" in name or "ratio" in name


def _area(size: Any) -> int:
    """Pixels of an image of this size, whose edges are known to be numbers, as far as it says."""
    if isinstance(size, dict):
        sides = [size[name] for name in ("height", "width") if size.get(name)]
        edges = [size[name] for name in ("shortest_edge", "longest_edge") if size.get(name)]
        sides = sides or edges[:1]  # the shorter edge bounds what the longer may only cut short
    else:
        sides = size if isinstance(size, list) else [size] if size else []
    return math.prod(sides) if len(sides) > 1 else sides[0] ** 2 if sides else 0


def _numbers(value: Any, name: str = "") -> Iterator[tuple[str, int | float]]:
    """Every number, with the name that it stands under; numbers of tokens are no sizes."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _numbers(inner, str(key))
    elif isinstance(value, list):
        for inner in value:
            yield from _numbers(inner, name)
    elif isinstance(value, int | float) and not isinstance(value, bool) and "token" not in name:
        yield name, value


def _unsound(path: Path, reason: str) -> CheckpointError:
    return CheckpointError(
        f"{path.name}: it does not say soundly which images it takes ({reason}). Download the "
        "whole repository."
    )
