"""How the factors may start, a row each, and all that others need to know of it.

It loads no torch. The functions themselves are `lora_lab.adapters.INITS`. Nothing outside
`adapters/` asks for an init by name: it reads the row.
"""

from __future__ import annotations

from dataclasses import dataclass

PLAIN = "kaiming"  # the default


@dataclass(frozen=True)
class Init:
    """`rows` is "file:function", in `lora_lab.adapters`, that draws new rows of lora_A.

    `principal` names one that makes A₀ and B₀ of W in their place; `of_rounding` one that makes A
    and B of what packing took from W, so that ΔW is not zero at the start. `needs_data`: lora_A is
    set by what the layers see of the first batches, which must be continuous. `peft` is what PEFT's
    `init_lora_weights` calls the same start; None where it has no such.
    """

    rows: str
    title: str
    about: str
    principal: str = ""
    of_rounding: str = ""
    needs_data: bool = False
    peft: bool | str | None = None

    @property
    def one_rank(self) -> bool:
        """Whether the start is a part of W: it belongs to one rank, and is kept beside A and B."""
        return bool(self.principal)


INITS: dict[str, Init] = {
    "kaiming": Init(
        "init:kaiming", "kaiming", "A ~ U(±1/√in), B = 0: what loralib and PEFT do", peft=True
    ),
    "gaussian": Init(
        "init:gaussian",
        "gaussian",
        "A ~ N(0, 1/r²), B = 0: Hu et al. 2021, §4.1",
        peft="gaussian",
    ),
    "normal": Init("init:normal", "normal", "A ~ N(0, 1), B = 0: the parametrization tutorial"),
    "orthogonal": Init(
        "init:orthogonal", "orthogonal", "A·Aᵀ = I, B = 0: Saxe et al. 2014, arXiv 1312.6120"
    ),
    "pissa": Init(
        "init:kaiming",
        "PiSSA",
        "B·A starts as the r largest directions of W = U·S·Vᵀ. Meng et al. 2024, arXiv 2404.02948",
        principal="principal:pissa",
        peft="pissa",
    ),
    "olora": Init(
        "init:kaiming",
        "OLoRA",
        "B·A starts as the first r of W = Q·R. Büyükakyüz 2024, arXiv 2406.01775",
        principal="principal:olora",
        peft="olora",
    ),
    "loftq": Init(
        "init:kaiming",
        "LoftQ",
        "s·B·A = the r largest directions of what packing took from W, so ΔW is not 0 at step 0; "
        "for a base in 4 or 8 bits. One round of Li et al. 2023, arXiv 2310.08659",
        of_rounding="principal:pissa",
    ),
    "eva": Init(
        "init:kaiming",
        "EVA",
        "A = the directions in which the inputs vary most, B = 0. Paischer et al. 2024, "
        "arXiv 2410.07170",
        needs_data=True,
    ),
}
