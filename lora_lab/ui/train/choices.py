"""What the setup dock offers to choose from, a line on each, and why some do not go together."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

from lora_lab import variants
from lora_lab.ui.widgets.form import Choice

VARIANTS = tuple(Choice(name, v.title, v.about) for name, v in variants.VARIANTS.items())

INITS = (
    Choice(
        "kaiming",
        "kaiming",
        QT_TRANSLATE_NOOP("choices", "A ~ U(±1/√in), B = 0: what loralib and PEFT do"),
    ),
    Choice(
        "gaussian",
        "gaussian",
        QT_TRANSLATE_NOOP("choices", "A ~ N(0, 1/r²), B = 0: Hu et al. 2021, §4.1"),
    ),
    Choice(
        "normal",
        "normal",
        QT_TRANSLATE_NOOP("choices", "A ~ N(0, 1), B = 0: the parametrization tutorial"),
    ),
    Choice(
        "orthogonal",
        "orthogonal",
        QT_TRANSLATE_NOOP("choices", "A·Aᵀ = I, B = 0: Saxe et al. 2014, arXiv 1312.6120"),
    ),
    Choice(
        "pissa",
        "PiSSA",
        QT_TRANSLATE_NOOP(
            "choices",
            "B·A starts as the r largest directions of W = U·S·Vᵀ. Meng et al. 2024, "
            "arXiv 2404.02948",
        ),
    ),
    Choice(
        "olora",
        "OLoRA",
        QT_TRANSLATE_NOOP(
            "choices", "B·A starts as the first r of W = Q·R. Büyükakyüz 2024, arXiv 2406.01775"
        ),
    ),
    Choice(
        "eva",
        "EVA",
        QT_TRANSLATE_NOOP(
            "choices",
            "A = the directions in which the inputs vary most, B = 0. Paischer et al. 2024, "
            "arXiv 2410.07170",
        ),
    ),
)

OPTIMIZERS = (
    Choice(
        "adamw",
        "AdamW",
        QT_TRANSLATE_NOOP("choices", "Adam with decoupled decay. Loshchilov & Hutter 2019"),
    ),
    Choice(
        "sgd",
        "SGD",
        QT_TRANSLATE_NOOP("choices", "Plain gradient steps, with momentum if there is any"),
    ),
)

SCHEDULES = (
    Choice(
        "constant",
        "constant",
        QT_TRANSLATE_NOOP("choices", "The learning rate stays, after the warm-up"),
    ),
    Choice("linear", "linear", QT_TRANSLATE_NOOP("choices", "Down to zero in a straight line")),
    Choice(
        "cosine",
        "cosine",
        QT_TRANSLATE_NOOP("choices", "Down to zero in half a wave of the cosine"),
    ),
)

BATCHINGS = (
    Choice(
        "bucketed",
        "bucketed",
        QT_TRANSLATE_NOOP("choices", "Rows of like length together: little padding"),
    ),
    Choice(
        "packed",
        "packed",
        QT_TRANSLATE_NOOP("choices", "Rows end to end up to the longest length: no padding"),
    ),
    Choice("shuffled", "shuffled", QT_TRANSLATE_NOOP("choices", "Rows as they come")),
)

DTYPES = (
    Choice(
        "float32",
        "float32",
        QT_TRANSLATE_NOOP("choices", "4 bytes a number; exact enough for everything"),
    ),
    Choice(
        "bfloat16",
        "bfloat16",
        QT_TRANSLATE_NOOP("choices", "2 bytes, float32's range; adapters stay in float32"),
    ),
    Choice(
        "float16",
        "float16",
        QT_TRANSLATE_NOOP("choices", "2 bytes, a small range; adapters stay in float32"),
    ),
    Choice("float64", "float64", QT_TRANSLATE_NOOP("choices", "8 bytes, for measuring")),
)


def init_locked(variant: str) -> str:
    """Why no init can be chosen for this variant, or nothing."""
    return _tr("Full fine-tuning has no factors A and B.") if variant == "full" else ""


def inits_hindered(kinds: Iterable[str]) -> dict[str, str]:
    """The inits that layers of these kinds cannot have, each with the reason."""
    if "embedding" in kinds:
        said = _tr("EVA needs continuous inputs, and an embedding is among the targets.")
        return {"eva": said}
    return {}


def ratio_locked(variant: str) -> str:
    """Why the LoRA+ ratio has no meaning for this variant, or nothing."""
    return _tr("Full fine-tuning has no B with a rate of its own.") if variant == "full" else ""


def momentum_locked(optimizer: str) -> str:
    """Why momentum has no meaning for this optimizer, or nothing."""
    said = _tr("Momentum is SGD's; AdamW goes by its own averages.")
    return "" if optimizer == "sgd" else said


def _tr(text: str) -> str:
    return QCoreApplication.translate("choices", text)
