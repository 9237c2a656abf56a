"""Names that come from files, of tensors and layers: safe to show, and sorted as people count."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice

MOST = 100  # characters of a name in a message
LONGEST = 1000  # characters of a tensor's name, and so of a number in it: real ones have under 200
# What moves a cursor, turns the direction of reading, or is no character: never a part of a name.
ILLEGIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufff9-\ufffb"
    "\ud800-\udfff\ufffe\uffff\U000e0000-\U000e007f]"
)


def legible(text: str) -> str:
    """A text that a terminal, a window or a page shows and does not follow; lines stay lines."""
    return ILLEGIBLE.sub("\ufffd", text)


def is_text(text: str) -> bool:
    """Whether it can be written as UTF-8: a name of another encoding has halves of characters."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def brief(text: str, most: int = MOST) -> str:
    """A text cut in its middle where it is longer than anybody reads, or a window can lay out."""
    end = most * 3 // 10
    return text if len(text) <= most else f"{text[: most - end]}…{text[1 - end :]}"


def shown(name: object) -> str:
    """A name for people, escaped and cut, because a file may call a tensor anything."""
    return brief(ascii(name))


def natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts layers.2 before layers.10, however many digits there are."""
    parts = re.split(r"0*([0-9]+)", name)  # text at even places, digits at odd ones
    return [(len(part), part) if odd % 2 else (-1, part) for odd, part in enumerate(parts)]


def suffixes(name: str) -> Iterator[str]:
    """The name and all that begins behind one of its dots, longest first."""
    yield name
    for position, char in enumerate(name):
        if char == ".":
            yield name[position + 1 :]


def few(names: Iterable[str], most: int = 20) -> str:
    """Names in a sentence: each cut, and no more than the first."""
    some = [name if len(name) <= 40 else name[:39] + "…" for name in islice(names, most + 1)]
    return ", ".join(some[:most]) + (" …" if len(some) > most else "")
