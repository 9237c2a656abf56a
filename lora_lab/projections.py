"""How the d numbers of a random subspace move all weights, a row each.

It loads no torch. The projections themselves are in `lora_lab.adapters`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Name = Literal["hash", "dense", "fastfood"]
Space = Literal["auto", "weights"]
Structure = Literal["flat", "did", "said"]
LARGE = 20_000_000  # weights, above which numbers move factors of LoRA in their place


@dataclass(frozen=True)
class Choice:
    """How the numbers move what they move; `fixed` is why d cannot change in mid-run."""

    title: str
    about: str
    fixed: str = ""  # "": it can


HASH = "hash"  # the default projection
PROJECTIONS: dict[str, Choice] = {
    HASH: Choice(
        "hash",
        "Each weight belongs to one number, with a sign: three operations a weight, and d is a "
        "slider. As Uni-LoRA, 2025",
    ),
    "dense": Choice(
        "dense",
        "Each number moves each weight, by a normal P with unit columns. Li et al. 2018. It is "
        "held whole, so for few weights and numbers",
        fixed="a dense P of another d has other columns; the projection hash has a d that moves",
    ),
    "fastfood": Choice(
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

FLAT, SAID = "flat", "said"
STRUCTURES: dict[str, Choice] = {
    FLAT: Choice(
        "flat", "One P of all weights, with unit columns over all of them. Li et al. 2018"
    ),
    "did": Choice(
        "DID",
        "A P of each tensor, with unit columns: every tensor moves alike, whatever its size. As "
        "Aghajanyan et al. 2020 compute it",
        fixed="each tensor has a P of its own, and no larger d holds all that a smaller one moves; "
        "the flat structure has a d that moves",
    ),
    SAID: Choice(
        "SAID",
        "DID with a learned factor λ for each tensor, which are among the d numbers. Aghajanyan et "
        "al. 2020",
        fixed="each tensor has a P and a λ of its own, and no larger d holds all that a smaller "
        "one moves; the flat structure has a d that moves",
    ),
}
