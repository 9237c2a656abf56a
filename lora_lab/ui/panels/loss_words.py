"""The words and figures of the loss: what each curve is measured on, a sentence, and columns."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from PySide6.QtCore import QCoreApplication

from lora_lab.opening_records import LoadedRecord
from lora_lab.ui.style import theme
from lora_lab.ui.widgets.legend import Row
from lora_lab.ui.widgets.plot import number
from lora_lab.ui.widgets.series import Series, long_columns

NOISE = 1e-12  # of the greatest loss: below, float32 rounds (ε² = 1.4e-14) and nothing is learned

translate = QCoreApplication.translate


def measured_on(loaded: LoadedRecord | None, short: bool = False) -> tuple[str, str]:
    """What the training and the validation curve are called, by their data where it differs."""
    trained, every = (loaded.trained_classes, loaded.classes) if loaded is not None else ((), ())
    if not trained or trained == every:
        return translate("LossPanel", "train"), translate("LossPanel", "validation")
    if short:
        return (
            translate("LossPanel", "train ({}/{})").format(len(trained), len(every)),
            translate("LossPanel", "validation (all)"),
        )
    words = translate("LossPanel", "train ({} of {} classes)").format(len(trained), len(every))
    if len(trained) == 1:
        words = translate("LossPanel", "train (class {} only)").format(trained[0])
    return words, translate("LossPanel", "validation (all {} classes)").format(len(every))


def entries(
    loaded: LoadedRecord | None,
    validated: bool,
    best_at: tuple[int, float] | None,
    others: list[Row],
    short: bool = False,
) -> list[Row]:
    """Rows of the legend, the most important first; in fewer letters where it is to be `short`."""
    c = theme.current()
    train, validation = measured_on(loaded, short)
    rows = [("━", c.smoothed, train)]
    if validated:
        rows.append(("●", c.validation, validation))
    if best_at is not None:
        words = translate("LossPanel", "best, step {:,}").format(best_at[0])
        rows.append(("★", c.good, translate("LossPanel", "best") if short else words))
    return [*rows, *others, ("─", c.raw, translate("LossPanel", "raw"))]


def summary(train: Series, smoothed: Series, validation: Series) -> str:
    """Where the training loss stands and moves to, the validation loss, and what was not finite."""
    if not len(train):
        return translate("LossPanel", "No loss yet.")
    _, y = smoothed.window(0, smoothed.last_step or 0, 10)
    now, before = smoothed.last_value, float(y[max(0, len(y) - 6)])
    still = max(0.02 * abs(before), NOISE * float(np.nanmax(y, initial=0)))
    if abs(now - before) <= still:
        text = translate("LossPanel", "Loss {} at step {:,}, steady")
    elif now > before:
        text = translate("LossPanel", "Loss {} at step {:,}, rising")
    else:
        text = translate("LossPanel", "Loss {} at step {:,}, falling")
    text = text.format(number(now), train.last_step)
    if len(validation):
        text += translate("LossPanel", "; validation loss {}").format(number(validation.last_value))
    if bad := train.non_finite_count:
        text += translate("LossPanel", "; {} steps were not finite").format(bad)
    return text + "."


def columns(
    train: Series, smoothed: Series, validation: Series, baseline: float, others: dict[str, Series]
) -> dict[str, Any]:
    """The curves below each other, every point: whose, at which step, what loss."""
    base = Series()
    if math.isfinite(baseline):
        base.extend([0], [baseline])
    run = {"train": train, "train, smoothed": smoothed, "validation": validation}
    return long_columns({**run, "base model, validation": base, **others})
