"""What a task measures besides its loss and its classes, adapter off and on, in words."""

from __future__ import annotations

import math
from collections.abc import Callable

from PySide6.QtCore import QCoreApplication

from lora_lab.records import EvalRecord
from lora_lab.ui.style.figures import rounded_percent
from lora_lab.ui.widgets.plot import number


def further(off: EvalRecord | None, now: EvalRecord | None) -> list[tuple[str, str]]:
    """(name, "0.1 → 0.5") of every figure; an accuracy that is of no classes stands first."""
    if now is None or not now.figures:
        return []
    before = dict(off.figures) if off is not None else {}
    rows = [
        (name[:1].upper() + name[1:], off_on(number, before.get(name, math.nan), value))
        for name, value in now.figures
    ]
    if now.accuracy is not None and not now.total:
        share = off.accuracy if off is not None and off.accuracy is not None else math.nan
        words = QCoreApplication.translate("BeforeAfterPanel", "Accuracy")
        rows.insert(0, (words, off_on(rounded_percent, share, now.accuracy)))
    return rows


def off_on(words: Callable[[float], str], off: float, on: float) -> str:
    """Two figures with an arrow between; what was not measured, or is not defined, as a dash."""
    return " → ".join(words(x) if x == x else "—" for x in (off, on))
