"""What a setting may be chosen from: for each choice its name, its title and one line about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lora_lab.variants import VARIANTS

DType = Literal["float32", "bfloat16", "float16", "float64"]
Optimizer = Literal["adamw", "sgd"]
Schedule = Literal["constant", "linear", "cosine"]
Batching = Literal["bucketed", "packed", "shuffled"]
AlphaMode = Literal["scale_effect", "keep_function"]
# The keys of adapters.INITS, for those who must not wait for torch.
Init = Literal["kaiming", "gaussian", "normal", "orthogonal", "pissa", "olora", "eva"]


@dataclass(frozen=True)
class Choice:
    """One value of a setting as a person sees it."""

    name: str
    title: str
    about: str


VARIANT_CHOICES = tuple(Choice(name, v.title, v.about) for name, v in VARIANTS.items())

INIT_CHOICES = (
    Choice("kaiming", "kaiming", "A ~ U(±1/√in), B = 0: what loralib and PEFT do"),
    Choice("gaussian", "gaussian", "A ~ N(0, 1/r²), B = 0: Hu et al. 2021, §4.1"),
    Choice("normal", "normal", "A ~ N(0, 1), B = 0: the parametrization tutorial"),
    Choice("orthogonal", "orthogonal", "A·Aᵀ = I, B = 0: Saxe et al. 2014, arXiv 1312.6120"),
    Choice(
        "pissa",
        "PiSSA",
        "B·A starts as the r largest directions of W = U·S·Vᵀ. Meng et al. 2024, arXiv 2404.02948",
    ),
    Choice(
        "olora",
        "OLoRA",
        "B·A starts as the first r of W = Q·R. Büyükakyüz 2024, arXiv 2406.01775",
    ),
    Choice(
        "eva",
        "EVA",
        "A = the directions in which the inputs vary most, B = 0. Paischer et al. 2024, "
        "arXiv 2410.07170",
    ),
)

OPTIMIZER_CHOICES = (
    Choice("adamw", "AdamW", "Adam with decoupled weight decay. Loshchilov & Hutter 2019"),
    Choice("sgd", "SGD", "Plain gradient steps, with momentum if it is set"),
)

SCHEDULE_CHOICES = (
    Choice("constant", "constant", "The learning rate stays constant after warm-up"),
    Choice("linear", "linear", "Linear decay to zero after warm-up"),
    Choice("cosine", "cosine", "Cosine decay to zero after warm-up"),
)

BATCHING_CHOICES = (
    Choice("bucketed", "bucketed", "Rows of similar length together: little padding"),
    Choice("packed", "packed", "Rows end to end up to the max length: no padding"),
    Choice("shuffled", "shuffled", "Rows in random order"),
)

DTYPE_CHOICES = (
    Choice("float32", "float32", "4 bytes per number; exact enough for everything"),
    Choice("bfloat16", "bfloat16", "2 bytes, float32's range; adapters stay in float32"),
    Choice("float16", "float16", "2 bytes, a small range; adapters stay in float32"),
    Choice("float64", "float64", "8 bytes, for measuring"),
)
