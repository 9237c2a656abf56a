"""The kinds of adapter, a row each: what ΔW is in it, and all that others need to know of it.

It loads no torch, so that the window and the command line know the rows at once. The classes
themselves are `lora_lab.adapters.VARIANTS`. Nothing outside `adapters/` asks for a variant by name:
it reads the row.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

PLAIN = "lora"  # the default, and what factors are called that say no more of themselves
SUBSPACE = "subspace"  # moves all weights by a few numbers, in random directions
FULL = "full"  # trains a layer whole: the comparison, a base before its run, new heads


@dataclass(frozen=True)
class Variant:
    """`layer` is "file:class" of its AdapterLayer in `lora_lab.adapters`.

    `divisor` of the rank makes s = α / divisor(r), and `formula` says so. `factored`: it trains
    factors A and B of a rank; `whole`: all of W; `shared`: one vector of numbers for all layers;
    `magnitude`: one number per output. `exact_sigma`:
    ΔW = s·B·A and nothing else, so that its singular values tell what a smaller rank would discard.
    `locked` names the hyperparameters that mean nothing to it, with the reason. `peft` are the
    flags of PEFT's LoraConfig that make it; None where PEFT has nothing like it. `mark` is its
    symbol in plots (pyqtgraph's name), `sample` the same as text.
    """

    layer: str
    title: str
    about: str
    mark: str
    sample: str
    divisor: Callable[[int], float] = float
    formula: str = "α / r"
    factored: bool = True
    whole: bool = False
    shared: bool = False
    exact_sigma: bool = True
    magnitude: bool = False
    locked: tuple[tuple[str, str], ...] = ()
    peft: tuple[str, ...] | None = None
    in_text: str = ""  # its name in a sentence; none: the title

    def __str__(self) -> str:
        return self.in_text or self.title

    @property
    def subject(self) -> str:
        """Its name as the first word of a sentence."""
        return f"{str(self)[0].upper()}{str(self)[1:]}"

    def scaling(self, alpha: float, rank: int) -> float:
        """s, which multiplies B·A."""
        return alpha / self.divisor(rank)

    def alpha(self, scaling: float, rank: int) -> float:
        """The α that makes this s at this rank."""
        return scaling * self.divisor(rank)


VARIANTS: dict[str, Variant] = {
    "lora": Variant(
        "lora:LoRALayer",
        "LoRA",
        "ΔW = (α/r)·B·A. Hu et al. 2021, arXiv 2106.09685",
        mark="o",
        sample="●",
        peft=(),
    ),
    "rslora": Variant(
        "rslora:RsLoRALayer",
        "rsLoRA",
        "ΔW = (α/√r)·B·A. Kalajdzievski 2023, arXiv 2312.03732",
        mark="s",
        sample="■",
        divisor=math.sqrt,
        formula="α / √r",
        peft=("use_rslora",),
    ),
    "dora": Variant(
        "dora:DoRALayer",
        "DoRA",
        "W′ = m ∘ V/‖V‖, V = W + (α/r)·B·A. Liu et al. 2024, arXiv 2402.09353",
        mark="t1",
        sample="▲",
        exact_sigma=False,
        magnitude=True,
        peft=("use_dora",),
    ),
    "subspace": Variant(
        "subspace:SubspaceLayer",
        "subspace",
        "W′ = W + P·θ, d numbers for all layers. Li et al. 2018, Aghajanyan et al. 2020",
        mark="star",
        sample="★",
        factored=False,
        shared=True,
        exact_sigma=False,
        locked=(
            ("rank", "a random subspace has a dimension d, and no rank"),
            ("alpha", "a random subspace has no scaling"),
            ("dropout", "a random subspace has no adapter path to drop"),
            ("layer_ranks", "a random subspace has a dimension d, and no rank"),
            ("frozen_layers", "all layers share θ; leave a layer out of the targets"),
        ),
        in_text="a random subspace",
    ),
    "full": Variant(
        "full:FullLayer",
        "full",
        "ΔW = W′ − W, every entry trains: the comparison, not for export",
        mark="d",
        sample="◆",
        factored=False,
        whole=True,
        exact_sigma=False,
        locked=(
            ("rank", "full fine-tuning has no rank"),
            ("alpha", "full fine-tuning has no scaling"),
            ("dropout", "full fine-tuning has no adapter path to drop"),
        ),
        in_text="full fine-tuning",
    ),
}


def of_factors(*, magnitude: bool = False) -> str:
    """The variant of factors whose file names none: the first that trains just these."""
    return next(n for n, v in VARIANTS.items() if v.factored and v.magnitude == magnitude)


def peft_flags() -> tuple[str, ...]:
    """The flags of PEFT's LoraConfig that tell variants apart."""
    return tuple(dict.fromkeys(flag for v in VARIANTS.values() for flag in v.peft or ()))


def of_flags(flags: set[str]) -> str:
    """The variant that these flags of PEFT's LoraConfig make."""
    known = [n for n, v in VARIANTS.items() if v.peft is not None and flags.issuperset(v.peft)]
    return max(known, key=lambda n: (VARIANTS[n].magnitude, len(VARIANTS[n].peft or ())))
