"""Names that come from files, of tensors and layers: safe to show, and sorted as people count."""

from __future__ import annotations

import re

MOST = 100  # characters of a name in a message


def shown(name: object) -> str:
    """A name for people, escaped and cut, because a file may call a tensor anything."""
    text = ascii(name)
    return text if len(text) <= MOST else f"{text[: MOST - 30]}…{text[-29:]}"


def natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts layers.2 before layers.10."""
    parts = re.split(r"([0-9]+)", name)  # text at even places, digits at odd ones
    return [(int(part), "") if odd % 2 else (-1, part) for odd, part in enumerate(parts)]
