"""Nets of torchvision and timm, recognised by the names and shapes of their tensors.

A file of weights does not say which net it is of. What the tensors of every net of both libraries
are called lies in resources/vision, so that a file is recognised where neither is installed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from hashlib import blake2b
from typing import NamedTuple

from lora_lab import paths
from lora_lab.errors import ConfigError

LIBRARIES = ("torchvision", "timm")
TRACKED = "num_batches_tracked"  # older files have no such counters
READING = re.compile(r"(torchvision|timm):([a-z0-9_]{1,99})(?:/([^/]*))?(?:/(\d{1,4}))?", re.ASCII)
PIXELS = ("", "0to1", "-1to1")
SHOWN = 4
# Files of densenets from before 2018 number what is now called norm1 (torchvision/densenet.py).
OLD_DENSE = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)")
# What these do to their images depends on where the weights are from, and no tensor says so.
UNSURE = ("googlenet", "inception_v3")


class Net(NamedTuple):
    """A net of a library; `str()` of it is the reading that a person writes."""

    library: str
    name: str
    heads: tuple[str, ...] = ()  # layers that depend on the number of classes; (): no classifier
    pixels: str = ""  # "": as the library's own weights want them; else as in models.reading
    size: int = 0  # pixels of each edge; 0: the library's own

    def __str__(self) -> str:
        rest = [self.pixels, str(self.size)] if self.size else [self.pixels] if self.pixels else []
        return "/".join([f"{self.library}:{self.name}", *rest])

    @property
    def words(self) -> str:
        return f"{self.library}'s {self.name}"


def is_reading(text: str) -> bool:
    """Whether a reading names a net of a library."""
    return text.strip().startswith(tuple(f"{library}:" for library in LIBRARIES))


def parse(text: str) -> Net:
    """The net that a reading names; raises ConfigError where it is written otherwise."""
    found = READING.fullmatch(text.strip())
    if found is None or (found[3] or "") not in PIXELS or (found[4] and not int(found[4])):
        raise ConfigError(
            f"The reading {text!r} is not known. Write torchvision:NAME or timm:NAME, behind it "
            "/0to1 or /-1to1 where pixels are not as in ImageNet, then /32 for 32 × 32 of them."
        )
    library, name = found[1], found[2]
    heads = next((net.heads for net in _table() if net[:2] == (library, name)), ())
    return Net(library, name, heads, found[3] or "", int(found[4] or 0))


def recognised(shapes: Mapping[str, tuple[int, ...]]) -> tuple[list[Net], list[Net]]:
    """The nets that have just these tensors, the head aside; and those that name them alike."""
    names = names_digest(shapes)
    alike = {net: of for net, (called, of) in _table().items() if called == names}
    exact = [
        net for net, of in alike.items() if net.heads and of == shapes_digest(shapes, net.heads)
    ]
    return exact, list(alike)


def current_names(names: Iterable[str]) -> dict[str, str]:
    """Each name in a file → what the libraries call it now."""
    return {name: OLD_DENSE.sub(r"\1\2", name) for name in names}


def said(nets: list[Net]) -> str:
    """The nets in words, a few of many."""
    more = f" and {len(nets) - SHOWN} more" if len(nets) > SHOWN else ""
    return ", ".join(net.words for net in nets[:SHOWN]) + more


def names_digest(names: Iterable[str]) -> str:
    """Of the names of a net's tensors, whatever their order."""
    return _digest(name for name in names if not name.endswith(TRACKED))


def shapes_digest(shapes: Mapping[str, tuple[int, ...]], heads: Iterable[str]) -> str:
    """Of names and shapes, but for the layers that depend on the number of classes."""
    heads = set(heads)
    return _digest(
        f"{name} {'x'.join(map(str, shape))}"
        for name, shape in shapes.items()
        if not name.endswith(TRACKED) and name.rpartition(".")[0] not in heads
    )


def _digest(words: Iterable[str]) -> str:
    return blake2b("\n".join(sorted(words)).encode(errors="replace"), digest_size=4).hexdigest()


@cache
def _table() -> dict[Net, tuple[str, str]]:
    """All nets → the digests of their names and of their shapes; torchvision's come first."""
    text = (paths.resources() / "vision" / "architectures.txt").read_text("utf-8")
    found = {}
    for line in text.splitlines():
        library, name, names, shapes, heads = line.split(" ")
        found[Net(library, name, () if heads == "-" else tuple(heads.split(",")))] = names, shapes
    return found
