"""Why a choice of the setup dock is locked, or does not go together with another one."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QCoreApplication

from lora_lab.choices import OPTIMIZERS
from lora_lab.inits import INITS
from lora_lab.ui.style.figures import in_words
from lora_lab.variants import VARIANTS

translate = QCoreApplication.translate


def init_locked(variant: str) -> str:
    """Why no init can be chosen for this variant, or nothing."""
    row, words = VARIANTS[variant], translate("choices", "{} has no factors A and B.")
    if row.factored:
        return in_words(row.own_start)
    return words.format(in_words(row.subject))


def inits_hindered(kinds: Iterable[str]) -> dict[str, str]:
    """The inits that layers of these kinds cannot have, each with the reason."""
    if "embedding" not in kinds:
        return {}
    words = translate(
        "choices", "{} needs continuous inputs, and an embedding is among the targets."
    )
    return {name: words.format(row.title) for name, row in INITS.items() if row.needs_data}


def ratio_locked(variant: str) -> str:
    """Why the LoRA+ ratio has no meaning for this variant, or nothing."""
    row, words = (
        VARIANTS[variant],
        translate("choices", "{} has no B with a learning rate of its own."),
    )
    return "" if row.trains_factors else words.format(in_words(row.subject))


def momentum_locked(optimizer: str) -> str:
    """Why momentum has no meaning for this optimizer, or nothing."""
    return in_words(OPTIMIZERS[optimizer].momentum)
