"""The curves of the loss in one sentence, for who does not see them."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

from lora_lab.ui.widgets.plot import number
from lora_lab.ui.widgets.series import Series

translate = QCoreApplication.translate


def summary(train: Series, smoothed: Series, validation: Series) -> str:
    """Where the training loss stands and moves to, the validation loss, and what was not finite."""
    if not len(train):
        return translate("LossPanel", "No loss yet.")
    _, y = smoothed.window(0, smoothed.last_step or 0, 10)
    now, before = smoothed.last_value, float(y[max(0, len(y) - 6)])
    if abs(now - before) <= 0.02 * abs(before):
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
