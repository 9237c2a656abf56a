"""How many pixels and tokens an image processor may make of one image, as its settings say.

The settings are looked at as the opened processor has them, with what its class adds to the file.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from lora_lab.errors import CheckpointError

# Of one image, all its pieces together: the largest of today make 8 million pixels, or up to 17
# million of an image that is as large, and 16,000 tokens in up to 37 pieces.
MOST_PIXELS, MOST_COUNTED_PIXELS, MOST_TOKENS, MOST_PIECES = 2**24, 2**25, 2**17, 2**8
LARGEST_LEAST = 2**22  # pixels to which a smaller image is scaled up
MOST_LETTERS = 2**24  # of the text in which each token of an image is written out
SIDES = ("size", "edge", "side", "height", "width", "resolution", "pinpoint")
UNITS = ("patch_size", "merge_size", "pooling", "divisor", "multiple", "factor")  # multiply
CELLS = ("max_image_size", "tile_size")  # of a piece, in classes that have them
PIECES = ("patches", "tiles", "crops", "slice")  # each as large as an image
PARTS = ("tokens", "token_limit", "num_patches")  # each as large as the units
NOT_OF_SIZE = ("rescale", "normalize", "mask", "pad_token")
OF_ONE = ("seq_len", "tokens")  # a processor's own numbers: tokens of each piece
COUNTS_AREA = "merge_size"  # classes that have it count an image's pixels, and not its edges


def check_cost(images: Any, where: str, most: int = MOST_PIXELS, whole: Any = None) -> None:
    """Raise CheckpointError for an opened image processor that would make more than `most` pixels
    of an image; and for the tokens of `whole`, the processor of images and text that it is in."""
    values = {**_settings(images), **images.to_dict()}
    numbers = [(n, v) for n, v in _numbers(values) if not _is(n, NOT_OF_SIZE)]
    units = {n: v for n, v in sorted(numbers, key=lambda pair: pair[1]) if _is(n, UNITS)}
    unit = math.prod(max(v, 1) for v in units.values()) ** 2
    parts = [v for n, v in numbers if _is(n, PARTS)]
    counts = [v for n, v in numbers if _is(n, PIECES) and not _is(n, PARTS)]
    named, pieces = list(_areas(values)), 1.0
    if hasattr(type(images), COUNTS_AREA):
        size = values.get("size")
        least = size.get("shortest_edge") if isinstance(size, dict) else 0
        if _is_number(least) and least > LARGEST_LEAST:
            raise _too_much(where, least, "pixels at least")
        most, named = max(most, MOST_COUNTED_PIXELS), list(_numbers(size))
        parts, counts = parts + counts, []
    elif not named:
        parts, counts = parts + counts, []
    largest = cell = max((area for _, area in named), default=0)
    if not hasattr(type(images), COUNTS_AREA):
        ends = [area for name, area in named if name.endswith("size") and "min" not in name]
        pieces = max([1, *counts, largest / max(min(ends, default=largest), 1)])
        classes = [area for n, area in named if n in CELLS and hasattr(type(images), n)]
        cell = min(classes, default=cell)
    if pieces > MOST_PIECES:
        raise _too_much(where, pieces, "pieces")
    made = max([unit * max([1, *parts]), largest, *(cell * count for count in counts)])
    if made > most:
        raise _too_much(where, made, "pixels")
    if whole is not None:
        _check_tokens(whole, where, pieces, made, unit if units else math.inf)


def _check_tokens(whole: Any, where: str, pieces: float, made: float, unit: float) -> None:
    own = {name: value for name, value in _settings(whole).items() if _is_number(value)}
    each = max((v for n, v in own.items() if _is(n, OF_ONE)), default=0)
    patch = own.get("patch_size", 0)
    tokens = pieces * each + made / (patch**2 if patch > 0 else unit)
    if tokens > MOST_TOKENS:
        raise _too_much(where, tokens, "tokens")
    marks = [text for part in (whole, whole.tokenizer) for text in _marks(part)]
    if tokens * max(marks, default=0) > MOST_LETTERS:
        raise _too_much(where, tokens, "tokens with a long name")


def _settings(made: Any) -> dict[str, Any]:
    return {name: value for name, value in vars(made).items() if not name.startswith("_")}


def _marks(part: Any) -> Iterator[int]:
    """How long the names are that stand for an image, or for what is around it."""
    for name in ("image_token", "boi_token", "eoi_token", "fake_image_token", "img_patch_token"):
        text = getattr(part, name, None)
        if isinstance(text, str):
            yield len(text)


def _areas(value: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """Pixels of every size that is named."""
    if isinstance(value, dict):
        sides = [v for n, v in value.items() if n.endswith(("height", "width")) and _is_number(v)]
        edges = [v for n, v in value.items() if "edge" in n and _is_number(v)]
        pixels = [v for n, v in value.items() if "pixels" in n and _is_number(v)]
        if sides or edges or pixels:
            if not _is(name, UNITS):
                squares = [math.prod(sides)] if len(sides) == 2 else [s**2 for s in sides]
                yield name, max([*squares, *(e**2 for e in edges), *pixels])
            return
        for key, inner in value.items():
            yield from _areas(inner, str(key))
    elif isinstance(value, list | tuple):
        if len(value) == 2 and all(map(_is_number, value)) and _is(name, SIDES):
            yield from [] if _is(name, UNITS) else [(name, math.prod(value))]
        else:
            for inner in value:
                yield from _areas(inner, name)
    elif _is_number(value) and _is(name, SIDES) and not _is(name, UNITS):
        yield name, value**2


def _numbers(value: Any, name: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            whole = name if key in ("height", "width") else str(key)
            yield from _numbers(inner, whole)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _numbers(inner, name)
    elif _is_number(value):
        yield name, value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is(name: str, words: tuple[str, ...]) -> bool:
    return any(word in name for word in words)


def _too_much(where: str, count: float, what: str) -> CheckpointError:
    return CheckpointError(
        f"{where}: its processor would make {count:,.0f} {what} of one image, far more than any "
        "does. Download it again."
    )
