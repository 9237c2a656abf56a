"""How the d numbers of a random subspace move all weights, a row each.

It loads no torch. The projections themselves are in `lora_lab.adapters`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Name = Literal["hash", "dense", "fastfood"]
Space = Literal["auto", "weights"]
LARGE = 20_000_000  # weights, above which numbers move factors of LoRA in their place


@dataclass(frozen=True)
class Choice:
    """What d numbers move, as a person sees it."""

    title: str
    about: str


@dataclass(frozen=True)
class Projection:
    """A projection P (D × d); `fixed` is why d cannot change in mid-run, "" where it can."""

    title: str
    about: str
    fixed: str = ""


HASH = "hash"  # the default projection
PROJECTIONS: dict[str, Projection] = {
    HASH: Projection(
        "hash",
        "Each weight belongs to one number, with a sign: three operations a weight, and d is a "
        "slider. As Uni-LoRA, 2025",
    ),
    "dense": Projection(
        "dense",
        "Each number moves each weight, by a normal P with unit columns. Li et al. 2018. It is "
        "held whole, so for few weights and numbers",
        fixed="a dense P of another d has other columns; the projection hash has a d that moves",
    ),
    "fastfood": Projection(
        "Fastfood",
        "P = H·G·Π·H·B over all weights at once, never held. Le et al. 2013; Li et al. 2018, "
        "Aghajanyan et al. 2020. Up to 3 million weights",
        fixed="the norm of Fastfood's columns is fixed with the run; the projection hash has a d "
        "that moves",
    ),
}

SPACES: dict[str, Choice] = {
    "auto": Choice(
        "by size",
        f"All adapted weights, up to {LARGE:,} of them; above, the factors of LoRA (Uni-LoRA)",
    ),
    "weights": Choice("weights", "All adapted weights, however many they are"),
}
