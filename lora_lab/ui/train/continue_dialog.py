"""Training on after the end: how many steps, and which learning rate they will have, beforehand."""

from __future__ import annotations

from PySide6.QtWidgets import QDialog, QDialogButtonBox, QHBoxLayout, QWidget

from lora_lab.config import RunConfig
from lora_lab.rules import stage_ahead
from lora_lab.ui.style.figures import plain_number
from lora_lab.ui.widgets.controls import Whole
from lora_lab.ui.widgets.dialogs import button_row, dialog_column
from lora_lab.ui.widgets.labels import TextLabel

MOST = 1_000_000_000  # steps


class ContinueDialog(QDialog):
    """Asks for the steps, as many as the run's own at first, and says what they do."""

    def __init__(
        self, config: RunConfig, rate: float, step: int, parent: QWidget | None = None
    ) -> None:
        """`rate`: the learning rate that is applied; `step`: where the run has ended."""
        super().__init__(parent)
        self.setWindowTitle(self.tr("Continue training"))
        self._config, self._rate, self._step = config, rate, step
        self.steps_box = Whole(1, MOST)
        self.steps_box.setAccessibleName(self.tr("Steps to train further"))
        self.steps_box.setValue(config.max_steps)
        self.steps_box.setGroupSeparatorShown(True)
        self.steps_box.valueChanged.connect(self._explain)
        title = TextLabel(self.tr("&Steps"))
        title.setBuddy(self.steps_box)
        row = QHBoxLayout()
        row.addWidget(title)
        row.addWidget(self.steps_box)
        row.addStretch(1)
        self.words = TextLabel()
        self.words.setWordWrap(True)
        self.words.setMinimumWidth(self.fontMetrics().averageCharWidth() * 56)
        self.words.setMinimumHeight(3 * self.fontMetrics().lineSpacing())
        buttons = button_row(self, QDialogButtonBox.StandardButton.Cancel)
        self.go_button = buttons.addButton(
            self.tr("&Continue training"), QDialogButtonBox.ButtonRole.AcceptRole
        )
        self.go_button.setProperty("role", "primary")
        column = dialog_column(self)
        column.addWidget(TextLabel(self.tr("The run ended at step {:,}.").format(step)))
        column.addLayout(row)
        column.addWidget(self.words)
        column.addWidget(buttons)
        self.go_button.setDefault(True)
        self.go_button.setFocus()
        self._explain()

    def _explain(self) -> None:
        tr = self.tr
        ahead = stage_ahead(self._config, self._rate, self._step, self.steps_box.value())
        text = tr("{:,} more steps, to step {:,}. ").format(ahead.end - ahead.begin, ahead.end)
        rates = [plain_number(float(f"{x:.3g}")) for x in (ahead.first, ahead.peak, ahead.last)]
        if ahead.warmup:
            again = tr("The learning rate starts again at {} and reaches {} in {:,} steps; ")
            text += again.format(rates[0], rates[1], ahead.warmup)
        else:
            text += tr("The learning rate starts again at {}; ").format(rates[0])
        if ahead.schedule == "constant":
            text += tr("then it stays ({} schedule).").format(ahead.schedule)
        else:
            text += tr("then it falls to {} at the last step ({} schedule).").format(
                rates[2], ahead.schedule
            )
        self.words.setText(text)


def ask_further(config: RunConfig, rate: float, step: int, parent: QWidget) -> int:
    """How many steps the person wants to train further; 0: none."""
    dialog = ContinueDialog(config, rate, step, parent)
    agreed = dialog.exec() == QDialog.DialogCode.Accepted
    further = dialog.steps_box.value() if agreed else 0
    dialog.deleteLater()
    return further
