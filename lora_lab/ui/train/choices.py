"""Why a choice of the setup dock is locked, or does not go together with another one."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QCoreApplication

from lora_lab.choices import BITS, OPTIMIZERS
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


def inits_hindered(kinds: Iterable[str], bits: str) -> dict[str, str]:
    """The inits that layers of these kinds, of a base held in `bits`, cannot have, and why."""
    hindered = {}
    if "embedding" in kinds:
        words = translate(
            "choices", "{} needs continuous inputs, and an embedding is among the targets."
        )
        hindered = {n: words.format(row.title) for n, row in INITS.items() if row.needs_data}
    if bits not in BITS:
        words = translate("choices", "{} starts from what packing the base into 4 or 8 bits loses.")
        hindered |= {n: words.format(row.title) for n, row in INITS.items() if row.of_rounding}
    return hindered


def ratio_locked(variant: str) -> str:
    """Why the LoRA+ ratio has no meaning for this variant, or nothing."""
    row, words = (
        VARIANTS[variant],
        translate("choices", "{} has no B with a learning rate of its own."),
    )
    return "" if row.trains_factors else words.format(in_words(row.subject))


def projection_locked(variant: str) -> str:
    """Why no projection can be chosen for this variant, or nothing."""
    row, words = VARIANTS[variant], translate("choices", "{} moves its weights by no projection.")
    return "" if row.shared else words.format(in_words(row.subject))


def space_locked(variant: str) -> str:
    """Why what the numbers move cannot be chosen for this variant, or nothing."""
    row, words = VARIANTS[variant], translate("choices", "{} moves what it moves at any size.")
    return "" if row.large else words.format(in_words(row.subject))


def batch_locked(batch_tokens: int) -> str:
    """Why no number of examples can be chosen, or nothing."""
    words = translate("choices", "A batch has as many examples as its tokens allow.")
    return words if batch_tokens else ""


def momentum_locked(optimizer: str) -> str:
    """Why momentum has no meaning for this optimizer, or nothing."""
    return in_words(OPTIMIZERS[optimizer].momentum)
