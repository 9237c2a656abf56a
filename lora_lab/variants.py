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
THETA = "theta.safetensors"  # what a run keeps of a vector that all layers share


@dataclass(frozen=True)
class Variant:
    """`layer` is "file:class" of its AdapterLayer in `lora_lab.adapters`.

    `divisor` of the rank makes s = α / divisor(r), and `formula` says so. `factored`: it trains
    factors A and B of a rank; `whole`: all of W; `shared`: one vector of numbers for all layers;
    `magnitude`: one number per output. `exact_sigma`:
    ΔW = s·B·A and nothing else, so that its singular values tell what a smaller rank would discard.
    `trained` counts the numbers of a layer (out, in, r), where these are not all of A and B;
    `own_start`: why the inits mean nothing to it, where its factors start in a way of their own.
    `scaled`: there is an s, which α moves; `capped`: a rank above min(out, in) has no use.
    `of_experts`: whether PEFT has it of a matrix among others.
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
    trained: Callable[[int, int, int], int] | None = None
    own_start: str = ""
    scaled: bool = True
    capped: bool = True
    of_experts: bool = False
    locked: tuple[tuple[str, str], ...] = ()
    peft: tuple[str, ...] | None = None
    large: str = ""  # the variant in its place where very many weights are adapted
    in_text: str = ""  # its name in a sentence; none: the title

    def __str__(self) -> str:
        return self.in_text or self.title

    @property
    def subject(self) -> str:
        """Its name as the first word of a sentence."""
        return f"{str(self)[0].upper()}{str(self)[1:]}"

    @property
    def no_factors(self) -> str:
        """What a run keeps of it in place of an adapter, and the way out; "" where it has one."""
        if self.factored:
            return ""
        if self.shared:
            return (
                f"{self.subject} has no factors: its run keeps the numbers, in {THETA}. `lora-lab "
                "train --adapter` continues from them; for other programs export the run from the "
                "window, merged into its base"
            )
        return f"{self.subject} has no factors to keep: its weights are not saved"

    @property
    def trains_factors(self) -> bool:
        """Whether A and B start by an init and B learns at a rate of its own."""
        return self.factored and not self.own_start

    def parameters(self, shape: tuple[int, int], rank: int) -> int:
        """What is trained beside a layer of `shape` (out, in) at `rank`: LoRA §4.2.

        r·(in + out) for the factors, one per output for a magnitude, in·out where W itself is.
        """
        out_features, in_features = shape
        if self.trained is not None:
            return self.trained(out_features, in_features, rank)
        factors = rank * (out_features + in_features) if self.factored else 0
        magnitude = out_features if self.magnitude else 0
        return factors + magnitude + (out_features * in_features if self.whole else 0)

    def scaling(self, alpha: float, rank: int) -> float:
        """s, which multiplies B·A."""
        return alpha / self.divisor(rank) if self.scaled else 1.0

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
        of_experts=True,
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
        of_experts=True,
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
    "lora-fa": Variant(
        "frozen_a:FrozenALayer",
        "LoRA-FA",
        "ΔW = (α/r)·B·A₀, A₀ stays as it was drawn. Zhang et al. 2023, arXiv 2308.03303",
        mark="t",
        sample="▼",
        trained=lambda out_features, in_features, rank: rank * out_features,
        of_experts=True,
        peft=(),
    ),
    "vera": Variant(
        "vera:VeRALayer",
        "VeRA",
        "ΔW = diag(b)·B·diag(d)·A; A, B random, frozen and shared; b, d learn. Kopiczko et al. "
        "2023, arXiv 2310.11454",
        mark="t2",
        sample="▶",
        formula="1",
        exact_sigma=False,
        trained=lambda out_features, in_features, rank: out_features + rank,
        own_start="The shared A and B of VeRA are drawn in one way, and its d and b start alike.",
        scaled=False,
        capped=False,
        locked=(("alpha", "VeRA has no scaling: its vectors d and b are all that is trained"),),
        peft=(),
    ),
    "lora-xs": Variant(
        "xs:XSLayer",
        "LoRA-XS",
        "ΔW = (α/r)·U_r·Σ_r·R·V_rᵀ with W = U·Σ·Vᵀ; only R (r × r) learns. Bałazy et al. 2024, "
        "arXiv 2405.17604",
        mark="t3",
        sample="◀",
        exact_sigma=False,
        trained=lambda out_features, in_features, rank: rank * rank,
        own_start="LoRA-XS starts from the singular directions of W.",
        peft=(),
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
        large="uni-lora",
        in_text="a random subspace",
    ),
    "uni-lora": Variant(
        "uni_lora:UniLoRALayer",
        "Uni-LoRA",
        "ΔW = (α/r)·(B₀ + P·θ)·(A₀ + P·θ), d numbers for the factors of all layers. Li et al. "
        "2025, arXiv 2506.00799",
        mark="+",
        sample="✚",
        shared=True,
        exact_sigma=False,
        trained=lambda out_features, in_features, rank: 0,
        own_start="The factors of Uni-LoRA start as PEFT draws them, and its numbers at 0.",
        locked=(
            ("rank", "the numbers move factors of the rank that the run began with"),
            ("alpha", "the numbers move both factors, and their rate does what α would"),
            ("layer_ranks", "the numbers move factors of one rank in all layers"),
            ("frozen_layers", "all layers share θ; leave a layer out of the targets"),
        ),
        peft=(),
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
