"""Figures that several rooms need: bytes of a number by dtype; bytes and counts in words."""

from __future__ import annotations

DTYPE_BYTES = {"float64": 8, "float32": 4, "bfloat16": 2, "float16": 2}


def size_words(count: float) -> str:
    """Bytes in the units of ls -lh, by thousands."""
    for unit in ("B", "kB", "MB"):
        if count < 999.5:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"


def counted(number: int, noun: str) -> str:
    """1 layer, 2 layers."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
