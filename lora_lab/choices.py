"""What a setting may be chosen from: name → title and one line about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DType = Literal["float32", "bfloat16", "float16", "float64"]
Optimizer = Literal["adamw", "sgd", "muon", "muon_b", "riemannian", "adamw8bit"]
Schedule = Literal["constant", "linear", "cosine"]
Batching = Literal["bucketed", "packed", "shuffled"]
ClassWeights = Literal["none", "balanced"]
BaseBits = Literal["auto", "4", "8", "float"]
AlphaMode = Literal["scale_effect", "keep_function"]


@dataclass(frozen=True)
class Choice:
    """One value of a setting as a person sees it."""

    title: str
    about: str


@dataclass(frozen=True)
class OptimizerRow(Choice):
    """An optimizer. What moves a tensor is one of AdamW, Muon and SGD; each keeps other averages.

    `orthogonal` names what Muon moves: every matrix, those called so, or none.
    """

    adam: bool = False  # AdamW moves what Muon does not, or all
    orthogonal: tuple[str, ...] = ()
    momentum: str = ""  # why the setting has no meaning to it; "": it has
    preconditioned: bool = False  # whether each factor's gradient is, by the other factor
    eight_bits: bool = False  # whether averages are kept in 8 bits

    def is_orthogonal(self, label: str, dimensions: int) -> bool:
        """Whether Muon moves the trained tensor of that name and number of dimensions."""
        return dimensions > 1 and (label in self.orthogonal or EVERY in self.orthogonal)

    def states(self, momentum: float) -> float:
        """Numbers of float32 that are kept for each trained one, at most."""
        if self.eight_bits:
            return EIGHT_BITS
        return (
            2
            if self.adam and EVERY not in self.orthogonal
            else int(bool(self.orthogonal) or momentum > 0)
        )


EVERY = "every matrix"
EIGHT_BITS = 2 * (1 + 4 / 256) / 4  # two averages, a byte for each number and a scale for 256

ALPHA_MODES: dict[str, Choice] = {
    "scale_effect": Choice("rescale ΔW", "ΔW follows α at once"),
    "keep_function": Choice(
        "keep ΔW", "ΔW stays as it is and B is rescaled: α acts like a learning rate of B"
    ),
}

OPTIMIZERS: dict[str, OptimizerRow] = {
    "adamw": OptimizerRow(
        "AdamW",
        "Adam with decoupled weight decay. Loshchilov & Hutter 2019",
        adam=True,
        momentum="Momentum is for SGD; AdamW uses its betas.",
    ),
    "sgd": OptimizerRow("SGD", "Plain gradient steps, with momentum if it is set"),
    "muon": OptimizerRow(
        "Muon",
        "Each step is orthogonal: all directions of A and of B move alike. Jordan 2024. What is no "
        "matrix is moved by AdamW",
        adam=True,
        orthogonal=(EVERY,),
        momentum="Momentum is for SGD; Muon has its own, 0.95.",
    ),
    "muon_b": OptimizerRow(
        "Muon on B",
        "Muon for B, whose columns become alike; AdamW for A and all else",
        adam=True,
        orthogonal=("lora_B",),
        momentum="Momentum is for SGD; Muon has its own, 0.95.",
    ),
    "riemannian": OptimizerRow(
        "Riemannian",
        "AdamW on gradients that each factor preconditions for the other, so that a step does not "
        "depend on how ΔW is divided between A and B. Zhang & Pilanci 2024",
        adam=True,
        momentum="Momentum is for SGD; AdamW uses its betas.",
        preconditioned=True,
    ),
    "adamw8bit": OptimizerRow(
        "AdamW, 8 bits",
        "AdamW whose averages take a byte for each number, a quarter of the memory. Dettmers et "
        "al. 2022",
        adam=True,
        momentum="Momentum is for SGD; AdamW uses its betas.",
        eight_bits=True,
    ),
}

SCHEDULES: dict[str, Choice] = {
    "constant": Choice("constant", "The learning rate stays constant after warm-up"),
    "linear": Choice("linear", "Linear decay to zero after warm-up"),
    "cosine": Choice("cosine", "Cosine decay to zero after warm-up"),
}

BATCHINGS: dict[str, Choice] = {
    "bucketed": Choice("bucketed", "Rows of similar length together: little padding"),
    "packed": Choice("packed", "Rows end to end up to the max length: no padding"),
    "shuffled": Choice("shuffled", "Rows in random order"),
}

CLASS_WEIGHTS: dict[str, Choice] = {
    "none": Choice("none", "Each row counts alike"),
    "balanced": Choice("balanced", "Each class counts alike: a row of class c counts n/(k·n_c)"),
}

BITS = ("4", "8")  # of BASE_BITS: a folder is packed while it is opened

BASE_BITS: dict[str, Choice] = {
    "auto": Choice("as in the file", "Floats of a folder in the dtype; a .gguf as it lies there"),
    "4": Choice("4 bits", "NF4 with double quantization, packed layer by layer: QLoRA's"),
    "8": Choice("8 bits", "Q8_0, packed layer by layer: the rounding is a twentieth of that of 4"),
    "float": Choice("float", "Unpacked to floats of the dtype, a .gguf as well"),
}

DTYPES: dict[str, Choice] = {
    "float32": Choice("float32", "4 bytes per number; exact enough for everything"),
    "bfloat16": Choice("bfloat16", "2 bytes, float32's range; adapters stay in float32"),
    "float16": Choice("float16", "2 bytes, a small range; adapters stay in float32"),
    "float64": Choice("float64", "8 bytes, for measuring"),
}

SAMPLERS: dict[str, Choice] = {
    "tpe": Choice("TPE", "settings that resemble those of the best runs so far"),
    "random": Choice("random", "settings at random"),
    "grid": Choice("grid, pruned", "every combination in order"),
}

PRUNERS: dict[str, Choice] = {
    "median": Choice("median", "ends a run that is worse than half of the earlier ones by then"),
    "halving": Choice("halving", "lets the best third continue at each third of the way"),
    "none": Choice("none", "ends no run"),
}
