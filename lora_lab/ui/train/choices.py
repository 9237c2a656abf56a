"""Why a choice of the setup dock is locked, or does not go together with another one."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QCoreApplication


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
