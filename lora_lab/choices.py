"""What a setting may be chosen from: name → title and one line about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DType = Literal["float32", "bfloat16", "float16", "float64"]
Optimizer = Literal["adamw", "sgd"]
Schedule = Literal["constant", "linear", "cosine"]
Batching = Literal["bucketed", "packed", "shuffled"]
ClassWeights = Literal["none", "balanced"]
AlphaMode = Literal["scale_effect", "keep_function"]


@dataclass(frozen=True)
class Choice:
    """One value of a setting as a person sees it."""

    title: str
    about: str


ALPHA_MODES: dict[str, Choice] = {
    "scale_effect": Choice("rescale ΔW", "ΔW follows α at once"),
    "keep_function": Choice(
        "keep ΔW", "ΔW stays as it is and B is rescaled: α acts like a learning rate of B"
    ),
}

OPTIMIZERS: dict[str, Choice] = {
    "adamw": Choice("AdamW", "Adam with decoupled weight decay. Loshchilov & Hutter 2019"),
    "sgd": Choice("SGD", "Plain gradient steps, with momentum if it is set"),
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

DTYPES: dict[str, Choice] = {
    "float32": Choice("float32", "4 bytes per number; exact enough for everything"),
    "bfloat16": Choice("bfloat16", "2 bytes, float32's range; adapters stay in float32"),
    "float16": Choice("float16", "2 bytes, a small range; adapters stay in float32"),
    "float64": Choice("float64", "8 bytes, for measuring"),
}
