"""What an adapter's factors take once they are laid out, asked of their shapes before they are.

A product of small tensors stands for a large matrix: two of 128 × 128 for one of 16,384 × 16,384.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import psutil

from lora_lab.errors import AdapterError
from lora_lab.names import shown

# Numbers of both factors of a layer; a single block of FLUX.2 (6,144 × 55,296) has 377 million.
LARGEST = 400_000_000
LONGEST = 2**20  # of a side; the largest vocabularies have 262,144 tokens
PAID = 4  # times the numbers of the file: so many are never too many
SHARE = 0.5  # of the memory that is free
BYTES = 4  # of a number
WAY_OUT = "Merge it with the program that made it, then extract an adapter from the two models"


class Laid(NamedTuple):
    """The factors of a layer, (out × rank) and (rank × columns), made of `own` numbers."""

    name: str
    out: int
    rank: int
    columns: int
    own: int

    @property
    def numbers(self) -> int:
        return self.rank * (self.out + self.columns)


def check_laid_out(layers: Iterable[Laid], where: str = "") -> None:
    """Raise AdapterError for factors that are no layer's, or more together than memory holds.

    Its message begins with `where`.
    """
    total = 0
    for layer in layers:
        if layer.numbers <= PAID * layer.own:
            continue
        side = max(layer.out, layer.columns)
        if layer.numbers > LARGEST or side > LONGEST:
            raise AdapterError(
                f"{where}{shown(layer.name)}: its {layer.own:,} numbers stand for a matrix of "
                f"{layer.out:,} × {layer.columns:,} and rank {layer.rank:,}, which no layer has"
            )
        total += layer.numbers * BYTES
    if total > (free := psutil.virtual_memory().available) * SHARE:
        raise AdapterError(
            f"{where}its factors take {total / 1e9:.1f} GB once they are laid out, and "
            f"{free / 1e9:.1f} GB are free. {WAY_OUT}"
        )
