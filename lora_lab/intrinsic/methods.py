"""The ways to train few numbers that are held against each other, a row each; loads no torch."""

from __future__ import annotations

from dataclasses import dataclass

from lora_lab.variants import PLAIN, SUBSPACE, VARIANTS, Variant

RANKS = (1, 2, 4, 8, 16)


@dataclass(frozen=True)
class Method:
    """`sizes` are ranks, or numbers for all layers; `faster`: the first rate over full training's.

    Numbers move all weights, or LoRA's factors of a `rank`; their rate is by √(D/d) besides. Three
    rates around it are tried, and more where the best of them is at the edge.
    """

    sizes: tuple[int, ...]
    faster: float
    rank: int = 0


METHODS: dict[str, Method] = {
    PLAIN: Method(RANKS, 5),
    SUBSPACE: Method((8, 32, 64, 128, 256), 1),  # and as many as LoRA has
    "uni-lora": Method((8, 32, 128), 1, rank=4),
    "lora-fa": Method(RANKS[:-1], 30),
    "vera": Method((1, 16, 64, 256), 30),
    "lora-xs": Method(RANKS, 30),
}


def known() -> tuple[str, ...]:
    """The methods that there are, in the order in which they are shown."""
    return tuple(name for name in METHODS if name in VARIANTS)


def row(name: str) -> Variant:
    """What a method is in the lab."""
    return VARIANTS[name]
